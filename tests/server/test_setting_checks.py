"""Checks of settings: each is validated before a process starts, and a refusal never repeats a value."""

import contextlib
import json
import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from muniment.cli import service_setup
from muniment.errors import ParseError, UsageError
from muniment.server.setting_checks import CHECKS, check_environment
from tests.support.hostile import Canary

WORD = "-".join(("a", "word"))  # a password, as far as a test can tell
GOOD: dict[str, tuple[str, ...]] = {
    "MUNIMENT_URL": ("https://muniment.example.test", "http://localhost:8000", "http://[::1]:8000"),
    "MUNIMENT_CONFIRMATION_URL": ("https://confirm.muniment.example.test", "http://localhost:8001"),
    "MUNIMENT_TRUSTED_PROXIES": ("10.0.0.7", "10.0.0.7, 10.1.0.0/16,fd00::/8"),
    "MUNIMENT_OUTGOING_NETWORKS": ("10.2.0.0/16", "10.2.0.9,fd00::/8"),
    "MUNIMENT_HOME": ("/var/lib/muniment", "home"),
    "DATABASE_URL": (
        f"postgresql://owner:{WORD}@db.example.test:5432/muniment?sslmode=verify-full",
        "postgres://owner@/muniment?host=/run/postgresql",
        f"postgresql://owner:{WORD}%40%25@10.0.0.7/muniment",
    ),
    "MUNIMENT_SMTP_URL": (f"smtp://me:{WORD}@mail.example.test:587", "smtps://mail", "smtp://localhost:25?plain=yes"),
    "MUNIMENT_MAIL_FROM": ("muniment@example.test", "Muniment <muniment@example.test>"),
    "MUNIMENT_MAIL_REPLIES": ("yes", "no"),
    "MUNIMENT_IMAP_URL": (f"imaps://me:{WORD}@mail.example.test:993/INBOX", f"imap://me:{WORD}@mail.example.test"),
    "MUNIMENT_CHAT_URL": (f"https://chat.example.test/hooks/{WORD}", "http://127.0.0.1:8065/hooks/x?y=z"),
    "MUNIMENT_WORKER": ("build-1:/srv", "--upload-pack=x"),
    "MUNIMENT_FORGES": ("github=https://github.com, work=https://git.example.test",),
    "MUNIMENT_ADVISORIES": ("/srv/pypi.zip", "https://osv.example.test/PyPI/all.zip /srv/npm.zip"),
    "MUNIMENT_EXPLOITED": ("/srv/kev.json", "https://kev.example.test/feeds/known.json"),
    "MUNIMENT_BREACHED": ("/srv/breached.txt", "/tmp"),
    "MUNIMENT_REPOSITORY_FOLDERS": ("/srv/git", "/srv/git:/home/git/repositories"),
    "MUNIMENT_OIDC_ISSUER": ("https://login.example.test/realms/x",),
    "MUNIMENT_VAULT_URL": ("https://vault.example.test:8200", "unix:/run/vault.sock", "http://127.0.0.1:8200"),
    "MUNIMENT_VAULT_CA": ("/etc/ssl/vault.pem",),
    "MUNIMENT_VAULT_NAMESPACE": ("team", "team/muniment", "team/muniment/"),
    "MUNIMENT_VAULT_AUDIT": ("/var/log/vault/audit.log",),
    "MUNIMENT_VAULT_LISTEN": ("vault.example.test:8200", "[::1]:8200", "127.0.0.1:8200"),
    "MUNIMENT_VAULT_CERT": ("/etc/ssl/vault.pem",),
    "MUNIMENT_VAULT_KEY": ("/etc/ssl/vault.key",),
}
UNSEEN = (
    "a\nb",
    "https://x.example.test/\n",
    "a\0b",
    "\u202ehttps://x",
    "x" * 1_000_000,
    "\x1b[31m",
    "\ud800",
    "\u2028",
)
NOTHING = (  # what none of the addresses, paths and lists is
    *("--upload-pack=x", "-oProxyCommand=x", "ext::sh -c id", "fd::17/x", "http://user:" + WORD + "@", "https://"),
    *(
        "https://[",
        "https://x:0",
        "https://x:99999",
        "https://x:\u0661",
        "javascript:alert(1)",
        "x",
        "*",
        "https://[x:'y]",
    ),
)
NAMES = ("MUNIMENT_WORKER", "MUNIMENT_HOME", "MUNIMENT_VAULT_NAMESPACE")  # any visible text is one
ADDRESSES = (
    *("MUNIMENT_URL", "MUNIMENT_CONFIRMATION_URL"),
    *("MUNIMENT_CHAT_URL", "MUNIMENT_OIDC_ISSUER", "MUNIMENT_VAULT_URL"),
)


_ALONE = """
import json, sys
from muniment.errors import ParseError, UsageError
from muniment.server.setting_checks import check_environment
for variable, value in json.load(sys.stdin):
    try:
        check_environment({variable: value})
    except ParseError as error:
        print(variable, error.message, error.remedy)
"""


def refusal(variable: str, value: str) -> ParseError | None:
    try:
        check_environment({variable: value})
    except ParseError as error:
        return error
    return None


@pytest.mark.parametrize("variable", CHECKS)
def test_valid_value_is_accepted(variable: str) -> None:
    for value in (*GOOD[variable], ""):
        assert refusal(variable, value) is None, value


@pytest.mark.parametrize("variable", CHECKS)
def test_invalid_value_is_refused_by_the_name_of_its_variable_alone(variable: str) -> None:
    for value in (*UNSEEN, *(() if variable in NAMES else NOTHING)):
        problem = refusal(variable, value)
        assert problem is not None, (variable, value[:60])
        text = problem.message + problem.remedy
        assert variable in text
        assert len(text) < 300
        assert WORD not in text


@pytest.mark.parametrize("variable", ADDRESSES)
def test_address_with_password_or_file_address_is_refused(variable: str) -> None:
    for value in (f"https://user:{WORD}@host.example.test", "https://@host.example.test", "file:///etc/passwd"):
        problem = refusal(variable, value)
        assert problem is not None, value
        assert WORD not in problem.message + problem.remedy


def test_typed_address_is_a_host_alone() -> None:
    for rest in ("/", "/muniment", "?x=y", "#x", "%0a", "/%0d%0ax"):
        assert refusal("MUNIMENT_URL", f"https://muniment.example.test{rest}") is not None, rest
    assert refusal("MUNIMENT_URL", "https://m\u0430niment.example.test") is not None  # a letter of another script


@pytest.mark.parametrize(
    ("confirmation", "refused"),
    [
        ("https://muniment.example.test", True),
        ("https://MUNIMENT.example.test", True),
        ("http://muniment.example.test:8443", True),
        ("https://example.test", True),
        ("https://notmuniment.example.test", True),
        ("https://muniment.example.test:8443", False),
        ("https://confirm.muniment.example.test", False),
    ],
)
def test_acts_are_signed_at_another_origin_of_the_same_host(confirmation: str, refused: bool) -> None:
    settings = {"MUNIMENT_URL": "https://muniment.example.test", "MUNIMENT_CONFIRMATION_URL": confirmation}
    with pytest.raises(ParseError, match="MUNIMENT_CONFIRMATION_URL") if refused else contextlib.nullcontext():
        check_environment(settings)


def test_database_address_has_only_options_of_the_library() -> None:
    for address in (
        *("postgresql://h", "postgresql:///", "postgresql:///muniment", "mysql://u@h/d", "postgresql://u@h:x/d"),
        *("postgresql://u@h/d?nosuch=1", "postgresql://u@h/d?sslmode"),
        *(
            "postgresql://u@h/d%00",
            "postgresql://u%0a@h/d",
            "postgresql://u@h/d?host=%00",
            "postgresql://u@h/d?service=x",
        ),
    ):
        assert refusal("DATABASE_URL", address) is not None, address


def test_pipe_or_device_is_refused_as_a_file(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for variable in ("MUNIMENT_BREACHED", "MUNIMENT_VAULT_CA", "MUNIMENT_VAULT_AUDIT"):
        for path in (str(pipe), "/dev/zero", "relative/x", "~/x", "$HOME/x"):
            assert refusal(variable, path) is not None, path


@pytest.mark.parametrize("variable", CHECKS)
def test_hostile_value_is_refused_or_treated_as_plain_text(variable: str, tmp_path: Path) -> None:
    canary = Canary(tmp_path)
    for value in canary.values():
        problem = refusal(variable, value)
        assert problem is None or (problem.message and problem.remedy)
    assert not canary.file.exists()


def test_every_process_of_the_service_validates_settings_first(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MUNIMENT_CHAT_URL", f"chat.example.test/{WORD}")
    with pytest.raises(ParseError, match="MUNIMENT_CHAT_URL"):
        service_setup.set_up_process(tmp_path, "web", "http://localhost:8000")
    monkeypatch.delenv("MUNIMENT_CHAT_URL")
    with pytest.raises(ParseError, match="MUNIMENT_URL"):
        service_setup.set_up_process(tmp_path, "web", "http://[")


def test_each_documented_setting_is_validated() -> None:
    described = (Path(__file__).parents[2] / "docs" / "reference" / "settings.md").read_text(encoding="utf-8")
    service = described.partition("\n## Pipelines\n")[0]
    tables = [line.split("|")[1] for line in service.splitlines() if line.startswith("| `")]
    named = {name for cell in tables for name in re.findall(r"`([A-Z_]+)`", cell)}
    free = {"MUNIMENT_OIDC_CLIENT", "MUNIMENT_OIDC_SECRET", "MUNIMENT_OIDC_ROLES", "MUNIMENT_OIDC_MFA", "MUNIMENT_LOG"}
    free |= {"MUNIMENT_VAULT_TOKEN"}  # of a command
    free |= {"MUNIMENT_DEVELOPMENT"}  # any value but 1 counts as none
    settings = {name for name in named if name.startswith("MUNIMENT_") or name == "DATABASE_URL"}
    assert settings - free <= CHECKS.keys()
    assert len(settings) > 10


def test_invalid_value_is_refused_before_any_settings_are_read() -> None:
    own = {name: value for name, value in os.environ.items() if not name.startswith("DJANGO_")}
    asked = [(variable, value) for variable in CHECKS if variable not in NAMES for value in (*NOTHING, "a\nb")]
    done = subprocess.run(
        [sys.executable, "-c", _ALONE], input=json.dumps(asked), env=own, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert len(done.stdout.splitlines()) == len(asked)


def test_command_names_the_invalid_setting(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "muniment", "worker", "--home", str(tmp_path)],
        env={**os.environ, "MUNIMENT_URL": "ht tp://x", "DJANGO_SETTINGS_MODULE": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("muniment: MUNIMENT_URL is not an address of a web server")


def test_port_in_use_is_refused_before_anything_starts() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(UsageError, match=f"port {port} cannot be listened on") as caught:
            service_setup.require_free_port(port, "127.0.0.1")
    assert "--port" in caught.value.remedy
    service_setup.require_free_port(port, "127.0.0.1")
