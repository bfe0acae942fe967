"""Personal data: export, retention for legal claims, erasure with valid proofs, and deletion after a period."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.conf import settings
from django.utils import timezone

from muniment.access.roles import Role
from muniment.ledger import verification
from muniment.policy.built_in_policy import format_built_in_policy
from muniment.server.people import privacy
from muniment.server.people.models import Account, Invitation, Message, Person
from muniment.server.people.person_erasure import erase_person
from muniment.server.policies.models import Freeze, PolicyException
from muniment.server.records.installation import open_store
from muniment.server.records.models import Document, ExceptionFile, Record, StoredObject
from muniment.server.records.postgres_store import POLICY
from muniment.server.requests.models import Request
from muniment.server.running import eraser_process
from muniment.store.files_store import PUBLIC
from tests.server.test_separation_of_duties import enough
from tests.support.service import as_role, browser, by_an_act, person, place_records, post, product, token_of

pytestmark = pytest.mark.usefixtures("service")


def apply_periods(message_days: int) -> None:
    """Put the built-in policy in force, with another retention period for messages."""
    text = format_built_in_policy("security@example.test", "organisation")
    with as_role("owner"):
        open_store().write_document(
            POLICY, text.replace("message_days = 180", f"message_days = {message_days}").encode()
        )


@pytest.fixture
def eve() -> Person:
    """Person who acted, has linked accounts, and left."""
    amy, found = browser(person("amy", Role.ADMIN)), person("eve", Role.ADMIN, id="k3f7")
    post(browser(found), "/products/add", id="evesthing", name="Thing")
    for kind, value in (("email", "eve@work.test"), ("login", "github/eve-gh")):
        post(amy, "/people/eve/change", act="vouch-for-account", kind=kind, value=value)
    post(amy, "/people/eve/change", act="deactivate-person")
    return found


def whole() -> str:
    texts: list[Any] = [model for model in apps.get_models() if hasattr(model, "free_texts")]
    return " ".join(
        [str(open_store().get_object(digest)) for digest in open_store().list_object_digests()]
        + [str(list(model.objects.values())) for model in (Person, Account)]
        + [str(list(model.objects.values(*model.free_texts))) for model in texts]
    )


def run_erasure(someone: Person) -> None:
    """Run the eraser for a person whose erasure was approved, or was not."""
    erase_person(someone.pk)


def erase(eve: Person) -> str:
    dpo, amy = browser(person("dan", Role.DPO)), browser(Person.objects.get(slug="amy"))
    answer = post(dpo, "/people/eve/erase", reason="She asked for it.")
    waiting = Request.objects.filter(state="waiting").first()
    if waiting is not None:
        post(amy, f"/requests/{waiting.pk}", answer="agree")
        with as_role("eraser"):
            run_erasure(eve)
    return answer


def test_export_contains_all_personal_data(eve: Person) -> None:
    answer = browser(person("dan", Role.DPO)).get("/people/eve/export")
    content = json.loads(answer.content)
    assert (content["person"]["id"], content["person"]["handle"]) == ("k3f7", "eve")
    assert {one["value"] for one in content["accounts"]} == {"eve@work.test", "github/eve-gh"}
    assert any("evesthing" in json.dumps(value) for value in content["record_details"].values())
    assert browser(Person.objects.get(slug="amy")).get("/people/eve/export").status_code == 403


def test_erased_data_is_gone_and_the_ledger_still_verifies(eve: Person) -> None:
    place_records()
    erase(eve)
    for word in ("Eve", "eve@", "eve-gh"):
        assert word not in whole(), word
    place_records()
    with as_role("worker"):
        log = open_store().open_log()
        note = log.load_checkpoint()
    assert note is not None
    public = (Path(settings.HOME) / PUBLIC).read_text()
    assert verification.verify_ledger(log.read_file, note, public).problems == ()
    page = browser(Person.objects.get(slug="amy")).get("/activity").content.decode()
    assert "It was erased: under the rule" in page
    assert Record.objects.filter(kind="erasure").count() == 2  # of objects, and of rows


def test_data_retained_for_a_claim_is_not_erased(eve: Person) -> None:
    dpo = browser(person("dan", Role.DPO))
    post(dpo, "/people/eve/hold", act="place-legal-hold", reason="case 7")
    assert "kept for a legal claim" in erase(eve)
    with as_role("eraser"):
        run_erasure(eve)
    assert "eve@work.test" in whole()
    post(dpo, "/people/eve/hold", act="lift-legal-hold")
    assert "waits for a second person" in erase(eve)
    assert "eve@work.test" not in whole()


def test_erasure_removes_mentions_of_the_person_in_texts_by_others() -> None:
    eve, amy, sam = person("eve", Role.SECURITY, id="k3f7"), person("amy", Role.ADMIN), person("sam", Role.SECURITY)
    enough()
    product("shop", "/nowhere/shop")
    with as_role("owner"):
        Person.objects.filter(pk=eve.pk).update(name="Eve Smith")
    fields = {
        "repository": "shop",
        "clause": "review.two-reviewers",
        "branch": "refs/heads/main",
        "days": "5",
        "head": "",
    }
    post(
        browser(sam),
        "/exceptions/request",
        reason="Only EVE SMITH (eve@work.test) knows; evergreen is not a name.",
        **fields,
    )
    post(browser(eve), f"/requests/{Request.objects.get().pk}", answer="agree")
    post(browser(amy), "/people/eve/change", act="vouch-for-account", kind="email", value="eve@work.test")
    post(browser(sam), "/policy/freeze", reason="Eve  Smith, was it you?")
    post(browser(amy), "/people/eve/role", act="grant-role", role="admin", product="")
    assert Request.objects.filter(state="waiting", summary__contains="eve").exists()
    post(browser(amy), "/people/eve/change", act="deactivate-person")
    assert not Request.objects.filter(state="waiting").exists()
    assert PolicyException.objects.get().ended_at is None
    erase(eve)
    for word in ("Eve", "eve@", "EVE", "'eve'", "give eve"):
        assert word not in whole(), word
    assert PolicyException.objects.get().reason == "Only (erased) ((erased)) knows; evergreen is not a name."
    assert PolicyException.objects.get().ended_at is not None
    assert not ExceptionFile.objects.exists()
    assert Freeze.objects.get().reason == "(erased), was it you?"
    handle = Person.objects.get(pk=eve.pk).slug
    assert handle.startswith("erased-")
    assert eve.pk not in handle
    assert browser(amy).get(f"/people/{handle}").status_code == 200
    with as_role("eraser"):
        run_erasure(eve)


def every_row() -> str:
    """Text of all rows of the tables and of the objects next to the ledger."""
    tables = [str(list(model._default_manager.values())) for model in apps.get_models()]
    return " ".join([str(open_store().get_object(digest)) for digest in open_store().list_object_digests()] + tables)


@pytest.mark.parametrize(
    "reason", ["Zora Quist knows.", "Ask:\nZora Quist", "It is\tZora\nQuist's", 'By "zora quist".']
)
def test_pending_request_that_names_an_erased_person_ends(reason: str) -> None:
    zora, amy, sam = person("zora", id="k3f7"), person("amy", Role.ADMIN), person("sam", Role.SECURITY)
    product("shop", "/nowhere/shop")
    with as_role("owner"):
        Person.objects.filter(pk=zora.pk).update(name="Zora Quist")
    post(browser(amy), "/people/zora/change", act="deactivate-person")
    fields = {"repository": "shop", "clause": "review.two-reviewers", "branch": "refs/heads/main", "days": "5"}
    before, after = {**fields, "head": "a" * 40}, {**fields, "head": "b" * 40}
    post(browser(sam), "/exceptions/request", reason=reason, **before)
    dpo = browser(person("dan", Role.DPO))
    post(dpo, "/people/zora/erase", reason="It was asked for.")
    erasure = Request.objects.get(action="erase-personal-data")
    post(browser(amy), f"/requests/{erasure.pk}", answer="agree")
    post(browser(sam), "/exceptions/request", reason=reason, **after)
    post(browser(sam), "/exceptions/request", reason="It is a zorakit.", **{**fields, "head": "c" * 40})
    with as_role("eraser"):
        run_erasure(zora)
    assert [row.reason for row in Request.objects.filter(state="waiting")] == ["It is a zorakit."]
    with as_role("owner"):
        found = every_row()
    for word in ("Zora", "zora ", "zora@", "Quist", "quist"):
        assert word not in found, found[max(0, found.index(word) - 300) : found.index(word) + 50]


def test_people_can_export_only_their_own_data() -> None:
    eve, amy = person("eve", Role.DEVELOPER), person("amy", Role.ADMIN)
    post(browser(amy), "/people/eve/change", act="vouch-for-account", kind="email", value="eve@work.test")
    content = json.loads(browser(eve, second_factor=False).get("/me/export").content)
    assert content["person"]["id"] == "eve"
    assert content["accounts"][0]["value"] == "eve@work.test"
    assert any("eve@work.test" in json.dumps(value) for value in content["record_details"].values())
    assert all(isinstance(value, dict | list) for value in content["record_details"].values()), "no JSON within JSON"
    assert [set(row) for row in content["sessions"]] == [{"expires_at"}], "of amy's session nothing is exported"
    assert (content["invitations"], content["idempotency_keys"]) == ([], [])
    assert browser(eve).get("/me/export").status_code == 429
    assert browser(eve).get("/people/amy/export").status_code == 403


def test_export_lists_invitations_and_idempotency_keys_of_the_person() -> None:
    for name in ("eve", "amy"):
        someone = person(name, Role.ADMIN)
        headers = {"Authorization": f"Bearer {token_of(someone)}", "Idempotency-Key": f"key-of-{name}"}
        body = {"id": f"new-{name}", "name": "New"}
        browser().post("/api/products", body, content_type="application/json", headers=headers)
        with as_role("owner"):
            Invitation.objects.create(person=someone, token_hash=f"hash-of-{name}", expires_at=timezone.now())
    text = browser(Person.objects.get(slug="eve")).get("/me/export").content.decode()
    content = json.loads(text)
    assert [row["idempotency_key"] for row in content["idempotency_keys"]] == ["key-of-eve"]
    assert len(content["invitations"]) == 1
    assert "hash-of" not in text


def test_record_is_corrected_by_a_later_record() -> None:
    amy, sam, dev = person("amy", Role.ADMIN), person("sam", Role.SECURITY), person("dev", Role.DEVELOPER)
    post(browser(amy), "/people/add", handle="bob", name="Bob")
    row = Record.objects.filter(kind="person-action").latest("id")
    before = bytes(row.data)
    assert browser(dev).post(f"/ledger/{row.pk}/addendum", {"wrong": "x", "right": "y"}).status_code == 403
    assert "It is missing. Fill it in." in post(
        browser(sam), f"/ledger/{row.pk}/addendum", wrong="It was Rob.", right=" "
    )
    page = post(browser(sam), f"/ledger/{row.pk}/addendum", wrong="It was not Bob.", right="It was Rob.")
    assert "It was Rob." in page
    assert "It was Rob." not in browser(dev).get(f"/ledger/{row.pk}").content.decode()
    assert "A correction of" in browser(dev).get(f"/ledger/{row.pk}").content.decode()
    row.refresh_from_db()
    assert bytes(row.data) == before


def test_active_person_is_not_erased() -> None:
    eve = person("eve", Role.DEVELOPER)
    person("amy", Role.ADMIN)
    assert "have to leave first" in erase(eve)
    with as_role("eraser"):
        run_erasure(eve)
    assert Person.objects.get(slug="eve").name == "Eve"


def test_erasure_requires_an_administrator_besides_the_officer(eve: Person) -> None:
    dpo = browser(person("dan", Role.DPO))
    post(dpo, "/people/eve/erase", reason="x")
    number = Request.objects.get(state="waiting").pk
    assert dpo.post(f"/requests/{number}", {"answer": "agree"}).status_code == 403


def test_expired_data_is_deleted_by_its_retention_rule() -> None:
    ada = person("ada")
    with as_role("owner"):
        for days in (1, 200):
            Invitation.objects.create(
                person=ada, token_hash=str(days), expires_at=timezone.now() - timedelta(days=days)
            )
    with as_role("eraser"):
        privacy.apply_retention_rules()
    assert [one.token_hash for one in Invitation.objects.all()] == ["1"]


def add_messages() -> None:
    ada = Person.objects.filter(pk="ada").first() or person("ada")
    with as_role("owner"):
        for days in (1, 20, 200):
            row = Message.objects.create(person=ada, text=str(days))
            Message.objects.filter(pk=row.pk).update(created_at=timezone.now() - timedelta(days=days))


def left() -> list[str]:
    return list(Message.objects.order_by("pk").values_list("text", flat=True))


@pytest.mark.parametrize(("days", "expected"), [(180, ["1", "20"]), (10, ["1"]), (3650, ["1", "20", "200"])])
def test_retention_periods_come_from_the_policy_in_force(days: int, expected: list[str]) -> None:
    add_messages()
    apply_periods(days)
    with as_role("eraser"):
        privacy.apply_retention_rules()
    assert left() == expected
    page = browser(Person.objects.get(pk="ada")).get("/privacy").content.decode()
    assert f'<td data-label="Stored for">{days} days</td>' in page


def test_no_data_is_deleted_without_a_policy_in_force() -> None:
    add_messages()
    with as_role("owner"):
        Document.objects.filter(name=POLICY).delete()
    with as_role("eraser"):
        privacy.apply_retention_rules()
    assert left() == ["1", "20", "200"]


def test_policy_without_an_act_deletes_no_data(compared_rows: None, caplog: pytest.LogCaptureFixture) -> None:
    with by_an_act():
        person("ada")
    add_messages()
    apply_periods(10)
    with as_role("eraser"):
        eraser_process.drop_expired()
    assert left() == ["1", "20", "200"]
    assert "nothing is dropped" in caplog.text


def test_everybody_can_read_which_data_is_stored_and_the_privacy_contact() -> None:
    person("dan", Role.DPO)
    page = browser(person("ada")).get("/privacy").content.decode()
    assert "Dan" in page
    assert "No page ranks" in page


def test_settings_are_validated_before_they_apply() -> None:
    ada = browser(person("ada", Role.ADMIN))
    assert 'role="alert"' in post(ada, "/settings", text="[ledger]\nexternal_copy = 3")
    assert not Document.objects.filter(name="home.toml").exists()
    post(ada, "/settings", text='[ledger]\nexternal_copy = "/elsewhere/copy"\n')
    assert open_store().load_settings().external_copy == "/elsewhere/copy"
    assert StoredObject.objects.count() > 0
