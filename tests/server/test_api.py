"""The API: the same acts as the pages, limited by the actions of a token."""

import json
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone, translation

from muniment.access.actions import Action
from muniment.access.roles import Role
from muniment.server.api import api
from muniment.server.changes.models import Change
from muniment.server.people.models import ApiToken, Person
from muniment.server.people.tokens import load_token_actor
from muniment.server.products.models import ClauseResult, ClauseState, Product
from muniment.server.requests.execution import approve_request
from muniment.server.requests.models import Request
from tests.server.test_separation_of_duties import enough
from tests.support.service import as_role, browser, person, place_records, post, product, set_up_factor, token_of

pytestmark = pytest.mark.usefixtures("service")


class Program:
    """A program with a token."""

    def __init__(self, who: Person, *actions: Action, second_factor: bool = True, **changed: Any) -> None:
        text = token_of(who, actions or tuple(Action), second_factor=second_factor, **changed)
        self.client = Client(HTTP_HOST="localhost", headers={"Authorization": f"Bearer {text}"})

    def send(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        data = b"" if body is None else json.dumps(body).encode()
        answer = self.client.generic(method, f"/api{path}", data, content_type="application/json", headers=headers)
        self.answer = answer
        return answer.status_code, json.loads(answer.content or b"null")


def test_token_permits_only_its_actions() -> None:
    product("shop")
    ada = person("ada", Role.ADMIN)
    reading = Program(ada, Action.SEE_PRODUCT)
    assert reading.send("GET", "/products")[0] == 200
    assert reading.send("POST", "/products", {"id": "x", "name": "X"}) == (
        403,
        {
            "type": "urn:muniment:token-not-for-this",
            "title": "token not for this",
            "status": 403,
            "detail": "Your roles, or the token's, do not allow this.",
        },
    )
    assert Program(ada).send("POST", "/products", {"id": "x", "name": "X"})[0] == 200


@pytest.mark.parametrize("changed", [{"expires_at": timezone.now() - timedelta(1)}, {"ended_at": timezone.now()}])
def test_expired_or_ended_token_is_refused(changed: dict[str, Any]) -> None:
    assert Program(person("ada", Role.ADMIN), **changed).send("GET", "/products")[0] == 401


def test_token_of_deactivated_person_is_refused() -> None:
    ada, bob = person("ada", Role.ADMIN), person("bob", Role.DEVELOPER)
    program = Program(bob)
    assert program.send("GET", "/products")[0] == 200
    post(browser(ada), "/people/bob/change", act="deactivate-person")
    assert program.send("GET", "/products")[0] == 401


def test_token_without_second_factor_cannot_change_anything() -> None:
    program = Program(person("ada", Role.ADMIN), second_factor=False)
    assert program.send("POST", "/products", {"id": "x", "name": "X"})[0] == 403
    assert Product.objects.count() == 0


def test_own_page_creates_token_that_is_shown_once() -> None:
    ada = browser(person("ada", Role.ADMIN))
    fields = {"name": "ci", "days": "30", "scopes": ["see-product"]}
    wrong: dict[str, Any]
    for wrong in ({"scopes": ["see-product", "nonsense"]}, {"scopes": []}, {"days": "366"}, {"name": " "}):
        assert ada.post("/me/tokens", {**fields, **wrong}).status_code == 422
    assert not ApiToken.objects.exists()
    page = ada.post("/me/tokens", fields).content.decode()
    text = page[page.index("<pre") :].partition(">")[2].partition("<")[0]
    client = Client(HTTP_HOST="localhost", headers={"Authorization": f"Bearer {text}"})
    assert client.get("/api/products").status_code == 200
    assert text not in ada.get("/me").content.decode()
    assert not ApiToken.objects.filter(token_hash=text).exists()


def test_api_refuses_session_without_token() -> None:
    assert browser(person("ada", Role.ADMIN)).get("/api/products").status_code == 401


def test_list_pages_continue_at_cursor() -> None:
    for number in range(5):
        product(f"p{number}")
    program = Program(person("ada", Role.ADMIN))
    found: list[str] = []
    below = ""
    while True:
        _, page = program.send("GET", f"/products?limit=2{below}")
        found += [one["id"] for one in page["items"]]
        if page["next"] is None:
            break
        below = f"&below={page['next']}"
    assert found == ["p4", "p3", "p2", "p1", "p0"]
    for wrong in ("limit=0", "limit=101", "below=x", "below=-1", "below=99999999999999999999999"):
        assert program.send("GET", f"/products?{wrong}")[0] == 422


def test_request_with_same_idempotency_key_is_performed_once() -> None:
    program = Program(person("ada", Role.ADMIN))
    headers = {"Idempotency-Key": "k1"}
    first = program.send("POST", "/products", {"id": "x", "name": "X"}, **headers)
    assert program.send("POST", "/products", {"id": "x", "name": "X"}, **headers) == first
    assert first[0] == 200
    assert program.send("POST", "/products", {"id": "y", "name": "Y"}, **headers)[0] == 422
    assert program.send("POST", "/products", {"id": "x", "name": "X"})[0] == 409
    assert Product.objects.count() == 1


def test_refuses_update_with_outdated_etag() -> None:
    product("shop")
    program = Program(person("ada", Role.OWNER))
    program.send("GET", "/products/shop")
    tag = program.answer["ETag"]
    assert program.send("PATCH", "/products/shop", {"name": "One"}, **{"If-Match": tag})[0] == 200
    status, answer = program.send("PATCH", "/products/shop", {"name": "Two"}, **{"If-Match": tag})
    assert (status, answer["type"]) == (412, "urn:muniment:changed-meanwhile")
    assert Product.objects.get().name == "One"


@pytest.mark.parametrize("result", ClauseResult)
def test_results_of_clauses_are_named_by_codes(result: ClauseResult) -> None:
    row = product("shop", "/nowhere").repositories.get()
    with as_role("owner"):
        ClauseState.objects.create(repository=row, clause="review.two", state=result, changed_at=timezone.now())
    program = Program(person("ada", Role.ADMIN))
    with translation.override("de"):
        _, output = program.send("GET", "/products/shop")
    assert output["repositories"][0]["states"] == {"review.two": result.name.lower()}


@pytest.mark.parametrize("body", [{"retired": "2020-01-01"}, {"id": "x"}, {"name": 3}, [], "x", {"name": "x" * 201}])
def test_unknown_field_is_refused(body: Any) -> None:
    product("shop")
    assert Program(person("ada", Role.OWNER)).send("PATCH", "/products/shop", body)[0] == 422


def test_resources_of_another_product_are_not_found() -> None:
    shop = product("shop")
    product("other")
    program = Program(person("ada", Role.OWNER, product=shop))
    for path in ("/products/other", "/products/other/changes", "/products/none"):
        assert program.send("GET", path)[0] == 404
    assert [one["id"] for one in program.send("GET", "/products")[1]["items"]] == ["shop"]
    assert program.send("PATCH", "/products/other", {"name": "x"})[0] == 404
    assert program.send("GET", "/records")[0] == 403


def test_dangerous_act_by_api_waits_for_second_person() -> None:
    for name, role in (("abe", Role.ADMIN), ("sam", Role.SECURITY)):
        set_up_factor(person(name, role))
    ada = person("ada", Role.ADMIN)
    set_up_factor(ada)
    program = Program(ada)
    set_up_factor(person("sid"))
    person("eve")
    assert program.send("POST", "/people/sid/roles", {"role": "security"})[1] == {"done": True, "request": None}
    status, answer = program.send("POST", "/people/eve/roles", {"role": "security"})
    assert (status, answer["done"]) == (200, False)


def test_api_description_is_openapi_and_lists_every_operation() -> None:
    described = Program(person("ada", Role.ADMIN)).send("GET", "/openapi.json")[1]
    assert described["openapi"].startswith("3.1")
    assert len(described["paths"]) == sum(len(router.path_operations) for _, router in api._routers)


@pytest.mark.parametrize(("address", "status"), [("", 404), ("nothing/here", 404), ("openapi.json", 401)])
def test_address_below_the_api_answers_as_programs_expect(address: str, status: int) -> None:
    for client in (browser(), browser(person("ada", *Role))):
        answer = client.get(f"/api/{address}")
        assert (answer.status_code, answer["Content-Type"]) == (status, "application/problem+json")
        assert json.loads(answer.content)["status"] == status


def test_defect_of_an_operation_answers_as_programs_expect(monkeypatch: pytest.MonkeyPatch) -> None:
    program = Program(person("ada", Role.ADMIN))
    program.client.raise_request_exception = False
    monkeypatch.setattr("muniment.server.api._format_description", lambda: 1 / 0)
    status, answer = program.send("GET", "/openapi.json")
    assert (status, answer["type"]) == (500, "urn:muniment:defect")


def test_metrics_name_no_person_and_no_product() -> None:
    product("secret-shop")
    program = Program(person("ada", Role.ADMIN), Action.SEE_JOBS)
    answer = program.client.get("/api/metrics")
    text = answer.content.decode()
    assert answer.status_code == 200
    assert "muniment_workers 0.0" in text
    assert "muniment_records_without_position" in text
    assert "shop" not in text
    assert Program(person("bob", Role.DEVELOPER)).client.get("/api/metrics").status_code == 403


@pytest.fixture
def programs() -> dict[str, Program]:
    """Two administrators, two security officers, and three other people, after bootstrap."""
    enough()
    product("shop", "/nowhere/shop")
    roles = {"dev": Role.DEVELOPER, "dan": Role.DPO, "olga": Role.OWNER}
    found = {name: person(name, role) for name, role in roles.items()}
    found |= {row.slug: row for row in Person.objects.filter(slug__in=("amy", "sam", "sid"))}
    return {name: Program(row) for name, row in found.items()}


def test_exception_is_requested_listed_and_withdrawn(programs: dict[str, Program]) -> None:
    body = {"repository": "shop", "clause": "review.two-reviewers", "reason": "down", "days": 3}
    answer = programs["dev"].send("POST", "/exceptions", body, **{"Idempotency-Key": "e"})[1]
    assert programs["dev"].send("POST", "/exceptions", body, **{"Idempotency-Key": "e"})[1] == answer
    assert answer["done"] is False
    number = answer["request"]
    for who, count in (("dev", 1), ("sam", 1), ("amy", 0), ("dan", 0)):
        assert len(programs[who].send("GET", "/requests")[1]["items"]) == count, who
    assert programs["sam"].send("POST", f"/requests/{number}/withdraw")[0] == 404
    assert programs["amy"].send("GET", f"/requests/{number}")[0] == 404
    assert programs["dev"].send("POST", f"/requests/{number}/withdraw")[1]["state"] == "withdrawn"
    assert programs["dev"].send("POST", f"/requests/{number}/withdraw")[0] == 409
    for wrong in ({"days": 91}, {"clause": "no.such"}, {"repository": "other"}, {"reason": " "}):
        assert programs["dev"].send("POST", "/exceptions", {**body, **wrong})[0] in (409, 422), wrong


def test_token_cannot_approve_as_second_person(programs: dict[str, Program]) -> None:
    paths = programs["dev"].send("GET", "/openapi.json")[1]["paths"]
    assert not [path for path in paths if "agree" in path]
    body = {"repository": "shop", "clause": "review.two-reviewers", "reason": "down"}
    programs["dev"].send("POST", "/exceptions", body)
    row = Request.objects.get()
    from django.core.exceptions import PermissionDenied

    actor = load_token_actor(ApiToken.objects.get(person__slug="sam"))
    with pytest.raises(PermissionDenied):
        approve_request(actor, row)


def test_an_exception_in_force_is_ended(programs: dict[str, Program]) -> None:
    body = {"repository": "shop", "clause": "review.two-reviewers", "reason": "down"}
    number = programs["dev"].send("POST", "/exceptions", body)[1]["request"]
    sam = browser(Person.objects.get(slug="sam"))
    assert "with an API token" in post(sam, f"/requests/{number}", answer="agree")
    post(browser(Person.objects.get(slug="dev")), f"/requests/{number}", answer="confirm")
    post(sam, f"/requests/{number}", answer="agree")
    (row,) = programs["dev"].send("GET", "/exceptions")[1]["items"]
    assert programs["dev"].send("POST", f"/exceptions/{row['id']}/end")[0] == 403
    assert programs["olga"].send("POST", f"/exceptions/{row['id']}/end")[1]["done"] is True
    assert programs["olga"].send("POST", f"/exceptions/{row['id']}/end")[0] == 409
    assert programs["olga"].send("POST", "/exceptions/none/end")[0] == 404


def test_policy_is_drafted_compared_and_waits_for_approval(programs: dict[str, Program]) -> None:
    text = programs["sam"].send("GET", "/policy")[1]["text"]
    assert programs["sam"].send("POST", "/policy/versions", {"text": text})[0] == 409
    assert programs["sam"].send("POST", "/policy/versions", {"text": "nonsense"})[0] == 422
    assert programs["amy"].send("POST", "/policy/versions", {"text": text + "# x\n"})[0] == 403
    number = programs["sam"].send("POST", "/policy/versions", {"text": text + "# x\n", "note": "n"})[1]["number"]
    assert programs["dev"].send("GET", f"/policy/versions/{number}")[1]["differences"] == []
    assert programs["sam"].send("POST", f"/policy/versions/{number}/apply")[1]["done"] is True
    assert programs["sam"].send("POST", f"/policy/versions/{number}/apply")[0] == 409
    weaker = text.replace('enforce = ["merge"]', "enforce = []")
    number = programs["sam"].send("POST", "/policy/versions", {"text": weaker})[1]["number"]
    answer = programs["dev"].send("GET", f"/policy/versions/{number}")[1]
    assert {one["direction"] for one in answer["differences"]} == {"weaker"}
    assert programs["sam"].send("POST", f"/policy/versions/{number}/apply")[1]["done"] is False
    assert len(programs["dev"].send("GET", "/policy/versions")[1]["items"]) == 3


def test_policy_source_branch_is_set_and_removed(programs: dict[str, Program]) -> None:
    where = {"repository": "shop", "branch": "main", "path": "policy.toml"}
    assert programs["amy"].send("PUT", "/policy/source", where)[0] == 403
    assert programs["sam"].send("PUT", "/policy/source", where)[1]["done"] is True
    assert programs["dev"].send("GET", "/policy/source")[1]["repository"] == "shop"
    assert programs["sam"].send("PUT", "/policy/source", {**where, "path": "../x"})[0] == 422
    assert programs["sam"].send("PUT", "/policy/source", {})[0] == 422
    assert programs["amy"].send("DELETE", "/policy/source")[0] == 403
    assert programs["sam"].send("DELETE", "/policy/source")[1]["done"] is True
    assert programs["dev"].send("GET", "/policy/source")[1]["repository"] == ""


def test_freeze_takes_one_person_and_lifting_takes_two(programs: dict[str, Program]) -> None:
    assert programs["dev"].send("POST", "/freezes", {"reason": "x"})[0] == 403
    assert programs["sam"].send("POST", "/freezes", {"reason": " "})[0] == 422
    assert programs["sam"].send("POST", "/freezes", {"reason": "leak"})[1]["done"] is True
    (row,) = programs["dev"].send("GET", "/freezes")[1]["items"]
    assert programs["sam"].send("POST", f"/freezes/{row['id']}/lift")[1]["done"] is False
    assert programs["sam"].send("POST", f"/freezes/{row['id']}/lift", [])[0] == 422
    assert programs["sam"].send("POST", f"/freezes/{row['id']}/lift", {"freeze": "x"})[0] == 422
    assert programs["sam"].send("POST", "/freezes/none/lift")[0] == 404


def test_account_is_vouched_for_listed_and_unlinked(programs: dict[str, Program]) -> None:
    login = {"kind": "login", "value": "github/dev-gh"}
    assert programs["dev"].send("POST", "/people/dev/accounts", login)[0] == 403
    assert (
        programs["amy"].send("POST", "/people/dev/accounts", login)[1]["done"] is False
    )  # it waits for a second person
    assert programs["amy"].send("POST", "/people/sam/accounts", login)[0] == 409
    assert programs["amy"].send("POST", "/people/nobody/accounts", login)[0] == 404
    assert programs["dev"].send("GET", "/people/dev/accounts")[0] == 403
    (row,) = programs["dan"].send("GET", "/people/dev/accounts")[1]["items"]
    assert (row["proof"], row["vouched_by"], row["counts"]) == ("vouched", "amy", False)
    assert programs["amy"].send("DELETE", f"/people/sam/accounts/{row['number']}")[0] == 404
    assert programs["amy"].send("DELETE", f"/people/dev/accounts/{row['number']}")[1]["done"] is True
    assert programs["dan"].send("GET", "/people/dev/accounts")[1]["items"] == []


def test_person_is_changed_deactivated_and_reactivated(programs: dict[str, Program]) -> None:
    assert "email" not in programs["olga"].send("GET", "/people/dev")[1]
    assert programs["dev"].send("GET", "/people/dev")[1]["email"] == "dev@example.test"
    assert programs["amy"].send("PATCH", "/people/dev", {"name": "Devi"})[1]["done"] is True
    assert programs["dan"].send("GET", "/people/dev")[1]["name"] == "Devi"
    assert programs["amy"].send("PATCH", "/people/dev", {"active": False})[0] == 422
    assert programs["amy"].send("POST", "/people/dev/deactivate")[1]["done"] is True
    assert programs["dev"].send("GET", "/products")[0] == 401
    assert programs["amy"].send("POST", "/people/dev/reactivate")[1]["done"] is True
    roles = programs["dan"].send("GET", "/people/dev")[1]["roles"]
    assert all(role["ended_at"] for role in roles)


def test_personal_data_is_exported_held_and_erased(programs: dict[str, Program]) -> None:
    assert programs["dan"].send("GET", "/people/dev/export")[1]["person"]["id"] == "dev"
    assert programs["amy"].send("GET", "/people/dev/export")[0] == 403
    assert programs["dan"].send("POST", "/people/dev/erase", {"reason": "asked"})[0] == 409
    programs["amy"].send("POST", "/people/dev/deactivate")
    assert programs["dan"].send("PUT", "/people/dev/hold", {"reason": "case 7"})[1]["done"] is True
    assert programs["dan"].send("POST", "/people/dev/erase", {"reason": "asked"})[0] == 409
    assert programs["dan"].send("PUT", "/people/dev/hold", {"reason": " "})[0] == 422
    assert programs["dan"].send("DELETE", "/people/dev/hold")[1]["done"] is True
    assert programs["dan"].send("DELETE", "/people/dev/hold")[0] == 409
    assert programs["dan"].send("POST", "/people/dev/erase", {"reason": "asked"})[1]["done"] is False


def test_product_import_is_atomic_and_retirement_takes_two_people(programs: dict[str, Program]) -> None:
    file = {"name": "p.csv", "text": "id,name,repository,path\na,A,a-code,/srv/a.git\nb,B,,\n"}
    assert programs["amy"].send("POST", "/imports", file)[1] == {"added": 2}
    assert programs["amy"].send("POST", "/imports", {"name": "p.csv", "text": "id,name\nc,C\na,Again\n"})[0] == 409
    assert programs["amy"].send("GET", "/products/c")[0] == 404
    (row,) = programs["amy"].send("GET", "/products/a/repositories")[1]["items"]
    assert (row["name"], row["hook_log"]) == ("a-code", None)
    assert (
        programs["olga"].send(
            "POST", "/products/a/server-hook-logs", {"repository": "a-code", "path": "/g", "key": "x"}
        )[0]
        == 422
    )
    assert programs["olga"].send("POST", "/products/a/retire", {"reason": ""})[0] == 422
    assert (
        programs["olga"].send("POST", "/products/a/retire", {"reason": "sold", "data": "Handed over."})[1]["done"]
        is False
    )


def test_ledger_record_is_read_proven_and_corrected(programs: dict[str, Program]) -> None:
    programs["amy"].send("POST", "/products", {"id": "x", "name": "X"})
    place_records()
    (newest, *_) = programs["sam"].send("GET", "/activity?limit=5")[1]["items"]
    assert (newest["person"], newest["resource"]) == ("amy", "product:x")
    assert programs["dev"].send("GET", "/activity")[0] == 403
    number = newest["number"]
    assert programs["dev"].send("GET", f"/records/{number}")[1]["proof"].startswith("c2sp.org/tlog-proof")
    wrong = {"wrong": "It is not X.", "right": "It is Y."}
    assert programs["dev"].send("POST", f"/records/{number}/addenda", wrong)[0] == 403
    assert programs["sam"].send("POST", f"/records/{number}/addenda", {**wrong, "right": " "})[0] == 422
    assert programs["sam"].send("POST", f"/records/{number}/addenda", wrong)[1]["done"] is True
    assert len(programs["dev"].send("GET", f"/records/{number}")[1]["addenda"]) == 1
    assert programs["dev"].send("GET", "/records/99999999999999999999")[0] == 404


def test_settings_are_for_administrators_and_jobs_hidden_from_developers(programs: dict[str, Program]) -> None:
    text = programs["amy"].send("GET", "/settings")[1]["text"]
    assert programs["amy"].send("PUT", "/settings", {"text": text})[1]["done"] is True
    assert programs["amy"].send("PUT", "/settings", {"text": "["})[0] == 422
    assert programs["sam"].send("PUT", "/settings", {"text": text})[0] == 403
    assert programs["sam"].send("GET", "/jobs")[0] == 200
    assert programs["amy"].send("POST", "/jobs/1/retry")[0] == 404
    assert programs["dev"].send("GET", "/jobs")[0] == 403


def test_api_describes_change_like_its_page(programs: dict[str, Program]) -> None:
    with as_role("owner"):
        repository = Product.objects.get(slug="shop").repositories.get()
        row = Change.objects.create(
            repository=repository,
            name="refs/heads/x",
            target="refs/heads/main",
            state="open",
            updated_at=timezone.now(),
        )
    answer = programs["dev"].send("GET", f"/changes/{row.pk}")[1]
    assert (answer["product"], answer["decision"], answer["account"]) == ("shop", None, None)
    assert programs["dev"].send("GET", f"/changes/{row.pk}/decisions")[1]["items"] == []
    assert programs["dev"].send("POST", f"/changes/{row.pk}/reevaluate")[1] == {"done": True}
    stranger = Program(person("eve", Role.DEVELOPER, product=product("other")))
    for path in ("", "/decisions"):
        assert stranger.send("GET", f"/changes/{row.pk}{path}")[0] == 404
    assert stranger.send("POST", f"/changes/{row.pk}/reevaluate")[0] == 404
