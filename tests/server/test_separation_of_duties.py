"""Separation of duties: second approvals, the end of bootstrap, and immediate deactivation."""

import pytest

from muniment.access.roles import Role
from muniment.server.people.models import Account, Invitation, Person, RoleGrant
from muniment.server.policies.models import Freeze, PolicyException, PolicyVersion
from muniment.server.products.models import Product
from muniment.server.records.models import ExceptionFile, Record
from muniment.server.requests.models import Request
from muniment.server.running.preparation import make_first_link
from tests.support.service import as_role, browser, person, post, product, set_up_factor

pytestmark = pytest.mark.usefixtures("service")

GIVE = {"act": "grant-role", "role": "security", "product": ""}


def find_grant(slug: str, role: Role) -> RoleGrant | None:
    return RoleGrant.objects.filter(person__slug=slug, role=role.value, ended_at=None).first()


def enough() -> None:
    """Two administrators and two security officers, after bootstrap."""
    for name, role in (("amy", Role.ADMIN), ("abe", Role.ADMIN), ("sam", Role.SECURITY)):
        set_up_factor(person(name, role))
    set_up_factor(person("sid"))
    page = post(browser(Person.objects.get(slug="amy")), "/people/sid/role", **GIVE)
    assert "Done" in page


def test_setup_link_admits_first_administrator_once() -> None:
    with as_role("owner"):
        link = make_first_link()
    client = browser()
    assert "Your handle is <code>admin</code>" in client.get(link).content.decode()
    fields = {"name": "Ada", "email": "ada@example.test", "password": "violet otter carries lantern"}
    assert client.post(link, {**fields, "password": "password1234", "way": "password"}).status_code == 200
    assert client.post(link, {**fields, "handle": "ada", "way": "password"}).status_code == 200
    assert client.post(link, {**fields, "way": "password"}).status_code == 302
    assert client.get("/people").status_code == 200
    assert browser().get(link).status_code == 410
    grant = find_grant("admin", Role.ADMIN)
    assert grant is not None
    assert grant.bootstrap
    with as_role("owner"):
        assert make_first_link() == ""


def test_new_setup_link_ends_old_one() -> None:
    with as_role("owner"):
        old, new = make_first_link(), make_first_link()
    assert browser().get(old).status_code == 410
    assert browser().get(new).status_code == 200


@pytest.mark.parametrize("text", ["x", "a" * 43, "..", "%00", "é"])
def test_guessed_link_is_refused(text: str) -> None:
    assert browser().get(f"/welcome/{text}").status_code in (404, 410)


def test_role_granted_by_one_administrator_in_bootstrap_is_marked() -> None:
    amy = browser(person("amy", Role.ADMIN))
    person("sam")
    assert "Done" in post(amy, "/people/sam/role", **GIVE)
    grant = find_grant("sam", Role.SECURITY)
    assert grant is not None
    assert (grant.bootstrap, grant.approver) == (True, None)
    assert "in the setup phase, by one person" in amy.get("/people/sam").content.decode()
    assert b'"without_second_person":true' in bytes(Record.objects.latest("id").data)


def test_role_grant_takes_two_people_after_bootstrap() -> None:
    enough()
    amy, abe = browser(Person.objects.get(slug="amy")), browser(Person.objects.get(slug="abe"))
    person("eve")
    assert "waits for a second person" in post(amy, "/people/eve/role", **GIVE)
    assert find_grant("eve", Role.SECURITY) is None
    waiting = Request.objects.get(state="waiting")
    assert amy.post(f"/requests/{waiting.pk}", {"answer": "agree"}).status_code == 403
    assert "grant Eve (eve) the role" in abe.get("/").content.decode()
    assert "Approved." in post(abe, f"/requests/{waiting.pk}", answer="agree")
    grant = find_grant("eve", Role.SECURITY)
    assert grant is not None
    assert (grant.bootstrap, grant.approver) == (False, Person.objects.get(slug="abe"))
    post(abe, "/people/amy/change", act="deactivate-person")
    person("joe")
    assert "waits for a second person" in post(abe, "/people/joe/role", **GIVE)


def test_refuses_approval_of_rejected_request() -> None:
    enough()
    amy, abe = browser(Person.objects.get(slug="amy")), browser(Person.objects.get(slug="abe"))
    person("eve")
    post(amy, "/people/eve/role", **GIVE)
    number = Request.objects.get(state="waiting").pk
    assert "is withdrawn" in post(amy, f"/requests/{number}", answer="refuse")
    assert "no longer waits" in post(abe, f"/requests/{number}", answer="agree")
    assert find_grant("eve", Role.SECURITY) is None


def test_request_ends_when_requester_is_deactivated() -> None:
    enough()
    amy, abe = browser(Person.objects.get(slug="amy")), browser(Person.objects.get(slug="abe"))
    person("eve")
    post(amy, "/people/eve/role", **GIVE)
    number = Request.objects.get(state="waiting").pk
    post(abe, "/people/amy/change", act="deactivate-person")
    assert "no longer waits" in post(abe, f"/requests/{number}", answer="agree")
    assert find_grant("eve", Role.SECURITY) is None


def test_reading_role_is_granted_by_one_person() -> None:
    enough()
    person("aud")
    amy = browser(Person.objects.get(slug="amy"))
    assert "Done" in post(amy, "/people/aud/role", act="grant-role", role="auditor", product="")
    assert find_grant("aud", Role.AUDITOR) is not None


def test_deactivation_takes_effect_immediately_everywhere() -> None:
    enough()
    amy = browser(Person.objects.get(slug="amy"))
    eve = browser(person("eve", Role.SECURITY))
    assert eve.get("/policy/propose").status_code == 200
    assert "Done" in post(amy, "/people/eve/change", act="deactivate-person")
    assert eve.get("/policy/propose").status_code == 302
    assert eve.get("/").status_code == 302
    assert "Done" in post(amy, "/people/eve/change", act="reactivate-person")
    assert find_grant("eve", Role.SECURITY) is None


def test_revoked_role_is_refused_at_next_request() -> None:
    enough()
    amy = browser(Person.objects.get(slug="amy"))
    eve = browser(person("eve", Role.SECURITY))
    assert eve.get("/policy/propose").status_code == 200
    post(amy, "/people/eve/role", act="revoke-role", role="security", product="")
    assert eve.get("/policy/propose").status_code == 403


def test_exception_needs_approval_of_another_security_officer() -> None:
    enough()
    shop = product("shop", "/nowhere")
    dev = browser(person("dev", Role.DEVELOPER, product=shop))
    sam = browser(Person.objects.get(slug="sam"))
    fields = {
        "repository": "shop",
        "clause": "review.two-reviewers",
        "branch": "refs/heads/main",
        "head": "",
        "reason": "The site is down.",
        "days": "3",
    }
    assert "from 1 to 90" in post(dev, "/exceptions/request", **{**fields, "days": "91"})
    assert not Request.objects.filter(state="waiting").exists()
    assert "waits for a second person" in post(dev, "/exceptions/request", **fields)
    number = Request.objects.get(state="waiting").pk
    assert dev.post(f"/requests/{number}", {"answer": "agree"}).status_code == 403
    assert "Approved." in post(sam, f"/requests/{number}", answer="agree")
    leave = PolicyException.objects.get()
    assert (leave.requester.slug, leave.approver.slug) == ("dev", "sam")
    assert ExceptionFile.objects.count() == 1
    assert "The site is down." in dev.get("/exceptions").content.decode()
    assert "ended" in post(sam, f"/exceptions/{leave.slug}/end")
    assert ExceptionFile.objects.count() == 0


def test_a_security_officer_does_not_grant_their_own_exception() -> None:
    enough()
    product("shop", "/nowhere")
    sam = browser(Person.objects.get(slug="sam"))
    fields = {"repository": "shop", "clause": "review.two-reviewers", "branch": "refs/heads/main", "head": ""}
    post(sam, "/exceptions/request", **fields, reason="x", days="3")
    number = Request.objects.get(state="waiting").pk
    assert sam.post(f"/requests/{number}", {"answer": "agree"}).status_code == 403


def test_refuses_exception_request_for_another_product() -> None:
    shop = product("shop", "/nowhere")
    product("other", "/elsewhere")
    dev = browser(person("dev", Role.DEVELOPER, product=shop))
    fields = {"repository": "other", "clause": "review.two-reviewers", "branch": "refs/heads/main", "head": ""}
    assert "There is no such repository" in post(dev, "/exceptions/request", **fields, reason="x", days="3")
    assert Request.objects.count() == 0


def proposed(client: object, text: str) -> int:
    post(client, "/policy/propose", text=text, note="because")  # type: ignore[arg-type]
    return PolicyVersion.objects.latest("id").pk


def test_stricter_policy_takes_one_person_and_weaker_takes_two() -> None:
    enough()
    sam, sid = browser(Person.objects.get(slug="sam")), browser(Person.objects.get(slug="sid"))
    text = PolicyVersion.objects.get(in_force=True).text
    stricter = proposed(sam, text.replace("reviewers = 2", "reviewers = 3"))
    assert "It is in force" in post(sam, f"/policy/versions/{stricter}/apply")
    assert PolicyVersion.objects.get(in_force=True).pk == stricter
    weaker = proposed(sam, text)
    assert "weaker" in sam.get(f"/policy/versions/{weaker}").content.decode()
    assert "waits for a second person" in post(sam, f"/policy/versions/{weaker}/apply")
    number = Request.objects.get(state="waiting").pk
    assert sam.post(f"/requests/{number}", {"answer": "agree"}).status_code == 403
    assert PolicyVersion.objects.get(in_force=True).pk == stricter
    assert "Approved." in post(sid, f"/requests/{number}", answer="agree")
    assert PolicyVersion.objects.get(in_force=True).pk == weaker


def test_refuses_approval_of_outdated_policy_request() -> None:
    enough()
    sam, sid = browser(Person.objects.get(slug="sam")), browser(Person.objects.get(slug="sid"))
    text = PolicyVersion.objects.get(in_force=True).text
    weaker = proposed(sam, text.replace("lines = 400", "lines = 500"))
    post(sam, f"/policy/versions/{weaker}/apply")
    stricter = proposed(sid, text.replace("reviewers = 2", "reviewers = 3"))
    post(sid, f"/policy/versions/{stricter}/apply")
    number = Request.objects.get(state="waiting").pk
    assert "Another policy is in force" in post(sid, f"/requests/{number}", answer="agree")
    assert PolicyVersion.objects.get(in_force=True).pk == stricter


@pytest.mark.parametrize("text", ["", "schema = 1", "x = [", "caf\u00e9", "schema = 1\nowner = 3"])
def test_invalid_policy_is_refused_and_stays_in_form(text: str) -> None:
    page = post(browser(person("sam", Role.SECURITY)), "/policy/propose", text=text)
    assert 'role="alert"' in page
    assert PolicyVersion.objects.count() == 1


def test_freeze_takes_one_person_and_lifting_takes_two() -> None:
    enough()
    sam, sid = browser(Person.objects.get(slug="sam")), browser(Person.objects.get(slug="sid"))
    post(sam, "/policy/freeze", reason="A key leaked.")
    assert "All merges and deployments are stopped" in sid.get("/").content.decode()
    post(sam, f"/policy/freezes/{Freeze.objects.get().slug}/lift")
    number = Request.objects.get(state="waiting").pk
    assert sam.post(f"/requests/{number}", {"answer": "agree"}).status_code == 403
    post(sid, f"/requests/{number}", answer="agree")
    assert "All merges and deployments are stopped" not in sid.get("/").content.decode()


def test_refuses_duplicate_of_waiting_request() -> None:
    enough()
    sam, sid = browser(Person.objects.get(slug="sam")), browser(Person.objects.get(slug="sid"))
    post(sam, "/policy/freeze", reason="A key leaked.")
    lift = f"/policy/freezes/{Freeze.objects.get().slug}/lift"
    post(sam, lift)
    assert "Sam requested that already" in post(sid, lift)
    waiting = Request.objects.get(state="waiting")
    post(sid, f"/requests/{waiting.pk}", answer="agree")
    assert not Request.objects.filter(state="waiting").exists()


def test_an_account_belongs_to_one_person() -> None:
    amy = browser(person("amy", Role.ADMIN))
    person("bob")
    person("eve")
    add = {"act": "vouch-for-account", "kind": "email", "value": "Bob@Example.test"}
    assert "Done" in post(amy, "/people/bob/change", **add)
    assert "belongs to somebody" in post(amy, "/people/eve/change", **{**add, "value": "bob@example.test"})
    for kind, value in (("email", "no address"), ("key", "ssh-rsa nonsense"), ("login", "ada"), ("other", "x")):
        post(amy, "/people/bob/change", act="vouch-for-account", kind=kind, value=value)
    assert Account.objects.count() == 1


def test_mass_assignment_is_refused() -> None:
    amy = browser(person("amy", Role.ADMIN))
    fields = {"handle": "bob", "name": "Bob", "email": ""}
    for more in ("active", "is_superuser", "password", "role", "id", "pk", "person"):
        assert amy.post("/people/add", {**fields, more: "1"}).status_code == 422
    assert not Person.objects.filter(slug="bob").exists()
    post(amy, "/people/add", **fields)
    bob = Person.objects.get(slug="bob")
    assert (bob.active, bob.has_usable_password(), bob.load_roles()) == (True, False, ())
    fields = {"id": "shop", "name": "Shop"}
    for more in ("retired", "retired_at", "slug", "created_at"):
        assert amy.post("/products/add", {**fields, more: "2020-01-01"}).status_code == 422
    post(amy, "/products/add", **fields)
    assert Product.objects.get(slug="shop").retired_at is None


def test_invitation_of_deactivated_person_is_ended() -> None:
    amy = browser(person("amy", Role.ADMIN))
    person("bob")
    page = post(amy, "/people/bob/invite")
    link = page[page.index("/welcome/") :].partition("</pre>")[0]
    post(amy, "/people/bob/change", act="deactivate-person")
    assert browser().get(link).status_code == 410
    assert Invitation.objects.filter(ended_at=None).count() == 0


def test_every_act_is_recorded_without_names() -> None:
    amy = browser(person("amy", Role.ADMIN))
    before = Record.objects.count()
    post(amy, "/people/add", handle="bob-the-builder", name="Bob Builder", email="bob@example.test")
    post(amy, "/products/add", id="shop", name="Secret Shop")
    assert Record.objects.count() == before + 2
    data = b"".join(bytes(entry.data) for entry in Record.objects.all())
    for word in (b"Bob", b"bob", b"Secret", b"amy", b"example.test"):
        assert word not in data
