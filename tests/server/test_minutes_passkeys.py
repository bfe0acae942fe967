"""Minutes are signed with a passkey at the confirmation origin, over exactly their fingerprint, role and statement."""
# ruff: noqa: F811 (a fixture of another file)

from typing import Any

import pytest
from django.conf import settings
from django.db import ProgrammingError, transaction
from django.utils.html import escape

from muniment.facts.minutes_statements import digest_minutes_statement
from muniment.server.meetings.models import ProductMeeting
from muniment.server.minutes.models import Minutes, MinutesProof, MinutesSignature
from muniment.server.minutes.passkey_signatures import SignatureMethod, find_signature_method
from muniment.server.minutes.taking_part import is_signed
from tests.server.test_confirmation import ask, enrol_authenticator
from tests.server.test_minutes import (  # noqa: F401
    attend,
    finish_items,
    hold,
    lead,
    read_state,
    review,
    sign,
    who,
)
from tests.support.authenticators import CONFIRMATION, SERVICE, Passkey
from tests.support.service import as_role, by_an_act, finish_bootstrap

pytestmark = pytest.mark.usefixtures("service")


@pytest.fixture
def passkeys(review: ProductMeeting, monkeypatch: pytest.MonkeyPatch) -> dict[str, Passkey]:
    monkeypatch.setattr(settings, "CONFIRMATION_URL", CONFIRMATION)
    found = {name: Passkey(name) for name in ("sam", "dora")}
    finish_bootstrap()
    with as_role("owner"), by_an_act():
        for name, key in found.items():
            enrol_authenticator(name, key)
    return found


def find_address(minutes: Minutes, name: str, role: str, statement: str) -> str:
    return f"/minutes/{minutes.internal_id}/{name}/{role}/{statement}"


def read_statement(page: Any) -> str:
    text = page.content.decode()
    value = text.split('name="statement" value="')[1].split('"')[0]
    return str(value.replace("&quot;", '"'))


def sign_at_confirmation(
    minutes: Minutes, name: str, role: str, statement: str, key: Passkey, origin: str = CONFIRMATION
) -> Any:
    address = find_address(minutes, name, role, statement)
    text = read_statement(ask("get", address))
    return ask(
        "post", address, {"statement": text, "signature": key.answer(digest_minutes_statement(text.encode()), origin)}
    )


def test_passkey_signature_is_named_as_one_and_a_sign_in_as_a_sign_in(
    review: ProductMeeting,
    passkeys: dict[str, Passkey],
) -> None:
    minutes = hold(review)
    page = who("sam").get(f"/meetings/{review.pk}/minutes").content.decode()
    assert f"{CONFIRMATION}{find_address(minutes, 'sam', 'chair', 'confirmed')}" in page
    answer = sign_at_confirmation(minutes, "sam", "chair", "confirmed", passkeys["sam"])
    assert answer.status_code == 201
    assert "Add your passkey signature" in who("sam").get(f"/meetings/{review.pk}/minutes").content.decode()
    assert "Saved" in sign(minutes, "sam")
    for name in ("ann", "stan"):
        assert "Saved" in sign(minutes, name)
    assert sign_at_confirmation(minutes, "dora", "dpo", "no-advice", passkeys["dora"]).status_code == 201
    assert "Saved" in sign(minutes, "dora", "no-advice")
    page = who("olga").get(f"/meetings/{review.pk}/minutes").content.decode()
    assert page.count("Confirmed with a passkey") == 2
    assert page.count("Confirmed by sign-in") == 2
    assert read_state().unsigned_since == ""


def test_confirmation_page_shows_decisions_and_fingerprint(
    review: ProductMeeting,
    passkeys: dict[str, Passkey],
) -> None:
    lead(review, "open-meeting")
    lead(review, "record-decision", item="market", text="We support <passkeys>.")
    attend(review, "sam", "ann", "dora", "stan", "olga")
    finish_items(review)
    lead(review, "close-meeting")
    minutes = Minutes.objects.get(meeting=review)
    page = ask("get", find_address(minutes, "sam", "chair", "confirmed")).content.decode()
    assert escape("We support <passkeys>.") in page
    assert minutes.digest in page
    with as_role("owner"):
        Minutes.objects.update(text=minutes.text.replace("support", "refuse"))
    assert ask("get", find_address(minutes, "sam", "chair", "confirmed")).status_code == 404


def test_address_for_another_role_statement_or_person_does_not_exist(
    review: ProductMeeting,
    passkeys: dict[str, Passkey],
) -> None:
    minutes = hold(review)
    for name, role, statement in (
        ("sam", "dpo", "no-advice"),
        ("sam", "chair", "no-advice"),
        ("dora", "dpo", "confirmed"),
        ("sam", "chair", "approved"),
        ("nobody", "chair", "confirmed"),
    ):
        assert ask("get", find_address(minutes, name, role, statement)).status_code == 404, (name, role, statement)


def test_signature_at_another_origin_by_another_or_over_other_minutes_is_refused(
    review: ProductMeeting,
    passkeys: dict[str, Passkey],
) -> None:
    minutes = hold(review)
    assert sign_at_confirmation(minutes, "sam", "chair", "confirmed", passkeys["sam"], SERVICE).status_code == 409
    assert sign_at_confirmation(minutes, "sam", "chair", "confirmed", passkeys["dora"]).status_code == 409
    address = find_address(minutes, "sam", "chair", "confirmed")
    other = read_statement(ask("get", address)).replace(minutes.digest, "sha256:" + "1" * 64)
    fields = {"statement": other, "signature": passkeys["sam"].answer(digest_minutes_statement(other.encode()))}
    assert ask("post", address, fields).status_code == 409
    assert not MinutesProof.objects.exists()
    assert "Saved" in sign(minutes, "sam")
    assert MinutesSignature.objects.get().proof is None


def test_web_process_cannot_add_or_move_a_passkey_signature(
    review: ProductMeeting,
    passkeys: dict[str, Passkey],
) -> None:
    minutes = hold(review)
    sign_at_confirmation(minutes, "sam", "chair", "confirmed", passkeys["sam"])
    proof = MinutesProof.objects.get()
    with pytest.raises(ProgrammingError), transaction.atomic():
        MinutesProof.objects.create(
            minutes=minutes, signer_id="ann", authenticator=proof.authenticator, statement="{}", signature="{}"
        )
    assert "Saved" in sign(minutes, "ann")
    with as_role("owner"):  # as if the web had written the row of another person with this proof
        MinutesSignature.objects.update(proof=proof)
    signature = MinutesSignature.objects.get()
    assert find_signature_method(signature, minutes) is SignatureMethod.INVALID
    assert not is_signed(minutes)
