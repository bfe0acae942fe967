"""Recovery of an account: it takes two people, ends earlier access, notifies the person, and suspends approvals."""

from datetime import timedelta

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal import auth as totp
from allauth.mfa.utils import encrypt
from django.db import ProgrammingError, connection
from django.test import Client
from django.utils import timezone

from muniment.access.roles import Role
from muniment.server.incidents.account_notices import send_account_notices
from muniment.server.incidents.models import Incident
from muniment.server.people import messages
from muniment.server.people.models import Account, AccountNotice, Invitation, Message, Person, RoleGrant
from muniment.server.people.verifications import link_account
from muniment.server.requests.models import Request
from muniment.server.running import preparation
from tests.server.test_separation_of_duties import GIVE, enough
from tests.support.passkeys import Passkey
from tests.support.service import as_role, browser, person, post, set_up_factor, token_of

pytestmark = pytest.mark.usefixtures("service")

SECRET, COUNTER = "JBSWY3DPEHPK3PXP", 7
FIELDS = {"name": "Eve", "email": "eve@example.test", "password": "violet otter carries lantern", "way": "password"}


def of(slug: str) -> Client:
    return browser(Person.objects.get(slug=slug))


def code() -> str:
    return str(totp.format_hotp_value(totp.hotp_value(SECRET, COUNTER)))


def waiting() -> Request:
    return Request.objects.get(state="waiting")


def create_link(page: str) -> str:
    return page[page.index("/welcome/") :].partition("</pre>")[0]


def recovery_link() -> str:
    """Link for eve that amy requests and abe approves."""
    assert "waits for a second person" in post(of("amy"), "/people/eve/invite")
    return create_link(post(of("abe"), f"/requests/{waiting().pk}", answer="agree"))


def own_messages() -> list[str]:
    """Messages to eve about her account; as a security officer she gets messages about requests too."""
    return list(Message.objects.filter(person="eve", link="/me").values_list("text", flat=True))


def send_messages() -> None:
    with as_role("worker"):
        send_account_notices()


@pytest.fixture
def eve(monkeypatch: pytest.MonkeyPatch) -> Person:
    """Security officer with an authenticator app; the bootstrap is over."""
    monkeypatch.setattr(totp, "yield_hotp_counters_from_time", lambda: iter([COUNTER]))
    enough()
    found = person("eve", Role.SECURITY)
    set_up_factor(found)
    with as_role("owner"):
        Authenticator.objects.filter(user=found).update(data={"secret": encrypt(SECRET)})
        found.set_password("copper heron follows meadow")
        found.save()
    return found


@pytest.mark.parametrize("of_role", [True, False])
def test_one_administrator_cannot_link_a_person_with_a_second_factor_or_role(eve: Person, of_role: bool) -> None:
    with as_role("owner"):
        if of_role:
            Authenticator.objects.filter(user=eve).delete()
        else:
            RoleGrant.objects.filter(person=eve).delete()
    page = post(of("amy"), "/people/eve/invite")
    assert "waits for a second person" in page
    assert "/welcome/" not in page
    assert not Invitation.objects.exists()
    assert of("amy").post(f"/requests/{waiting().pk}", {"answer": "agree"}).status_code == 403


def test_one_administrator_cannot_link_a_person_with_a_verified_account(eve: Person) -> None:
    joe = person("joe")
    with as_role("owner"):
        login = Account.objects.create(person=joe, kind="login", value="forge/joe", verification="vouched")
    assert "/welcome/" in post(of("amy"), "/people/joe/invite")  # nobody counts by what waits for a second person
    with as_role("owner"):
        Account.objects.filter(pk=login.pk).update(verification="published-key")
    before = Invitation.objects.get()
    assert "waits for a second person" in post(of("amy"), "/people/joe/invite")
    link = create_link(post(of("abe"), f"/requests/{waiting().pk}", answer="agree"))
    before.refresh_from_db()
    assert before.ended_at is not None
    assert browser().post(link, {**FIELDS, "email": "joe@example.test"}).status_code == 302
    assert Person.objects.get(slug="joe").approvals_suspended


def test_link_by_one_administrator_is_refused_once_an_account_is_verified(eve: Person) -> None:
    link = create_link(post(of("amy"), f"/people/{person('joe').slug}/invite"))
    with as_role("owner"):
        link_account(Person.objects.get(slug="joe"), "login", "forge/joe", Account.Verification.PUBLISHED_KEY)
    page = browser().post(link, {**FIELDS, "email": "joe@example.test"}).content.decode()
    assert "a new link takes two people" in page


def test_one_administrator_cannot_create_a_link_while_a_role_is_requested(eve: Person) -> None:
    person("joe")
    post(of("amy"), "/people/joe/role", **GIVE)
    assert "waits for a second person" in post(of("amy"), "/people/joe/invite")


def test_link_by_one_administrator_is_refused_once_the_person_has_a_role(eve: Person) -> None:
    person("joe")
    link = create_link(post(of("amy"), "/people/joe/invite"))
    post(of("amy"), "/people/joe/role", **GIVE)
    post(of("abe"), f"/requests/{waiting().pk}", answer="agree")
    client = browser()
    answer = client.post(link, {**FIELDS, "email": "joe@example.test"})
    assert "a new link takes two people" in answer.content.decode()
    assert client.get("/me").status_code == 302
    assert not Person.objects.get(slug="joe").has_usable_password()


@pytest.mark.parametrize("way", ["password", "passkey"])
def test_recovery_ends_all_earlier_access(eve: Person, way: str) -> None:
    before, token = browser(eve), token_of(eve)
    headers = {"Authorization": f"Bearer {token}"}
    assert before.get("/me").status_code == 200
    assert browser().get("/api/products", headers=headers).status_code == 200
    link = recovery_link()
    assert browser().post(link, {**FIELDS, "way": way}).status_code == 302
    assert before.get("/me").status_code == 302
    assert browser().get("/api/products", headers=headers).status_code == 401
    assert browser().get(link).status_code == 410
    assert not Authenticator.objects.filter(user=eve).exists()
    found = Person.objects.get(slug="eve")
    assert not found.check_password("copper heron follows meadow")
    assert found.has_usable_password() is (way == "password")


def test_recovered_person_is_suspended_from_approvals_and_requests_for_a_day(eve: Person) -> None:
    browser().post(recovery_link(), FIELDS)
    person("mallory")
    post(of("amy"), "/people/mallory/role", **GIVE)
    number = waiting().pk
    assert "your approvals do not count yet" in post(of("eve"), f"/requests/{number}", answer="agree")
    assert not RoleGrant.objects.filter(person="mallory").exists()
    assert "recovered less than a day ago" in post(of("eve"), "/me/verify", kind="email", value="x@y.test")
    assert "Nothing that you approve counts until" in of("eve").get("/me").content.decode()
    with as_role("owner"):
        Person.objects.filter(pk=eve.pk).update(approvals_suspended_until=timezone.now() - timedelta(seconds=1))
    assert "Approved." in post(of("eve"), f"/requests/{number}", answer="agree")


def test_earlier_request_of_a_recovered_person_is_not_approved_while_suspended(eve: Person) -> None:
    link = recovery_link()
    post(of("sam"), "/policy/freeze", reason="A key leaked.")
    from muniment.server.policies.models import Freeze

    post(of("eve"), f"/policy/freezes/{Freeze.objects.get().slug}/lift")
    browser().post(link, FIELDS)
    assert "may no longer request this" in post(of("sam"), f"/requests/{waiting().pk}", answer="agree")


def test_code_of_the_earlier_second_factor_avoids_suspension(eve: Person) -> None:
    link = recovery_link()
    assert "no code of a second factor" in browser().post(link, {**FIELDS, "code": "000000"}).content.decode()
    assert browser().post(link, {**FIELDS, "code": code()}).status_code == 302
    assert Person.objects.get(slug="eve").approvals_suspended_until is None
    assert Authenticator.objects.filter(user=eve, type="totp").exists()


@pytest.mark.parametrize(("password", "next_page"), [("", "/account/2fa/"), (FIELDS["password"], "/account/2fa/")])
def test_earlier_passkey_avoids_suspension(eve: Person, password: str, next_page: str) -> None:
    passkey, other, link, client = Passkey(eve), Passkey(eve), recovery_link(), browser()
    fields = {"name": "Eve", "email": FIELDS["email"], "password": password}
    answer = client.post(link, {**fields, "credential": passkey.answer(client.get(link).content.decode())})
    assert (answer.status_code, answer["Location"]) == (302, next_page)
    found = Person.objects.get(slug="eve")
    assert found.approvals_suspended_until is None
    assert found.has_usable_password() is bool(password)
    assert list(Authenticator.objects.filter(user=eve)) == [passkey.row]
    assert other.row != passkey.row
    assert client.get("/me").status_code == 200


def test_passkey_of_another_person_or_page_does_not_avoid_suspension(eve: Person) -> None:
    passkey, link, client = Passkey(eve), recovery_link(), browser()
    theirs, elsewhere = Passkey(person("joe")), passkey.answer(browser().get(link).content.decode())
    for answer in (theirs.answer(client.get(link).content.decode()), elsewhere, "{}", "[", "1", '{"response": 1}'):
        page = client.post(link, {**FIELDS, "credential": answer}).content.decode()
        assert "This is no passkey that you had" in page, answer
    right = passkey.answer(client.get(link).content.decode())
    assert browser().post(link, {**FIELDS, "credential": right}).status_code == 200  # of another browser's session
    assert client.post(link, FIELDS).status_code == 302
    assert Person.objects.get(slug="eve").approvals_suspended
    assert not Authenticator.objects.filter(user=eve).exists()


def test_code_guesses_on_the_recovery_page_are_limited(eve: Person) -> None:
    link = recovery_link()
    for _ in range(5):
        browser().post(link, {**FIELDS, "code": "000000"})
    assert "tried too often" in browser().post(link, {**FIELDS, "code": code()}).content.decode()
    assert browser().post(link, FIELDS).status_code == 302
    assert Person.objects.get(slug="eve").approvals_suspended


def test_worker_notifies_all_former_and_current_addresses(eve: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    found: list[tuple[str, str]] = []

    def mail(address: str, subject: str, text: str) -> bool:
        found.append((address, text))
        return True

    monkeypatch.setattr(messages, "send_mail_to", mail)
    chat: list[str] = []
    monkeypatch.setattr(messages, "post_to_chat", chat.append)
    with as_role("owner"):
        link_account(eve, Account.Kind.EMAIL, "eve@work.test", Account.Verification.EMAIL_CODE)
        Person.objects.filter(pk=eve.pk).update(mail_frequency="never")
    post(of("amy"), "/people/eve/change", act="change-person", name="Eve", email="mallory@evil.test")
    link = recovery_link()
    assert not own_messages()  # the web tells nobody
    send_messages()
    assert {address for address, _ in found} == {"eve@example.test", "eve@work.test", "mallory@evil.test"}
    assert any("Amy changed the address" in text for address, text in found if address == "eve@example.test")
    assert any("Amy made a link that signs in as Eve" in text for address, text in found if address == "eve@work.test")
    browser().post(link, {**FIELDS, "email": "mallory@evil.test"})
    found.clear()
    send_messages()
    assert any("was recovered by a sign-in link" in text for address, text in found if address == "eve@work.test")
    assert len(chat) == 3
    assert len(own_messages()) == 3
    send_messages()
    assert len(chat) == 3


def test_web_cannot_mark_a_notification_as_sent(eve: Person) -> None:
    recovery_link()
    with pytest.raises(ProgrammingError, match="permission denied"), connection.cursor() as cursor:
        cursor.execute("INSERT INTO people_noticedelivery (notice_id, notified_at) VALUES (1, now())")
    with pytest.raises(ProgrammingError, match="permission denied"), connection.cursor() as cursor:
        cursor.execute("DELETE FROM people_accountnotice")


def test_failed_mail_still_reaches_the_inbox(eve: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(address: str, subject: str, text: str) -> bool:
        raise OSError("no mail server")

    monkeypatch.setattr(messages, "send_mail_to", fail)
    recovery_link()
    with pytest.raises(OSError, match="no mail server"):
        send_messages()
    assert len(own_messages()) == 1
    monkeypatch.setattr(messages, "send_mail_to", lambda *_: True)
    send_messages()
    assert len(own_messages()) == 1


def test_operator_link_opens_an_incident_notifies_all_and_suspends(eve: Person) -> None:
    with as_role("operator"):
        link = preparation.make_sign_in_link("eve")
    send_messages()
    assert Incident.objects.get().kind == "account-recovered-by-operator"
    message = set(Message.objects.values_list("person__slug", flat=True))
    assert message == {"amy", "abe", "sam", "sid", "eve"}
    assert browser().post(link, {**FIELDS, "code": code()}).status_code == 302
    assert Person.objects.get(slug="eve").approvals_suspended


def test_operator_link_for_person_without_role_notifies_all_and_suspends(eve: Person) -> None:
    person("joe")
    with as_role("operator"):
        link = preparation.make_sign_in_link("joe")
    send_messages()
    assert Incident.objects.get().kind == "account-recovered-by-operator"
    assert set(Message.objects.values_list("person__slug", flat=True)) == {"amy", "abe", "sam", "sid", "eve", "joe"}
    assert browser().post(link, {**FIELDS, "email": "joe@example.test"}).status_code == 302
    assert Person.objects.get(slug="joe").approvals_suspended


def test_passkey_does_not_shorten_the_suspension_after_an_operator_link(eve: Person) -> None:
    Passkey(eve)
    with as_role("operator"):
        link = preparation.make_sign_in_link("eve")
    assert "js_data" not in browser().get(link).content.decode()


def test_first_administrator_enters_without_incident_or_suspension() -> None:
    with as_role("owner"):
        link = preparation.make_first_link()
    fields = {**FIELDS, "name": "Ada", "email": "ada@example.test"}
    assert browser().post(link, fields).status_code == 302
    assert not AccountNotice.objects.exists()
    assert not Person.objects.get().approvals_suspended


def test_empty_password_is_refused_with_a_sentence() -> None:
    with as_role("owner"):
        link = preparation.make_first_link()
    answer = browser().post(link, {**FIELDS, "password": ""})
    assert answer.status_code < 500
    assert "Enter a password." in answer.content.decode()


def test_removing_a_second_factor_requires_using_it(eve: Person) -> None:
    client = browser(eve)
    answer = client.post("/account/2fa/totp/deactivate/")
    assert answer.status_code == 302
    assert "/reauthenticate/" in answer["Location"]
    assert Authenticator.objects.filter(user=eve).exists()
    with as_role("owner"):
        passkey = Authenticator.objects.create(user=eve, type="webauthn", data={})
    for method in (client.post, client.delete):
        answer = method(f"/account/2fa/webauthn/keys/{passkey.pk}/remove/")
        assert "/webauthn/reauthenticate/" in answer["Location"]
    assert Authenticator.objects.filter(user=eve, type="webauthn").exists()
    assert client.post("/account/2fa/reauthenticate/", {"code": code()}).status_code == 302
    assert "/webauthn/reauthenticate/" in client.post(f"/account/2fa/webauthn/keys/{passkey.pk}/remove/")["Location"]
    assert client.post("/account/2fa/totp/deactivate/").status_code == 302
    assert not Authenticator.objects.filter(user=eve, type="totp").exists()


def test_one_administrator_cannot_approve_own_request_by_taking_over_an_account(eve: Person) -> None:
    """Repeat the known attack: a link for another person, a new password, and the approval of one's own request."""
    person("mallory")
    post(of("amy"), "/people/mallory/role", **GIVE)
    for act in ("deactivate-person", "reactivate-person"):
        post(of("amy"), "/people/eve/change", act=act)
    post(of("amy"), "/people/eve/role", act="revoke-role", role="security", product="")
    assert "/welcome/" not in post(of("amy"), "/people/eve/invite")
    assert not Invitation.objects.exists()
    assert not RoleGrant.objects.filter(person="mallory").exists()
