"""Passkeys: setup verifies a new passkey, and a person without a password needs a discoverable one."""

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
from muniment.server.records.recorded_rows import list_recorded_models
from muniment.server.records.row_checks import find_row_problems
from tests.server.conftest import PASSWORD
from tests.support.passkeys import Passkey
from tests.support.service import as_role, browser, by_an_act, person

pytestmark = pytest.mark.usefixtures("service")


def test_account_without_password_requires_a_discoverable_passkey() -> None:
    box = AddPasskeyForm(user=person("ada", Role.ADMIN)).fields["passwordless"]
    assert (box.initial, box.disabled) == (True, True)


def test_account_with_password_may_use_any_passkey() -> None:
    box = AddPasskeyForm(user=person("ada", Role.ADMIN, password=PASSWORD)).fields["passwordless"]
    assert (box.initial, box.disabled) == (False, False)


@pytest.mark.parametrize(("stored", "wrong"), [(False, True), (True, False)])
def test_passkey_that_is_not_stored_on_the_device_is_refused(
    monkeypatch: pytest.MonkeyPatch, stored: bool, wrong: bool
) -> None:
    class Verified:
        def is_user_verified(self) -> bool:
            return True

    from allauth.mfa.webauthn.internal import auth

    monkeypatch.setattr(auth, "parse_registration_response", lambda _: None)
    monkeypatch.setattr(auth, "complete_registration", lambda _: Verified())
    answer = f'{{"clientExtensionResults": {{"credProps": {{"rk": {str(stored).lower()}}}}}}}'
    form = AddPasskeyForm({"name": "laptop", "credential": answer}, user=person("ada", Role.ADMIN))
    assert ("did not keep the passkey" in str(form.errors)) == wrong


def test_passkey_trial_page_requires_a_discoverable_passkey() -> None:
    client: Client = browser(person("ada", Role.ADMIN))
    page = client.get("/account/2fa/webauthn/try/").content.decode()
    assert '"allowCredentials": []' in page, "the device has to find the passkey by itself"
    answer = client.post("/account/2fa/webauthn/try/", {"credential": "{}"})
    assert "did not sign you in" in answer.content.decode()


@pytest.fixture
def passkey(compared_rows: None) -> Passkey:
    """Passkey of Sue that signs her in and is enrolled to confirm acts."""
    with by_an_act():
        sue = person("sue", Role.SECURITY)
    found = Passkey(sue)
    with by_an_act():
        EnrolledAuthenticator.objects.create(
            person=sue, kind="passkey", identifier=websafe_encode(found.id), public_key="x"
        )
    return found


def remove(client: Client, passkey: Passkey) -> HttpResponseBase:
    """Remove the passkey on allauth's page shortly after its use."""
    page = client.get("/account/2fa/webauthn/reauthenticate/").content.decode()
    client.post("/account/2fa/webauthn/reauthenticate/", {"credential": passkey.answer(page)})
    return client.post(f"/account/2fa/webauthn/keys/{passkey.row.pk}/remove/")


def test_removed_passkey_confirms_no_acts(passkey: Passkey) -> None:
    answer = remove(browser(passkey.row.user), passkey)
    assert (answer.status_code, answer["Location"]) == (302, "/account/2fa/webauthn/")
    assert not Authenticator.objects.filter(pk=passkey.row.pk).exists()
    assert EnrolledAuthenticator.objects.get().removed_at is not None
    record = Record.objects.filter(kind="person-action", writer="muniment_web").latest("pk")
    assert json.loads(bytes(record.data))["action"] == "manage-own-account"
    with as_role("worker"):
        assert find_row_problems(list_recorded_models()) == ()


def test_passkey_remains_if_ending_its_enrolment_fails(passkey: Passkey, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(authenticators, "remove_enrolments", fail)
    with pytest.raises(RuntimeError):
        remove(browser(passkey.row.user), passkey)
    assert Authenticator.objects.filter(pk=passkey.row.pk).exists()


def test_person_without_any_way_to_authenticate_again_can_add_the_first_passkey() -> None:
    """An invitation's session has nothing that could be asked for again; with a password that is asked for."""
    new = browser(person("new", Role.DEVELOPER))
    assert new.get("/account/2fa/webauthn/add/").status_code == 200
    old = browser(person("old", Role.DEVELOPER, password=PASSWORD))
    assert old.get("/account/2fa/webauthn/add/").status_code == 302
