"""Hostile values of settings: refused with a reason, or without effect."""

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from muniment.errors import MunimentError
from muniment.http import proxies
from muniment.server import logs
from muniment.server.meetings import reply_reading
from muniment.server.people import company_sign_in, messages, published_keys
from muniment.server.running import database_settings
from muniment.store.settings import read_settings
from tests.support.hostile import Canary

BROKEN = (  # addresses and lists that no parser of ours may stumble over
    *(
        "http://[",
        "https://[::1",
        "https://[::1]]:1",
        "http://x:99999999",
        "http://x:abc",
        "http://x:-1",
        "//",
        "http://",
    ),
    *("https://user:p@x", "smtp://[", "smtp://h:99999", "smtps://h:x", "smtp://h\n:25", "postgres://h:x/db"),
    *(
        "postgres://[/db",
        "postgresql://u@h/d?sslmode=\x00",
        "=",
        "=,=",
        ",,,,",
        "a=b=c",
        "x=https://[",
        "a=https://x:99999",
    ),
    *("x\n", "\nx", "9" * 5_000, "\ud800", "%00", "%ff", "https://x/%zz", "https://\u202ex", "https://x y/"),
)
Parser = Callable[[str, Path], object]


def from_environment(name: str, read: Callable[[], object], form: str = "{}") -> Parser:
    """A parser of a variable of this process."""

    def parse(value: str, home: Path) -> object:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv(name, form.replace("{}", value))
            return read()

    return parse


def sign_in(value: str, home: Path) -> object:
    settings = {"MUNIMENT_OIDC_ISSUER": value, "MUNIMENT_OIDC_CLIENT": "c", "MUNIMENT_OIDC_SECRET": "s"}
    return company_sign_in.read_provider_settings(settings), company_sign_in.read_provider_origin(settings)


def mails() -> Any:
    """OSError is raised to a job of the worker, which repeats later."""
    with suppress(OSError):
        return messages.open_mail_backend()
    return None


def find_mailbox() -> Any:
    """OSError is raised to a job of the worker, which repeats later."""
    with suppress(OSError):
        return reply_reading.read_mailbox_address()
    return None


PARSERS: dict[str, Parser] = {
    "MUNIMENT_FORGES": from_environment("MUNIMENT_FORGES", published_keys.read_named_forges),
    "an address of MUNIMENT_FORGES": from_environment("MUNIMENT_FORGES", published_keys.read_named_forges, "work={}"),
    "MUNIMENT_OIDC_ISSUER": sign_in,
    "MUNIMENT_OIDC_ROLES": lambda value, home: company_sign_in.parse_group_roles(value),
    "a group of MUNIMENT_OIDC_ROLES": lambda value, home: company_sign_in.parse_group_roles(f"{value}=auditor"),
    "MUNIMENT_SMTP_URL": from_environment("MUNIMENT_SMTP_URL", mails),
    "MUNIMENT_IMAP_URL": from_environment("MUNIMENT_IMAP_URL", find_mailbox),
    "DATABASE_URL": lambda value, home: database_settings.make_django_settings(
        home, {"DATABASE_URL": value, "MUNIMENT_ROLE": "web"}
    ),
    "MUNIMENT_ROLE": lambda value, home: database_settings.read_role({"MUNIMENT_ROLE": value}),
    "MUNIMENT_LOG": lambda value, home: logs.build_log_settings(value),
    "HTTPS_PROXY": lambda value, home: proxies.parse_proxy(value),
    "home.toml": lambda value, home: read_settings(value, "home.toml", home),
    "the copy of the checkpoint": lambda value, home: read_settings(
        f"[ledger]\nexternal_copy = '''{value}'''", "home.toml", home
    ),
    "a witness": lambda value, home: read_settings(
        f"[[witness]]\nkey = '''{value}'''\nurl = '''{value}'''", "home.toml", home
    ),
}


def refusal(setting: str, value: str, home: Path) -> MunimentError | None:
    try:
        PARSERS[setting](value, home)
    except MunimentError as error:
        return error
    return None


@pytest.mark.parametrize("setting", PARSERS)
def test_a_value_of_a_setting_is_refused_or_harmless(setting: str, tmp_path: Path) -> None:
    canary = Canary(tmp_path)
    for value in (*canary.values(), *BROKEN):
        if "environment" in PARSERS[setting].__qualname__ and not _fits_a_variable(value):
            continue
        problem = refusal(setting, value, tmp_path)
        assert problem is None or (problem.message and problem.remedy), (setting, value[:80])
    assert not canary.file.exists()


def _fits_a_variable(value: str) -> bool:
    """Whether the operating system takes it: no NUL, and bytes."""
    try:
        return "\0" not in value and bool(os.fsencode(value) or True)
    except UnicodeEncodeError:
        return False


def test_invalid_address_is_refused_without_repeating_password() -> None:
    word = "-".join(("a", "word"))
    with pytest.raises(MunimentError, match="MUNIMENT_OIDC_ISSUER") as caught:
        sign_in(f"https://name:{word}@[", Path("/"))
    assert word not in caught.value.message + caught.value.remedy
