"""A passkey that is the only way in is one that the device finds by itself, and is tried before the setup goes on."""

import pytest
from django.test import Client

from muniment.access.roles import Role
from muniment.server.people.passkeys import AddPasskeyForm
from tests.server.conftest import PASSWORD
from tests.support.service import browser, person

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
