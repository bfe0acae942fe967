"""A passkey that is the only way in is one that the device finds by itself, and is tried before the setup goes on."""

import json

import pytest
from allauth.mfa.models import Authenticator
from django.http import HttpResponseBase
from django.test import Client
from fido2.utils import websafe_encode

from muniment.access.roles import Role
from muniment.server.people import authenticators
from muniment.server.people.models import EnrolledAuthenticator
from muniment.server.people.passkeys import AddPasskeyForm
from muniment.server.records.models import Record
from muniment.server.records.recorded_rows import recorded_models
from muniment.server.records.row_checks import find_row_problems
from tests.server.conftest import PASSWORD
from tests.support.passkeys import Passkey
from tests.support.service import as_role, browser, by_an_act, person

pytestmark = pytest.mark.usefixtures("service")


def test_whoever_has_no_password_makes_a_passkey_that_the_device_finds_by_itself() -> None:
    box = AddPasskeyForm(user=person("ada", Role.ADMIN)).fields["passwordless"]
    assert (box.initial, box.disabled) == (True, True)


def test_whoever_has_a_password_chooses() -> None:
    box = AddPasskeyForm(user=person("ada", Role.ADMIN, password=PASSWORD)).fields["passwordless"]
    assert (box.initial, box.disabled) == (False, False)


@pytest.mark.parametrize(("kept", "wrong"), [(False, True), (True, False)])
def test_a_key_that_the_device_did_not_keep_is_refused(
    monkeypatch: pytest.MonkeyPatch, kept: bool, wrong: bool
) -> None:
    class Verified:
        def is_user_verified(self) -> bool:
            return True

    from allauth.mfa.webauthn.internal import auth

    monkeypatch.setattr(auth, "parse_registration_response", lambda _: None)
    monkeypatch.setattr(auth, "complete_registration", lambda _: Verified())
    answer = f'{{"clientExtensionResults": {{"credProps": {{"rk": {str(kept).lower()}}}}}}}'
    form = AddPasskeyForm({"name": "laptop", "credential": answer}, user=person("ada", Role.ADMIN))
    assert ("did not keep the passkey" in str(form.errors)) == wrong


def test_the_trial_takes_the_passkey_of_whoever_is_signed_in() -> None:
    client: Client = browser(person("ada", Role.ADMIN))
    page = client.get("/account/2fa/webauthn/try/").content.decode()
    assert '"allowCredentials": []' in page, "the device has to find the passkey by itself"
    answer = client.post("/account/2fa/webauthn/try/", {"credential": "{}"})
    assert "did not sign you in" in answer.content.decode()


@pytest.fixture
def passkey(compared_rows: None) -> Passkey:
    """A passkey of Sue's that signs her in, and was enrolled to confirm acts."""
    with by_an_act():
        sue = person("sue", Role.SECURITY)
    found = Passkey(sue)
    with by_an_act():
        EnrolledAuthenticator.objects.create(
            person=sue, kind="passkey", identifier=websafe_encode(found.id), public_key="x"
        )
    return found


def remove(client: Client, passkey: Passkey) -> HttpResponseBase:
    """Remove it on allauth's page, a moment after it was used."""
    page = client.get("/account/2fa/webauthn/reauthenticate/").content.decode()
    client.post("/account/2fa/webauthn/reauthenticate/", {"credential": passkey.answer(page)})
    return client.post(f"/account/2fa/webauthn/keys/{passkey.row.pk}/remove/")


def test_a_passkey_that_its_person_removes_confirms_no_act_any_more(passkey: Passkey) -> None:
    answer = remove(browser(passkey.row.user), passkey)
    assert (answer.status_code, answer["Location"]) == (302, "/account/2fa/webauthn/")
    assert not Authenticator.objects.filter(pk=passkey.row.pk).exists()
    assert EnrolledAuthenticator.objects.get().removed_at is not None
    record = Record.objects.filter(kind="person-action", writer="muniment_web").latest("pk")
    assert json.loads(bytes(record.data))["action"] == "manage-own-account"
    with as_role("worker"):
        assert find_row_problems(recorded_models()) == ()


def test_an_enrolment_that_cannot_be_ended_keeps_its_passkey(passkey: Passkey, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(authenticators, "remove_enrolments", fail)
    with pytest.raises(RuntimeError):
        remove(browser(passkey.row.user), passkey)
    assert Authenticator.objects.filter(pk=passkey.row.pk).exists()
