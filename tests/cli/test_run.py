"""muniment run with a real vault: a command gets only its secrets, or is not started."""

import base64
import http.server
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

import pytest

from muniment.cli import secret_environment
from muniment.errors import RunCode, RunError, UsageError, VaultCode, VaultError
from muniment.vault import child_environment, engines, identity, layout, secret_fetching
from muniment.vault.failures import vault_error
from muniment.vault.identity import JobIdentity
from muniment.vault.role_access import open_role
from tests.support import vaults
from tests.support.pipeline_service import FakeService
from tests.support.running import clean, until
from tests.support.terminals import Seated
from tests.support.vaults import COMMIT, Key, Running

SECRETS = {
    "TOKEN": "-".join(["what", "only", "the", "pipeline", "reads"]),
    "PASSWORD": "'".join(["p4ss", 'w"rd', "$x y\\z"]),
    "KEY": "\n".join(["-----BEGIN TEST-----", "QWxhZGRpbjpvcGVuIHNlc2FtZQ" * 2, "-----END TEST-----", ""]),
}
FORGE, RUNNER = Key(), Key()
GITHUB, PLAIN = vaults.by_github(), vaults.by_runner(RUNNER)


class Pipeline(NamedTuple):
    """Plain runner, and the vault that it may read."""

    vault: Running
    environment: dict[str, str]

    def command(self, *arguments: str, env: str = "plain") -> list[str]:
        return [sys.executable, "-m", "muniment", "run", "--env", env, *arguments]

    def run(
        self, *arguments: str, env: str = "plain", changed: Mapping[str, str | None] = {}
    ) -> subprocess.CompletedProcess[str]:
        environment = {**self.environment, **changed}
        given = {name: value for name, value in environment.items() if value is not None}
        return subprocess.run(
            self.command(*arguments, env=env), env=given, capture_output=True, text=True, check=False, timeout=60
        )


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    folder = tmp_path_factory.mktemp("run")
    key = folder / "runner.key"
    key.write_bytes(RUNNER.pem)
    key.chmod(0o600)
    with vaults.running(folder / "home") as vault:
        others = [vaults.by_runner(RUNNER, name) for name in ("empty", "short", "odd", "closed")]
        vault.make((vaults.github(FORGE),), (GITHUB, PLAIN, *others))
        vault.web.patch_secrets("shop", "plain", dict(SECRETS))
        vault.web.patch_secrets("shop", "production", dict(SECRETS))
        vault.web.patch_secrets("shop", "short", {"PIN": "1234", **SECRETS})
        vault.web.patch_secrets("shop", "closed", dict(SECRETS))
        for entrance in (GITHUB, PLAIN, *others[:3]):
            open_role(vault.worker, entrance, COMMIT)
        yield Pipeline(
            vault,
            {
                **clean(),
                "MUNIMENT_VAULT_URL": vault.server.address,
                "MUNIMENT_PRODUCT": "shop",
                "MUNIMENT_RUNNER_KEY": str(key),
                "MUNIMENT_COMMIT": COMMIT,
            },
        )


FILES = ("--file", "TOKEN", "--file", "PASSWORD", "--file", "KEY")
VARIABLES = ("--secret", "TOKEN", "--secret", "PASSWORD", "--secret", "KEY")


def test_secrets_are_passed_as_files_and_never_printed(pipeline: Pipeline) -> None:
    script = "cat $TOKEN_FILE $PASSWORD_FILE $KEY_FILE; base64 $KEY_FILE; env; exit 7"
    done = pipeline.run(*FILES, "--", "sh", "-c", script)
    assert done.returncode == 7
    assert done.stderr == ""
    assert done.stdout.startswith("***")
    for value in SECRETS.values():
        assert value not in done.stdout
        assert base64.b64encode(value.encode()).decode() not in done.stdout
    names = {line.partition("=")[0] for line in done.stdout.splitlines() if "=" in line}
    assert {"TOKEN_FILE", "PASSWORD_FILE", "KEY_FILE"} <= names
    assert not {"TOKEN", "PASSWORD", "KEY"} & names


def test_command_reads_the_exact_values(pipeline: Pipeline, tmp_path: Path) -> None:
    result = tmp_path / "result"
    script = (
        "import json, os, sys\n"
        "names = ('TOKEN', 'PASSWORD', 'KEY')\n"
        "files = {n: open(os.environ[n + '_FILE']).read() for n in names if n + '_FILE' in os.environ}\n"
        "json.dump([files, {n: os.environ[n] for n in names if n in os.environ}], open(sys.argv[1], 'w'))"
    )

    def read(*options: str) -> Any:
        pipeline.run(*options, "--", sys.executable, "-c", script, str(result))
        return json.loads(result.read_text())

    assert read(*FILES) == [SECRETS, {}]
    assert read(*FILES, "--tmpfs") == [SECRETS, {}]
    assert read(*VARIABLES) == [{}, SECRETS]
    assert read("--secret", "TOKEN", "--file", "KEY") == [{"KEY": SECRETS["KEY"]}, {"TOKEN": SECRETS["TOKEN"]}]
    assert read("--secret", "TOKEN=KEY", "--file", "KEY=TOKEN_FILE") == [
        {"TOKEN": SECRETS["KEY"]},
        {"KEY": SECRETS["TOKEN"]},
    ]


def test_unnamed_secret_is_not_reachable_by_the_job(pipeline: Pipeline, tmp_path: Path) -> None:
    """Neither a variable, nor a file, nor the memory of the parent process contains the secret."""
    find = (
        "import os, sys\n"
        "found, parent = [], os.getppid()\n"
        "pieces = [open(f'/proc/{p}/environ', 'rb').read() for p in (parent, 'self')]\n"
        "for handle in os.listdir(f'/proc/{parent}/fd'):\n"
        "    try: pieces.append(open(f'/proc/{parent}/fd/{handle}', 'rb').read()) if 'memfd' in os.readlink(\n"
        "        f'/proc/{parent}/fd/{handle}') else None\n"
        "    except OSError: pass\n"
        "try: memory = open(f'/proc/{parent}/mem', 'rb', 0)\n"
        "except OSError: memory = None\n"  # a system that forbids it
        "for line in open(f'/proc/{parent}/maps') if memory else ():\n"
        "    first, last = (int(x, 16) for x in line.split()[0].split('-'))\n"
        "    if 'r' not in line.split()[1] or last >= 1 << 63: continue\n"
        "    try: memory.seek(first); pieces.append(memory.read(last - first))\n"
        "    except OSError: pass\n"
        "whole = b''.join(pieces)\n"
        "open(sys.argv[1], 'w').write(repr([piece.encode()[::-1] in whole for piece in sys.argv[2:]]))"
    )
    result = tmp_path / "result"
    named, unnamed = (value.replace("\n", "")[:26][::-1] for value in (SECRETS["TOKEN"], SECRETS["PASSWORD"]))
    pipeline.run("--file", "TOKEN", "--", sys.executable, "-c", find, str(result), named, unnamed)
    assert result.read_text() == "[True, False]"  # the named one is there: what looks for them finds them


@pytest.mark.parametrize("variable", ["BASH_ENV", "LD_PRELOAD", "PATH", "SSL_CERT_FILE", "TOKEN_IS_HERE"])
@pytest.mark.parametrize("option", ["--secret", "--file"])
def test_secret_replaces_no_variable_and_sets_none_that_programs_obey(
    pipeline: Pipeline, option: str, variable: str, tmp_path: Path
) -> None:
    mark = tmp_path / "started"
    arguments = (option, f"TOKEN={variable}", "--", "touch", str(mark))
    done = pipeline.run(*arguments, changed={"TOKEN_IS_HERE": "", "MUNIMENT_VAULT_URL": "unix:/nowhere"})
    assert done.returncode == RunCode.VARIABLE_REFUSED
    assert variable in done.stderr
    assert not mark.exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "no secret is named"),
        (["--secret", "A", "--secret", "B=A"], "A is named twice"),
        (["--secret", "A=B=C"], "names no secret and variable"),
        (["--secret", "A B"], "names no secret and variable"),
        (["--secret", "A", "--public", "B"], "--public B"),
    ],
)
def test_contradicting_options_start_nothing(
    pipeline: Pipeline, arguments: list[str], message: str, tmp_path: Path
) -> None:
    mark = tmp_path / "started"
    done = pipeline.run(*arguments, "--", "touch", str(mark))
    assert (done.returncode, mark.exists()) == (2, False)
    assert message in done.stderr


def test_command_gets_no_credential_for_signing_in(pipeline: Pipeline) -> None:
    tokens = {"VAULT_TOKEN": "hvs." + "x" * 20, "BAO_TOKEN": "t", "MY_ID": RUNNER.sign(vaults.now())}
    done = pipeline.run(
        "--secret", "TOKEN", "--", "sh", "-c", "env; echo ---; cat /proc/$PPID/environ | tr '\\0' '\\n'", changed=tokens
    )
    assert done.returncode == 0
    command, _, ours = done.stdout.partition("---")
    is_readable = "Permission denied" not in done.stderr  # by root; other accounts cannot read it at all
    assert is_readable or os.geteuid() != 0
    for visible in (command, ours) if is_readable else (command,):
        assert "MUNIMENT_PRODUCT=shop\n" in visible  # all else is there, and as it was
        assert f"PATH={pipeline.environment['PATH']}\n" in visible
    names = {line.partition("=")[0] for line in command.splitlines()}
    assert not {*tokens, "MUNIMENT_RUNNER_KEY"} & names
    for name in (*tokens, "MUNIMENT_RUNNER_KEY") if is_readable else ():
        assert f"\n{name}=\n" in ours  # overwritten: what runs may look at who started it


def test_job_of_github_signs_in_with_its_own_identity(pipeline: Pipeline) -> None:
    with GitHub() as forge:
        given = {**forge.variables, "MUNIMENT_RUNNER_KEY": None}
        done = pipeline.run(
            "--file", "TOKEN", "--", "sh", "-c", "cat $TOKEN_FILE; env", env="production", changed=given
        )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("***")
    assert "ACTIONS_ID_TOKEN" not in done.stdout
    assert forge.asked == [layout.AUDIENCE]


def test_terminal_is_passed_on_and_masked(pipeline: Pipeline) -> None:
    script = 'test -t 1 && printf "\\033[32m%s\\033[0m\\n" "$TOKEN"'
    command = pipeline.command("--secret", "TOKEN", "--", "sh", "-c", script)
    with Seated(command, pipeline.environment) as seated:
        code, seen = seated.ends()
    assert code == 0
    assert b"\x1b[32m***\x1b[0m\r\n" in seen


REFUSED: dict[str, tuple[RunCode, list[str], Mapping[str, str | None], str]] = {
    "no identity": (RunCode.IDENTITY, [], {"MUNIMENT_RUNNER_KEY": None}, "nothing vouches for this process"),
    "two identities": (RunCode.IDENTITY, [], {"MUNIMENT_ID_TOKEN": "x"}, "several vouch for this process"),
    "another identity": (RunCode.IDENTITY, ["--identity", "github"], {}, "as github"),
    "no commit": (RunCode.IDENTITY, [], {"MUNIMENT_COMMIT": None}, "which commit"),
    "no key": (RunCode.IDENTITY, [], {"MUNIMENT_RUNNER_KEY": "/nowhere/runner.key"}, "cannot be read"),
    "a key that is none": (RunCode.IDENTITY, [], {"MUNIMENT_RUNNER_KEY": "KEY"}, "no key of a runner"),
    "a key that others read": (RunCode.IDENTITY, [], {"MUNIMENT_RUNNER_KEY": "OPEN"}, "others may read"),
    "no address": (RunCode.ADDRESS, [], {"MUNIMENT_VAULT_URL": None}, "address of the vault"),
    "in the clear": (RunCode.ADDRESS, [], {"MUNIMENT_VAULT_URL": "http://vault.example.test"}, "not encrypted"),
    "down": (RunCode.UNREACHABLE, [], {"MUNIMENT_VAULT_URL": "unix:/nowhere/vault"}, "cannot be reached"),
    "another commit": (RunCode.REFUSED, [], {"MUNIMENT_COMMIT": "b" * 40}, "its commit is another"),
    "closed": (RunCode.REFUSED, ["--env", "closed"], {}, "role is closed"),
    "another environment": (RunCode.REFUSED, ["--env", "production"], {}, "has no role"),
    "no secrets": (RunCode.MISSING, ["--env", "empty"], {}, "nothing there"),
    "a missing name": (RunCode.SECRET_NOT_FOUND, ["--secret", "NOPE"], {}, "no secret NOPE"),
    "a short secret": (
        RunCode.SECRET_TOO_SHORT,
        ["--env", "short", "--secret", "PIN"],
        {},
        "PIN has fewer than 8 characters",
    ),
    "no program": (RunCode.COMMAND_NOT_FOUND, [], {"PATH": "/nowhere"}, "no such program"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_command_is_not_started_after_an_error(pipeline: Pipeline, case: str, tmp_path: Path) -> None:
    code, arguments, changed, output = REFUSED[case]
    for name, mode in (("KEY", 0o600), ("OPEN", 0o644)):
        (tmp_path / name).write_text("no key at all")
        (tmp_path / name).chmod(mode)
    files = {name: str(tmp_path / value) for name, value in changed.items() if value in ("KEY", "OPEN")}
    mark = tmp_path / "started"
    named = ("--secret", "TOKEN", *arguments)
    done = pipeline.run(*named, "--", "touch", str(mark), changed={**changed, **files})
    assert done.returncode == code, done.stderr
    assert output in done.stderr
    assert len(done.stderr.splitlines()) == 2
    assert done.stdout == ""
    assert not mark.exists()
    assert not any(value in done.stderr for value in SECRETS.values())


def test_permitted_job_of_an_environment_without_secrets_learns_what_is_missing(pipeline: Pipeline) -> None:
    """The service opens no role where there is nothing to read."""
    service = FakeService()
    command = ("--secret", "TOKEN", "--", "true")
    done = pipeline.run(*command, env="closed", changed={"MUNIMENT_URL": service.url})
    service.server.shutdown()
    service.server.server_close()
    assert done.returncode == RunCode.MISSING
    assert "the service permits this job, and closed of shop has no secrets; nothing was started" in done.stderr
    assert "Next: Set each: muniment secret set NAME --product shop --env closed" in done.stderr


def test_wrong_password_of_a_person_is_not_taken_for_a_closed_role(pipeline: Pipeline) -> None:
    for name, password in ((layout.ADMINISTRATOR, "wrong"), ("nobody", pipeline.vault.password)):
        with pytest.raises(VaultError, match="does not accept this name and password"):
            pipeline.vault.vault.sign_in_person(name, password)


def test_short_secret_marked_public_is_not_masked(pipeline: Pipeline) -> None:
    short = ("--env", "short", "--secret", "TOKEN")
    done = pipeline.run(*short, "--secret", "PIN", "--public", "PIN", "--", "sh", "-c", "echo $PIN$TOKEN")
    assert done.stdout == "1234***\n"
    done = pipeline.run(*short, "--", "sh", "-c", "echo $PIN$TOKEN")  # one that the job does not get, neither
    assert done.stdout == "***\n"


def test_json_secret_transformed_by_shell_or_program_is_masked(pipeline: Pipeline) -> None:
    key = {"type": "service_account", "private_key": SECRETS["KEY"], "id": "shop-production"}
    pipeline.vault.web.patch_secrets("shop", "odd", {"JSON": json.dumps(key)})
    script = (
        'echo "$JSON"; printf "%b\\n" "$JSON"; ' + sys.executable + " -c '"
        'import json, os; key = json.loads(os.environ["JSON"]); print(*key.values()); print(key["private_key"][:60])\''
    )
    done = pipeline.run("--env", "odd", "--secret", "JSON", "--", "sh", "-c", script)
    assert done.stdout == "***\n***\nservice_account ***\n shop-production\n***\n"


def test_secret_with_a_null_byte_starts_nothing_and_other_encodings_are_masked(
    pipeline: Pipeline, tmp_path: Path
) -> None:
    pipeline.vault.web.patch_secrets("shop", "odd", {"NUL": "with a\0 null byte", "UMLAUT": "größer als ß"})
    mark = tmp_path / "started"
    done = pipeline.run("--env", "odd", "--secret", "NUL", "--", "touch", str(mark))
    assert done.returncode == RunCode.COMMAND_NOT_FOUND
    assert not mark.exists()
    other = {"LC_ALL": "de_DE.ISO-8859-1", "LANG": "de_DE.ISO-8859-1"}
    done = pipeline.run("--env", "odd", "--secret", "UMLAUT", "--", "sh", "-c", "echo $UMLAUT", changed=other)
    assert done.stdout == "***\n"


def test_sealed_or_hanging_vault_starts_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(secret_fetching, "_SECONDS", 1)
    with vaults.running(tmp_path) as vault:
        runner = vaults.by_runner(RUNNER)
        vault.make((), (runner,))
        vault.web.patch_secrets("shop", "plain", dict(SECRETS))
        open_role(vault.worker, runner, COMMIT)
        signed = FixedIdentity(RUNNER.sign(vaults.runner_claims(runner)))
        assert secret_fetching.fetch_secrets("shop", "plain", signed, vault.server.address, "") == SECRETS
        old = FixedIdentity(RUNNER.sign(vaults.runner_claims(runner, iat=1, nbf=1, exp=2)))
        assert code(old, vault.server.address) is RunCode.EXPIRED
        os.kill(vault.server.pid, signal.SIGSTOP)
        assert code(signed, vault.server.address) is RunCode.TIMED_OUT
        os.kill(vault.server.pid, signal.SIGCONT)
        vault.person.request("PUT", "sys/seal", {})
        assert code(signed, vault.server.address) is RunCode.SEALED


@pytest.mark.parametrize("vault", list(VaultCode))
def test_each_vault_failure_has_its_exit_code(vault: VaultCode) -> None:
    class Failing(FixedIdentity):
        def get_vault_token(self, product: str, environment: str) -> str:
            raise vault_error(vault)

    expected = getattr(RunCode, vault.name, RunCode.FAILED)
    assert code(Failing(""), "unix:/nowhere") is expected


def test_missing_environment_name_is_wrong_usage() -> None:
    with pytest.raises(UsageError):
        secret_fetching.fetch_secrets("shop", "../other", FixedIdentity(""), "unix:/nowhere", "")


def test_other_accounts_on_the_machine_see_no_value(pipeline: Pipeline, tmp_path: Path) -> None:
    """Another account reads all that /proc shows of the processes; not even `ps` of root shows the secrets."""
    mark = tmp_path / "ready"
    script = f"echo $PPID $$ > {mark}.new; mv {mark}.new {mark}; sleep 60"
    with subprocess.Popen(pipeline.command(*VARIABLES, "--", "sh", "-c", script), env=pipeline.environment) as us:
        try:
            until(mark.exists)
            ids = mark.read_text().split()
            listed = subprocess.run(["ps", "axww"], capture_output=True, text=True, check=True).stdout
            assert ids[0] in listed
            look = "for p in $*; do for f in environ cmdline maps mem fd/*; do cat /proc/$p/$f; done; done"
            stranger = {"user": 65534, "group": 65534} if os.geteuid() == 0 else {}
            seen: Any = subprocess.run(  # type: ignore[call-overload]
                ["sh", "-c", f"{look} 2>/dev/null; true", "-", *ids], capture_output=True, check=True, **stranger
            )
            assert b"--secret" in seen.stdout
            for value in SECRETS.values():
                assert value not in listed
                if stranger:
                    assert value.encode() not in seen.stdout
        finally:
            us.terminate()


def unsigned_token(claims: str) -> str:
    """JWT with these literal claims and without a valid signature."""
    return f"eyJhbGciOiJub25lIn0.{base64.urlsafe_b64encode(claims.encode()).decode().rstrip('=')}.x"


@pytest.mark.parametrize(
    ("value", "stripped"),
    [
        (RUNNER.sign(vaults.now()), True),
        (RUNNER.sign({**vaults.now(), "aud": ["x", layout.AUDIENCE]}), True),
        (RUNNER.sign({**vaults.now(), "aud": "https://elsewhere.example.test"}), False),
        (unsigned_token('{"aud": "muniment", "aud": "https://elsewhere.example.test"}'), True),
        (unsigned_token('{"aud": "https://elsewhere.example.test", "aud": "muniment"}'), True),
        (unsigned_token('{"aud": "x", "a": {"b": 1, "b": 2}}'), True),
        (unsigned_token("[" * 100_000), True),
        ("eyJ.!.x", False),
        ("eyJ.W10.x", False),
        ("a.b.c", False),
        ("", False),
    ],
)
def test_vault_identity_is_removed_from_the_environment_in_any_variable(value: str, stripped: bool) -> None:
    assert ("ANY" in child_environment.find_tokens({"ANY": value})) is stripped


def test_vault_and_service_get_separate_tokens() -> None:
    gitlab = identity.find_identity({"MUNIMENT_ID_TOKEN": "one", "MUNIMENT_API_TOKEN": "two"})
    assert (gitlab.get_vault_token("shop", "x"), gitlab.get_service_token("https://m.example.test", "shop", "x")) == (
        "one",
        "two",
    )
    with pytest.raises(RunError, match="MUNIMENT_API_TOKEN is empty"):
        identity.find_identity({"MUNIMENT_ID_TOKEN": "one"}).get_service_token("https://m.example.test", "shop", "x")


def test_renewed_token_files_of_a_cluster_are_read_again(tmp_path: Path) -> None:
    (tmp_path / "vault").write_text("one\n")
    (tmp_path / "service").write_text("two\n")
    files = {"MUNIMENT_TOKEN_FILE": f"{tmp_path}/vault", "MUNIMENT_API_TOKEN_FILE": f"{tmp_path}/service"}
    pod = identity.find_identity(files)
    assert (pod.get_vault_token("shop", "x"), pod.get_service_token("https://m.example.test", "shop", "x")) == (
        "one",
        "two",
    )
    with pytest.raises(RunError, match="MUNIMENT_API_TOKEN_FILE is empty"):
        identity.find_identity({"MUNIMENT_TOKEN_FILE": f"{tmp_path}/vault"}).get_service_token(
            "https://m.example.test", "shop", "x"
        )


@pytest.mark.parametrize("answer", [b"", b"[]", b'{"value": 1}', b"not json"])
def test_forge_without_identity_is_reported(answer: bytes) -> None:
    with GitHub(answer) as forge, pytest.raises(RunError, match="GitHub gave this job no identity"):
        identity.find_identity(forge.variables).get_vault_token("shop", "production")


def test_forge_token_is_sent_to_no_other_server() -> None:
    with GitHub() as elsewhere, GitHub(to=elsewhere.variables["ACTIONS_ID_TOKEN_REQUEST_URL"]) as forge:
        with pytest.raises(RunError, match="no identity"):
            identity.find_identity(forge.variables).get_vault_token("shop", "production")
        assert elsewhere.asked == []


class FixedIdentity:
    """Identity with a fixed token."""

    def __init__(self, token: str) -> None:
        self.token = token

    def vault_mount(self, product: str, environment: str) -> str:
        return layout.runner_mount(product, environment)

    def get_vault_token(self, product: str, environment: str) -> str:
        return self.token

    def get_service_token(self, url: str, product: str, environment: str) -> str:
        return self.token


def code(who: JobIdentity, address: str) -> RunCode:
    with pytest.raises(RunError) as caught:
        secret_fetching.fetch_secrets("shop", "plain", who, address, "")
    return caught.value.code


class GitHub:
    """Identity endpoint of a job of GitHub Actions."""

    def __init__(self, answer: bytes | None = None, to: str = "") -> None:
        self.asked: list[str] = []
        forge = self

        class Answer(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                assert self.headers["Authorization"] == "Bearer " + "t" * 20
                audience = parse_qs(urlsplit(self.path).query)["audience"][0]
                forge.asked.append(audience)
                token = FORGE.sign({**vaults.github_claims(), "aud": audience})
                self.send_response(302 if to else 200)
                if to:
                    self.send_header("Location", to)
                self.end_headers()
                self.wfile.write(json.dumps({"value": token}).encode() if answer is None else answer)

            def log_message(self, *_: object) -> None:
                """Discard log messages."""

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
        self.variables = {
            "ACTIONS_ID_TOKEN_REQUEST_URL": f"http://127.0.0.1:{self.server.server_port}/token?api-version=2.0",
            "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "t" * 20,
        }

    def __enter__(self) -> "GitHub":
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()


def test_nothing_is_requested_where_nothing_masks(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that cannot start is not recorded as one that was permitted."""

    def fail(_keys: object) -> None:
        raise ImportError

    monkeypatch.setattr(engines, "create_hyperscan_finder", fail)
    monkeypatch.setattr(engines, "create_ahocorasick_finder", fail)
    with pytest.raises(RunError, match="nothing that masks"):
        secret_environment.require_program("true")
