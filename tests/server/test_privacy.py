"""Personal data: given to whom it is about, kept for a claim, erased without breaking a proof, dropped when over."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.conf import settings
from django.utils import timezone

from muniment.access.roles import Role
from muniment.home.files import PUBLIC
from muniment.ledger import verification
from muniment.server.installation import home
from muniment.server.people import privacy
from muniment.server.people.models import Account, Invitation, Person
from muniment.server.people.tasks import erase_person
from muniment.server.policies.models import Freeze, Leave
from muniment.server.proposals.models import Proposal
from muniment.server.record.models import Document, Entry, ExceptionFile, Stored
from muniment.server.record.sequencer import give_places
from tests.server.test_duties import enough
from tests.support.service import as_role, browser, person, post, product

pytestmark = pytest.mark.usefixtures("service")


@pytest.fixture
def eve() -> Person:
    """She did something, has accounts, and left."""
    amy, found = browser(person("amy", Role.ADMIN)), person("eve", Role.ADMIN)
    post(browser(found), "/products/add", id="evesthing", name="Thing")
    for kind, value in (("email", "eve@work.test"), ("login", "github/eve-gh")):
        post(amy, "/people/eve/change", do="account", kind=kind, value=value)
    post(amy, "/people/eve/change", do="leave")
    return found


def whole() -> str:
    texts: list[Any] = [model for model in apps.get_models() if hasattr(model, "free_texts")]
    return " ".join(
        [str(home().get(digest)) for digest in home().objects()]
        + [str(list(model.objects.values())) for model in (Person, Account)]
        + [str(list(model.objects.values(*model.free_texts))) for model in texts]
    )


def erase(eve: Person) -> str:
    dpo, amy = browser(person("dan", Role.DPO)), browser(Person.objects.get(slug="amy"))
    said = post(dpo, "/people/eve/erase", reason="She asked for it.")
    waiting = Proposal.objects.filter(state="waiting").first()
    if waiting is not None:
        post(amy, f"/proposals/{waiting.pk}", answer="agree")
        with as_role("worker"):
            erase_person(eve.pk)
    return said


def test_all_that_is_kept_is_given(eve: Person) -> None:
    answer = browser(person("dan", Role.DPO)).get("/people/eve/export")
    kept = json.loads(answer.content)
    assert kept["person"]["id"] == "eve"
    assert {one["value"] for one in kept["accounts"]} == {"eve@work.test", "github/eve-gh"}
    assert any("evesthing" in text for text in kept["record"].values())
    assert browser(Person.objects.get(slug="amy")).get("/people/eve/export").status_code == 403


def test_what_is_erased_is_gone_and_the_ledger_still_verifies(eve: Person) -> None:
    with as_role("worker"):
        give_places()
    erase(eve)
    for word in ("Eve", "eve@", "eve-gh"):
        assert word not in whole(), word
    with as_role("worker"):
        give_places()
        log = home().log()
        note = log.checkpoint()
    assert note is not None
    public = (Path(settings.HOME) / PUBLIC).read_text()
    assert verification.verify(log.read, note, public).problems == ()
    page = browser(Person.objects.get(slug="amy")).get("/activity").content.decode()
    assert "It was erased: under the rule" in page
    assert Entry.objects.filter(kind="erasure").count() == 1


def test_what_is_kept_for_a_claim_is_not_erased(eve: Person) -> None:
    dpo = browser(person("dan", Role.DPO))
    post(dpo, "/people/eve/hold", reason="case 7")
    assert "kept for a legal claim" in erase(eve)
    with as_role("worker"):
        erase_person(eve.pk)
    assert "eve@work.test" in whole()
    post(dpo, "/people/eve/hold", reason="")
    assert "waits for a second person" in erase(eve)
    assert "eve@work.test" not in whole()


def test_what_others_wrote_of_somebody_is_erased_too_and_the_rest_of_it_stays() -> None:
    eve, amy, sam = person("eve", Role.SECURITY), person("amy", Role.ADMIN), person("sam", Role.SECURITY)
    enough()
    product("shop", "/nowhere/shop")
    with as_role("owner"):
        Person.objects.filter(pk=eve.pk).update(name="Eve Smith")
    fields = {"repository": "shop", "clause": "review.two-others", "branch": "refs/heads/main", "days": "5", "head": ""}
    post(
        browser(sam),
        "/exceptions/ask",
        reason="Only EVE SMITH (eve@work.test) knows; evergreen is not a name.",
        **fields,
    )
    post(browser(eve), f"/proposals/{Proposal.objects.get().pk}", answer="agree")
    post(browser(amy), "/people/eve/change", do="account", kind="email", value="eve@work.test")
    post(browser(sam), "/policy/freeze", reason="Eve  Smith, was it you?")
    post(browser(amy), "/people/eve/role", do="give", role="admin", product="")
    assert Proposal.objects.filter(state="waiting", told__contains="eve").exists()
    post(browser(amy), "/people/eve/change", do="leave")
    assert not Proposal.objects.filter(state="waiting").exists()
    assert Leave.objects.get().ended is None
    erase(eve)
    for word in ("Eve", "eve@", "EVE", "'eve'", "give eve"):
        assert word not in whole(), word
    assert Leave.objects.get().reason == "Only (erased) ((erased)) knows; evergreen is not a name."
    assert Leave.objects.get().ended is not None
    assert not ExceptionFile.objects.exists()
    assert Freeze.objects.get().reason == "(erased), was it you?"
    assert Person.objects.get(pk=eve.pk).slug == f"erased-{eve.pk}"
    assert browser(amy).get(f"/people/erased-{eve.pk}").status_code == 200
    with as_role("worker"):
        erase_person(eve.pk)


def test_people_get_what_is_kept_of_them_alone_and_nobody_elses() -> None:
    eve, amy = person("eve", Role.DEVELOPER), person("amy", Role.ADMIN)
    post(browser(amy), "/people/eve/change", do="account", kind="email", value="eve@work.test")
    kept = json.loads(browser(eve, second_factor=False).get("/me/export").content)
    assert kept["person"]["id"] == "eve"
    assert kept["accounts"][0]["value"] == "eve@work.test"
    assert any("eve@work.test" in text or "eve" in text for text in kept["record"].values())
    assert browser(eve).get("/me/export").status_code == 429
    assert browser(eve).get("/people/amy/export").status_code == 403


def test_what_is_wrong_in_an_entry_is_said_by_a_later_one_and_the_entry_stays() -> None:
    amy, sam, dev = person("amy", Role.ADMIN), person("sam", Role.SECURITY), person("dev", Role.DEVELOPER)
    post(browser(amy), "/people/add", id="bob", name="Bob")
    row = Entry.objects.filter(kind="act").latest("id")
    before = bytes(row.data)
    assert browser(dev).post(f"/ledger/{row.pk}/addendum", {"wrong": "x", "right": "y"}).status_code == 403
    assert "in a few sentences" in post(browser(sam), f"/ledger/{row.pk}/addendum", wrong="It was Rob.", right=" ")
    page = post(browser(sam), f"/ledger/{row.pk}/addendum", wrong="It was not Bob.", right="It was Rob.")
    assert "It was Rob." in page
    assert "It was Rob." not in browser(dev).get(f"/ledger/{row.pk}").content.decode()
    assert "An addendum of" in browser(dev).get(f"/ledger/{row.pk}").content.decode()
    row.refresh_from_db()
    assert bytes(row.data) == before


def test_whoever_is_still_here_is_not_erased() -> None:
    eve = person("eve", Role.DEVELOPER)
    person("amy", Role.ADMIN)
    assert "have to leave first" in erase(eve)
    with as_role("worker"):
        erase_person(eve.pk)
    assert Person.objects.get(slug="eve").name == "Eve"


def test_an_erasure_takes_an_administrator_besides_the_officer(eve: Person) -> None:
    dpo = browser(person("dan", Role.DPO))
    post(dpo, "/people/eve/erase", reason="x")
    number = Proposal.objects.get(state="waiting").pk
    assert dpo.post(f"/proposals/{number}", {"answer": "agree"}).status_code == 403


def test_what_is_over_is_dropped_by_its_rule() -> None:
    ada = person("ada")
    with as_role("owner"):
        for days in (1, 200):
            Invitation.objects.create(person=ada, hash=str(days), expires=timezone.now() - timedelta(days=days))
    with as_role("worker"):
        privacy.keep_to_rules()
    assert [one.hash for one in Invitation.objects.all()] == ["1"]


def test_everybody_can_read_what_is_kept_and_whom_to_ask() -> None:
    person("dan", Role.DPO)
    page = browser(person("ada")).get("/privacy").content.decode()
    assert "Dan" in page
    assert "No page ranks" in page


def test_settings_are_read_before_they_hold() -> None:
    ada = browser(person("ada", Role.ADMIN))
    assert 'role="alert"' in post(ada, "/settings", text="[ledger]\noutside = 3")
    assert not Document.objects.filter(name="home.toml").exists()
    post(ada, "/settings", text='[ledger]\noutside = "/elsewhere/copy"\n')
    assert home().settings().outside == "/elsewhere/copy"
    assert Stored.objects.count() > 0
