"""Sign-in data: a copy of the database signs nobody in, as sessions are hashed and second-factor seeds encrypted."""

from pathlib import Path
from typing import Any

import pytest
from allauth.mfa.adapter import get_adapter
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import (
    TOTP,
    format_hotp_value,
    generate_totp_secret,
    hotp_value,
    yield_hotp_counters_from_time,
)
from django.conf import settings
from django.contrib.sessions.models import Session
from django.test import Client
from django.utils import timezone

from muniment.access.roles import Role
from muniment.errors import StoreError
from muniment.server.guarding.home_keys import FACTORS, make_factor_key
from muniment.server.running.backup_file import KEYS
from tests.support.service import as_role, browser, person

pytestmark = pytest.mark.usefixtures("service")


def current_code(secret: str) -> str:
    return str(format_hotp_value(hotp_value(secret, next(iter(yield_hotp_counters_from_time())))))


def test_a_session_key_is_not_in_the_database() -> None:
    client = browser(person("ada", Role.DEVELOPER))
    key = client.cookies[settings.SESSION_COOKIE_NAME].value
    row = Session.objects.get()
    assert row.session_key not in (key, "")
    assert key not in row.session_data


def test_stored_session_hash_opens_no_session() -> None:
    browser(person("ada", Role.DEVELOPER))
    thief: Any = Client(HTTP_HOST="localhost")
    thief.cookies[settings.SESSION_COOKIE_NAME] = Session.objects.get().session_key
    assert thief.get("/inbox").status_code == 302


def test_signing_out_ends_the_session_in_the_database() -> None:
    client = browser(person("ada", Role.DEVELOPER))
    client.logout()
    assert not Session.objects.exists()


def test_expired_session_is_refused() -> None:
    client = browser(person("ada", Role.DEVELOPER))
    Session.objects.update(expire_date=timezone.now())
    assert client.get("/inbox").status_code == 302


def test_invented_session_key_is_not_adopted() -> None:
    client: Any = Client(HTTP_HOST="localhost")
    made_up = "a" * 32
    client.cookies[settings.SESSION_COOKIE_NAME] = made_up
    session = client.session
    session["x"] = 1
    session.save()
    assert session.session_key != made_up


def test_a_seed_is_encrypted_and_its_codes_work() -> None:
    secret = generate_totp_secret()
    factor = TOTP.activate(person("ada"), secret)
    assert secret not in str(factor.instance.data)
    assert factor.validate_code(current_code(secret))


def test_recovery_codes_are_computed_from_an_encrypted_seed() -> None:
    codes = RecoveryCodes.activate(person("ada"))
    (code, *_) = codes.get_unused_codes()
    assert get_adapter().decrypt(codes.instance.data["seed"]) not in str(codes.instance.data)
    assert codes.validate_code(code)


def test_without_the_former_key_codes_are_refused_without_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = generate_totp_secret()
    factor = TOTP.activate(person("ada"), secret)
    monkeypatch.setattr(settings, "HOME", str(tmp_path))
    with pytest.raises(StoreError):
        factor.validate_code(current_code(secret))
    make_factor_key(tmp_path)
    assert not factor.validate_code(current_code(secret))


def test_backup_does_not_contain_the_key() -> None:
    assert FACTORS not in KEYS


def test_worker_cannot_create_a_session() -> None:
    from django.db import ProgrammingError

    with as_role("worker"), pytest.raises(ProgrammingError, match="permission denied"):
        Session.objects.create(session_key="x" * 40, session_data="", expire_date=timezone.now())
