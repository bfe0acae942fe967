"""A password or second factor that is replaced, in whatever way, leaves a row of the worker and notifies its person."""

import pytest
from allauth.mfa.models import Authenticator
from django.contrib.auth.hashers import make_password
from django.db import ProgrammingError

from muniment.server.incidents.sign_in_changes import notify_of_sign_in_changes
from muniment.server.people import messages
from muniment.server.people.models import AccountNotice, Bootstrap, Message, Person, SignInState
from tests.support.service import as_role, person, set_up_factor

pytestmark = pytest.mark.usefixtures("service")

CHANGED = "How Bob signs in was changed: the password, a second factor, a company account or the address."


@pytest.fixture
def mails(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Addresses to which notices were mailed; the person signs in already, and the bootstrap is over."""
    sent: list[str] = []

    def send(address: str, _subject: str, _text: str) -> bool:
        sent.append(address)
        return True

    monkeypatch.setattr(messages, "send_mail_to", send)
    bob = person("bob")
    set_up_factor(bob)
    with as_role("owner"):
        Person.objects.filter(pk=bob.pk).update(email="bob@example.test")
        Bootstrap.objects.get_or_create(pk=1, defaults={"finished": True})
    look()
    return sent


def look() -> list[str]:
    """Look for changes as the worker does; the notices that there are."""
    with as_role("worker"):
        notify_of_sign_in_changes()
    return list(Message.objects.filter(link="/me").values_list("text", flat=True))


def write_as_web(**values: object) -> None:
    with as_role("web"):
        Person.objects.filter(slug="bob").update(**values)


def test_unchanged_sign_in_notifies_nobody(mails: list[str]) -> None:
    assert look() == []
    assert mails == []


def test_password_written_by_sql_notifies_its_person_at_the_former_address_too(mails: list[str]) -> None:
    write_as_web(password=make_password("violet otter carries lantern"), email="mallory@evil.test")
    assert look() == [CHANGED]
    assert mails == ["bob@example.test", "mallory@evil.test"]
    assert look() == [CHANGED]
    assert len(mails) == 2
    assert SignInState.objects.get(person__slug="bob").addresses == "mallory@evil.test"


def test_address_that_changes_first_does_not_hide_the_password(mails: list[str]) -> None:
    write_as_web(email="mallory@evil.test")
    look()
    assert mails == ["bob@example.test", "mallory@evil.test"]


def test_removed_or_replaced_factor_notifies_its_person(mails: list[str]) -> None:
    factor = Authenticator.objects.filter(user__slug="bob").first()
    assert factor is not None
    with as_role("web"):
        Authenticator.objects.filter(pk=factor.pk).update(data={**factor.data, "secret": "another"})
    assert look() == [CHANGED]
    with as_role("web"):
        Authenticator.objects.filter(user__slug="bob").delete()
    assert look() == [CHANGED, CHANGED]


def test_change_of_somebody_who_left_is_seen_once_they_are_back(mails: list[str]) -> None:
    write_as_web(active=False, password=make_password(None))
    assert look() == []
    write_as_web(active=True)
    assert look() == [CHANGED]


def test_used_recovery_code_is_no_change(mails: list[str]) -> None:
    with as_role("web"):
        row = Authenticator.objects.create(
            user_id=Person.objects.get(slug="bob").pk, type="recovery_codes", data={"seed": "x", "used_mask": 0}
        )
    assert look() == [CHANGED]
    with as_role("web"):
        Authenticator.objects.filter(pk=row.pk).update(data={"seed": "x", "used_mask": 3})
    assert look() == [CHANGED]


def test_recovery_that_was_reported_is_not_reported_twice(mails: list[str]) -> None:
    bob = Person.objects.get(slug="bob")
    with as_role("web"):
        AccountNotice.objects.create(person=bob, kind=AccountNotice.Kind.RECOVERED)
    write_as_web(password=make_password("violet otter carries lantern"))
    assert look() == []
    write_as_web(password=make_password("another otter carries lantern"))
    assert look() == [CHANGED]


@pytest.mark.parametrize("role", ["web", "confirmation", "sequencer", "operator"])
def test_only_the_worker_says_what_it_saw(mails: list[str], role: str) -> None:
    with as_role(role), pytest.raises(ProgrammingError, match="permission denied"):
        SignInState.objects.update(digest="sha256:forged")
