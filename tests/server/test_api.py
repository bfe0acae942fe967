"""The API: the same acts as the pages, narrowed by what a token is for."""

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
from muniment.server.people.tokens import actor_of_token
from muniment.server.products.models import ClauseResult, ClauseState, Product
from muniment.server.requests.execution import approve_request
from muniment.server.requests.models import Request
from tests.server.test_duties import enough
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


def test_a_token_does_what_it_is_for_and_no_more() -> None:
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
def test_a_token_that_is_over_is_none(changed: dict[str, Any]) -> None:
    assert Program(person("ada", Role.ADMIN), **changed).send("GET", "/products")[0] == 401


def test_a_token_of_somebody_who_left_is_none() -> None:
    ada, bob = person("ada", Role.ADMIN), person("bob", Role.DEVELOPER)
    program = Program(bob)
    assert program.send("GET", "/products")[0] == 200
    post(browser(ada), "/people/bob/change", act="deactivate-person")
    assert program.send("GET", "/products")[0] == 401


def test_a_token_without_a_second_factor_changes_nothing() -> None:
    program = Program(person("ada", Role.ADMIN), second_factor=False)
    assert program.send("POST", "/products", {"id": "x", "name": "X"})[0] == 403
    assert Product.objects.count() == 0


def test_a_page_of_ones_own_makes_a_token_that_is_shown_once() -> None:
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


def test_a_session_is_no_token() -> None:
    assert browser(person("ada", Role.ADMIN)).get("/api/products").status_code == 401


def test_pages_of_a_list_follow_each_other() -> None:
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


def test_the_same_request_sent_twice_is_done_once() -> None:
    program = Program(person("ada", Role.ADMIN))
    headers = {"Idempotency-Key": "k1"}
    first = program.send("POST", "/products", {"id": "x", "name": "X"}, **headers)
    assert program.send("POST", "/products", {"id": "x", "name": "X"}, **headers) == first
    assert first[0] == 200
    assert program.send("POST", "/products", {"id": "y", "name": "Y"}, **headers)[0] == 422
    assert program.send("POST", "/products", {"id": "x", "name": "X"})[0] == 409
    assert Product.objects.count() == 1


def test_a_change_to_what_was_changed_meanwhile_is_refused() -> None:
    product("shop")
    program = Program(person("ada", Role.OWNER))
    program.send("GET", "/products/shop")
    tag = program.answer["ETag"]
    assert program.send("PATCH", "/products/shop", {"name": "One"}, **{"If-Match": tag})[0] == 200
    status, told = program.send("PATCH", "/products/shop", {"name": "Two"}, **{"If-Match": tag})
    assert (status, told["type"]) == (412, "urn:muniment:changed-meanwhile")
    assert Product.objects.get().name == "One"


@pytest.mark.parametrize("result", ClauseResult)
def test_results_of_clauses_are_named_by_codes(result: ClauseResult) -> None:
    row = product("shop", "/nowhere").repositories.get()
    with as_role("owner"):
        ClauseState.objects.create(repository=row, clause="review.two", state=result, changed_at=timezone.now())
    program = Program(person("ada", Role.ADMIN))
    with translation.override("de"):
        _, told = program.send("GET", "/products/shop")
    assert told["repositories"][0]["states"] == {"review.two": result.name.lower()}


@pytest.mark.parametrize("body", [{"retired": "2020-01-01"}, {"id": "x"}, {"name": 3}, [], "x", {"name": "x" * 201}])
def test_what_no_field_is_for_is_refused(body: Any) -> None:
    product("shop")
    assert Program(person("ada", Role.OWNER)).send("PATCH", "/products/shop", body)[0] == 422


def test_another_products_things_are_not_there() -> None:
    shop = product("shop")
    product("other")
    program = Program(person("ada", Role.OWNER, product=shop))
    for path in ("/products/other", "/products/other/changes", "/products/none"):
        assert program.send("GET", path)[0] == 404
    assert [one["id"] for one in program.send("GET", "/products")[1]["items"]] == ["shop"]
    assert program.send("PATCH", "/products/other", {"name": "x"})[0] == 404
    assert program.send("GET", "/records")[0] == 403


def test_a_dangerous_act_waits_here_too() -> None:
    for name, role in (("abe", Role.ADMIN), ("sam", Role.SECURITY)):
        set_up_factor(person(name, role))
    ada = person("ada", Role.ADMIN)
    set_up_factor(ada)
    program = Program(ada)
    set_up_factor(person("sid"))
    person("eve")
    assert program.send("POST", "/people/sid/roles", {"role": "security"})[1] == {"done": True, "request": None}
    status, told = program.send("POST", "/people/eve/roles", {"role": "security"})
    assert (status, told["done"]) == (200, False)


def test_its_description_is_openapi_and_names_every_operation() -> None:
    answer = browser().get("/api/openapi.json")
    described = json.loads(answer.content)
    assert described["openapi"].startswith("3.1")
    assert len(described["paths"]) == sum(len(router.path_operations) for _, router in api._routers)


def test_numbers_for_a_monitoring_system_name_nobody() -> None:
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
def crew() -> dict[str, Program]:
    """Two administrators, two officers, a developer, the officer for data: the beginning is over."""
    enough()
    product("shop", "/nowhere/shop")
    roles = {"dev": Role.DEVELOPER, "dan": Role.DPO, "olga": Role.OWNER}
    found = {name: person(name, role) for name, role in roles.items()}
    found |= {row.slug: row for row in Person.objects.filter(slug__in=("amy", "sam", "sid"))}
    return {name: Program(row) for name, row in found.items()}


def test_an_exception_is_asked_for_listed_and_taken_back(crew: dict[str, Program]) -> None:
    body = {"repository": "shop", "clause": "review.two-reviewers", "reason": "down", "days": 3}
    told = crew["dev"].send("POST", "/exceptions", body, **{"Idempotency-Key": "e"})[1]
    assert crew["dev"].send("POST", "/exceptions", body, **{"Idempotency-Key": "e"})[1] == told
    assert told["done"] is False
    number = told["request"]
    for who, count in (("dev", 1), ("sam", 1), ("amy", 0), ("dan", 0)):
        assert len(crew[who].send("GET", "/requests")[1]["items"]) == count, who
    assert crew["sam"].send("POST", f"/requests/{number}/withdraw")[0] == 404
    assert crew["amy"].send("GET", f"/requests/{number}")[0] == 404
    assert crew["dev"].send("POST", f"/requests/{number}/withdraw")[1]["state"] == "withdrawn"
    assert crew["dev"].send("POST", f"/requests/{number}/withdraw")[0] == 409
    for wrong in ({"days": 91}, {"clause": "no.such"}, {"repository": "other"}, {"branch": "main"}, {"reason": " "}):
        assert crew["dev"].send("POST", "/exceptions", {**body, **wrong})[0] in (409, 422), wrong


def test_a_program_is_never_the_second_person(crew: dict[str, Program]) -> None:
    paths = json.loads(browser().get("/api/openapi.json").content)["paths"]
    assert not [path for path in paths if "agree" in path]
    body = {"repository": "shop", "clause": "review.two-reviewers", "reason": "down"}
    crew["dev"].send("POST", "/exceptions", body)
    row = Request.objects.get()
    from django.core.exceptions import PermissionDenied

    actor = actor_of_token(ApiToken.objects.get(person__slug="sam"))
    with pytest.raises(PermissionDenied):
        approve_request(actor, row)


def test_an_exception_in_force_is_ended(crew: dict[str, Program]) -> None:
    body = {"repository": "shop", "clause": "review.two-reviewers", "reason": "down"}
    number = crew["dev"].send("POST", "/exceptions", body)[1]["request"]
    sam = browser(Person.objects.get(slug="sam"))
    assert "with an API token" in post(sam, f"/requests/{number}", answer="agree")
    post(browser(Person.objects.get(slug="dev")), f"/requests/{number}", answer="confirm")
    post(sam, f"/requests/{number}", answer="agree")
    (row,) = crew["dev"].send("GET", "/exceptions")[1]["items"]
    assert crew["dev"].send("POST", f"/exceptions/{row['id']}/end")[0] == 403
    assert crew["olga"].send("POST", f"/exceptions/{row['id']}/end")[1]["done"] is True
    assert crew["olga"].send("POST", f"/exceptions/{row['id']}/end")[0] == 409
    assert crew["olga"].send("POST", "/exceptions/none/end")[0] == 404


def test_the_policy_is_proposed_compared_and_held(crew: dict[str, Program]) -> None:
    text = crew["sam"].send("GET", "/policy")[1]["text"]
    assert crew["sam"].send("POST", "/policy/versions", {"text": text})[0] == 409
    assert crew["sam"].send("POST", "/policy/versions", {"text": "nonsense"})[0] == 422
    assert crew["amy"].send("POST", "/policy/versions", {"text": text + "# x\n"})[0] == 403
    number = crew["sam"].send("POST", "/policy/versions", {"text": text + "# x\n", "note": "n"})[1]["number"]
    assert crew["dev"].send("GET", f"/policy/versions/{number}")[1]["differences"] == []
    assert crew["sam"].send("POST", f"/policy/versions/{number}/apply")[1]["done"] is True
    assert crew["sam"].send("POST", f"/policy/versions/{number}/apply")[0] == 409
    weaker = text.replace('enforce = ["merge"]', "enforce = []")
    number = crew["sam"].send("POST", "/policy/versions", {"text": weaker})[1]["number"]
    told = crew["dev"].send("GET", f"/policy/versions/{number}")[1]
    assert {one["direction"] for one in told["differences"]} == {"weaker"}
    assert crew["sam"].send("POST", f"/policy/versions/{number}/apply")[1]["done"] is False
    assert len(crew["dev"].send("GET", "/policy/versions")[1]["items"]) == 3


def test_policies_are_read_from_a_branch_that_is_named(crew: dict[str, Program]) -> None:
    where = {"repository": "shop", "branch": "main", "path": "policy.toml"}
    assert crew["amy"].send("PUT", "/policy/source", where)[0] == 403
    assert crew["sam"].send("PUT", "/policy/source", where)[1]["done"] is True
    assert crew["dev"].send("GET", "/policy/source")[1]["repository"] == "shop"
    assert crew["sam"].send("PUT", "/policy/source", {**where, "path": "../x"})[0] == 422
    assert crew["sam"].send("PUT", "/policy/source", {})[0] == 422
    assert crew["amy"].send("DELETE", "/policy/source")[0] == 403
    assert crew["sam"].send("DELETE", "/policy/source")[1]["done"] is True
    assert crew["dev"].send("GET", "/policy/source")[1]["repository"] == ""


def test_merges_are_stopped_by_one_and_go_on_by_two(crew: dict[str, Program]) -> None:
    assert crew["dev"].send("POST", "/freezes", {"reason": "x"})[0] == 403
    assert crew["sam"].send("POST", "/freezes", {"reason": " "})[0] == 422
    assert crew["sam"].send("POST", "/freezes", {"reason": "leak"})[1]["done"] is True
    (row,) = crew["dev"].send("GET", "/freezes")[1]["items"]
    assert crew["sam"].send("POST", f"/freezes/{row['id']}/lift")[1]["done"] is False
    assert crew["sam"].send("POST", f"/freezes/{row['id']}/lift", [])[0] == 422
    assert crew["sam"].send("POST", f"/freezes/{row['id']}/lift", {"freeze": "x"})[0] == 422
    assert crew["sam"].send("POST", "/freezes/none/lift")[0] == 404


def test_accounts_are_vouched_for_listed_and_dropped(crew: dict[str, Program]) -> None:
    login = {"kind": "login", "value": "github/dev-gh"}
    assert crew["dev"].send("POST", "/people/dev/accounts", login)[0] == 403
    assert crew["amy"].send("POST", "/people/dev/accounts", login)[1]["done"] is False  # it waits for a second person
    assert crew["amy"].send("POST", "/people/sam/accounts", login)[0] == 409
    assert crew["amy"].send("POST", "/people/nobody/accounts", login)[0] == 404
    assert crew["dev"].send("GET", "/people/dev/accounts")[0] == 403
    (row,) = crew["dan"].send("GET", "/people/dev/accounts")[1]["items"]
    assert (row["proof"], row["vouched_by"], row["counts"]) == ("vouched", "amy", False)
    assert crew["amy"].send("DELETE", f"/people/sam/accounts/{row['number']}")[0] == 404
    assert crew["amy"].send("DELETE", f"/people/dev/accounts/{row['number']}")[1]["done"] is True
    assert crew["dan"].send("GET", "/people/dev/accounts")[1]["items"] == []


def test_somebody_is_changed_leaves_and_comes_back(crew: dict[str, Program]) -> None:
    assert "email" not in crew["olga"].send("GET", "/people/dev")[1]
    assert crew["dev"].send("GET", "/people/dev")[1]["email"] == "dev@example.test"
    assert crew["amy"].send("PATCH", "/people/dev", {"name": "Devi"})[1]["done"] is True
    assert crew["dan"].send("GET", "/people/dev")[1]["name"] == "Devi"
    assert crew["amy"].send("PATCH", "/people/dev", {"active": False})[0] == 422
    assert crew["amy"].send("POST", "/people/dev/deactivate")[1]["done"] is True
    assert crew["dev"].send("GET", "/products")[0] == 401
    assert crew["amy"].send("POST", "/people/dev/reactivate")[1]["done"] is True
    roles = crew["dan"].send("GET", "/people/dev")[1]["roles"]
    assert all(role["ended_at"] for role in roles)


def test_what_is_kept_of_somebody_is_exported_held_and_erased(crew: dict[str, Program]) -> None:
    assert crew["dan"].send("GET", "/people/dev/export")[1]["person"]["id"] == "dev"
    assert crew["amy"].send("GET", "/people/dev/export")[0] == 403
    assert crew["dan"].send("POST", "/people/dev/erase", {"reason": "asked"})[0] == 409
    crew["amy"].send("POST", "/people/dev/deactivate")
    assert crew["dan"].send("PUT", "/people/dev/hold", {"reason": "case 7"})[1]["done"] is True
    assert crew["dan"].send("POST", "/people/dev/erase", {"reason": "asked"})[0] == 409
    assert crew["dan"].send("PUT", "/people/dev/hold", {"reason": " "})[0] == 422
    assert crew["dan"].send("DELETE", "/people/dev/hold")[1]["done"] is True
    assert crew["dan"].send("DELETE", "/people/dev/hold")[0] == 409
    assert crew["dan"].send("POST", "/people/dev/erase", {"reason": "asked"})[1]["done"] is False


def test_products_come_in_whole_and_are_retired_by_two(crew: dict[str, Program]) -> None:
    file = {"name": "p.csv", "text": "id,name,repository,path\na,A,a-code,/srv/a.git\nb,B,,\n"}
    assert crew["amy"].send("POST", "/imports", file)[1] == {"added": 2}
    assert crew["amy"].send("POST", "/imports", {"name": "p.csv", "text": "id,name\nc,C\na,Again\n"})[0] == 409
    assert crew["amy"].send("GET", "/products/c")[0] == 404
    (row,) = crew["amy"].send("GET", "/products/a/repositories")[1]["items"]
    assert (row["name"], row["hook_log"]) == ("a-code", None)
    assert (
        crew["olga"].send("POST", "/products/a/server-hook-logs", {"repository": "a-code", "path": "/g", "key": "x"})[0]
        == 422
    )
    assert crew["olga"].send("POST", "/products/a/retire", {"reason": ""})[0] == 422
    assert crew["olga"].send("POST", "/products/a/retire", {"reason": "sold"})[1]["done"] is False


def test_the_record_is_read_proven_and_put_right(crew: dict[str, Program]) -> None:
    crew["amy"].send("POST", "/products", {"id": "x", "name": "X"})
    place_records()
    (newest, *_) = crew["sam"].send("GET", "/activity?limit=5")[1]["items"]
    assert (newest["person"], newest["resource"]) == ("amy", "product:x")
    assert crew["dev"].send("GET", "/activity")[0] == 403
    number = newest["number"]
    assert crew["dev"].send("GET", f"/records/{number}")[1]["proof"].startswith("c2sp.org/tlog-proof")
    wrong = {"wrong": "It is not X.", "right": "It is Y."}
    assert crew["dev"].send("POST", f"/records/{number}/addenda", wrong)[0] == 403
    assert crew["sam"].send("POST", f"/records/{number}/addenda", {**wrong, "right": " "})[0] == 422
    assert crew["sam"].send("POST", f"/records/{number}/addenda", wrong)[1]["done"] is True
    assert len(crew["dev"].send("GET", f"/records/{number}")[1]["addenda"]) == 1
    assert crew["dev"].send("GET", "/records/99999999999999999999")[0] == 404


def test_settings_and_work_are_the_administrators(crew: dict[str, Program]) -> None:
    text = crew["amy"].send("GET", "/settings")[1]["text"]
    assert crew["amy"].send("PUT", "/settings", {"text": text})[1]["done"] is True
    assert crew["amy"].send("PUT", "/settings", {"text": "["})[0] == 422
    assert crew["sam"].send("PUT", "/settings", {"text": text})[0] == 403
    assert crew["sam"].send("GET", "/jobs")[0] == 200
    assert crew["amy"].send("POST", "/jobs/1/retry")[0] == 404
    assert crew["dev"].send("GET", "/jobs")[0] == 403


def test_a_change_is_told_as_its_page_tells_it(crew: dict[str, Program]) -> None:
    with as_role("owner"):
        repository = Product.objects.get(slug="shop").repositories.get()
        row = Change.objects.create(
            repository=repository,
            name="refs/heads/x",
            target="refs/heads/main",
            state="open",
            updated_at=timezone.now(),
        )
    told = crew["dev"].send("GET", f"/changes/{row.pk}")[1]
    assert (told["product"], told["decision"], told["account"]) == ("shop", None, None)
    assert crew["dev"].send("GET", f"/changes/{row.pk}/decisions")[1]["items"] == []
    assert crew["dev"].send("POST", f"/changes/{row.pk}/reevaluate")[1] == {"done": True}
    stranger = Program(person("eve", Role.DEVELOPER, product=product("other")))
    for path in ("", "/decisions"):
        assert stranger.send("GET", f"/changes/{row.pk}{path}")[0] == 404
    assert stranger.send("POST", f"/changes/{row.pk}/reevaluate")[0] == 404
