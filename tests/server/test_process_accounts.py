"""Operating system accounts: each process of a service that root starts has its own, and gains nothing of another."""

import json
import os
import pwd
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from muniment.server.records.installation import open_store
from muniment.server.running import process_separation, process_system_accounts
from muniment.server.running.health_report import _check_external_copy
from muniment.server.running.home_owners import OWNED_FILES, find_wrong_owners
from muniment.server.running.process_accounts import find_running_accounts
from muniment.server.running.process_separation import ProcessSeparation, describe_separation, separate_processes
from muniment.server.running.process_system_accounts import (
    ACCOUNT_NAMES,
    CONFIRMATION,
    DATABASE,
    ERASER,
    SEQUENCER,
    VAULT,
    WEB,
    WORKER,
    ProcessAccount,
    find_process_accounts_by_name,
    make_process_accounts,
)
from muniment.server.running.process_tree import _select_credentials
from muniment.store.files_store import PRIVATE
from tests.support.accounts import as_root
from tests.support.repos import Repo
from tests.support.running import Up, muniment, until
from tests.support.service import as_role

pytestmark = pytest.mark.slow  # a whole service

# Runs as an attacker in a process of one account: what it can read, write, remove, list and connect as.
_ATTACK = """
import json, os, signal, sys
import psycopg
home, pids, socket = sys.argv[1], json.loads(sys.argv[2]), sys.argv[3]

def can(act):
    try:
        act()
    except OSError:
        return False
    return True

def connects(user, **more):
    try:
        psycopg.connect(host=socket, dbname="muniment", user=user, connect_timeout=5, **more).close()
    except psycopg.OperationalError:
        return False
    return True

def read(path):
    with open(path, "rb") as stream:
        stream.read(1)

files = [path.rstrip("/") for path in sys.argv[4:]]
found = {
    "read": [path for path in files if os.path.isfile(path) and can(lambda: read(path))],
    "written": [path for path in files if can(lambda: os.close(os.open(path, os.O_WRONLY)))],
    "renamed": [path for path in files if can(lambda: os.rename(path, path + "x"))],
    "listed": [path for path in files if can(lambda: os.listdir(path))],
    "environments": [name for name, pid in pids.items() if can(lambda: read(f"/proc/{pid}/environ"))],
    "memories": [name for name, pid in pids.items() if can(lambda: read(f"/proc/{pid}/mem"))],
    "descriptors": [name for name, pid in pids.items() if can(lambda: os.listdir(f"/proc/{pid}/fd"))],
    "signalled": [name for name, pid in pids.items() if can(lambda: os.kill(pid, 0))],
    "connected": [
        role
        for role in ("owner", "web", "worker", "confirmation", "sequencer", "eraser", "operator")
        if connects(f"muniment_{role}", passfile=f"{home}/logins/{role}")
    ],
    "superuser": connects("muniment_super"),
    "made": [at for at in (home, home + "/keys", home + "/logins", home + "/vault", home + "/postgres")
             if can(lambda: os.mkdir(at + "/new"))],
}
print(json.dumps(found))
"""


class RunningService:
    """A service that root started, in a home below a folder that only root can enter."""

    def __init__(self, up: Up, closed: Path) -> None:
        self.up, self.closed = up, closed
        self.home = up.home
        self.pids = dict(_name_children(up.process.pid))
        self.found: dict[str, dict[str, object]] = {}

    def attack(self, name: str) -> dict[str, object]:
        """Accesses that an attacker in a process of that account succeeds with; tried once for each account."""
        if name not in self.found:
            paths = [self.home / each for each in (*OWNED_FILES, *_OTHERS)]
            words = [sys.executable, "-c", _ATTACK, self.home, json.dumps(self.pids), self.home / "postgres/socket"]
            self.found[name] = json.loads(self.run_as(name, *words, *paths))
        return self.found[name]

    def run_as(self, name: str, *words: object) -> str:
        """Output of a command that runs as an account, with the mounts of the processes."""
        account = find_process_accounts_by_name()[name]
        view = ["nsenter", f"--mount=/proc/{self.up.process.pid}/ns/mnt"]
        options = [f"--reuid={account.user}", f"--regid={account.group}", f"--groups={account.groups[0]}"]
        command = [*view, "setpriv", *options, "--inh-caps=-all", *map(str, words)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd="/")
        assert done.returncode == 0, done.stderr
        return done.stdout


_OTHERS = (
    *("", "keys", "logins", "vault", "vault/store", "vault/audit.log", "vault/audit-second.log", "vault/log"),
    *("postgres", "postgres/data", "postgres/data/postgresql.conf", "postgres/pg_hba.conf", "postgres/pg_ident.conf"),
    *("postgres/log", "objects", "service.lock"),
)


def _name_children(pid: int) -> Iterator[tuple[str, int]]:
    listed = subprocess.run(
        ["ps", "-wwo", "pid=,args=", "--ppid", str(pid)], capture_output=True, text=True, check=True
    )
    for line in listed.stdout.splitlines():
        number, words = line.split(None, 1)
        for name, sign in (
            *((WEB, "muniment web"), (WORKER, "muniment worker"), (SEQUENCER, "muniment sequencer")),
            *((CONFIRMATION, "muniment confirmation"), (ERASER, "muniment eraser")),
            *((VAULT, "bao server"), (DATABASE, "bin/postgres")),
        ):
            if sign in words:
                yield name, int(number)


_STARTED = {WEB, WORKER, CONFIRMATION, SEQUENCER, ERASER, VAULT, DATABASE}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    if os.geteuid() != 0:
        pytest.skip("only root can start processes under other accounts")
    if subprocess.run(["unshare", "--mount", "true"], capture_output=True, check=False).returncode:
        pytest.skip("nothing can be mounted here, as in a container without CAP_SYS_ADMIN")
    closed = tmp_path_factory.mktemp("closed")
    closed.chmod(0o700)
    (closed / "of-root").write_text("for root alone")
    repository = Repo(closed / "shop")
    repository.commit({"app.py": "x = 0\n"})
    up = Up(closed / "home", repository.path, migrated=False)
    try:
        until(lambda: dict(_name_children(up.process.pid)).keys() >= _STARTED, 60)
        yield RunningService(up, closed)
    finally:
        up.end()


def paths(running: RunningService, *names: str) -> set[str]:
    return {str(running.home / name) for name in names}


_READ: dict[str, tuple[str, ...]] = {
    WEB: ("keys/web.key", "keys/factors.key", "keys/hooks.key", "keys/muniment-web.key", "logins/web"),
    WORKER: (
        *("keys/hooks.key", "keys/digests.key", "keys/muniment-worker.key", "logins/worker", "workers.lock"),
        *("vault/audit.log", "vault/audit-second.log"),
    ),
    CONFIRMATION: ("logins/confirmation",),
    SEQUENCER: (PRIVATE, "keys/deploy.key", "logins/sequencer"),
    ERASER: ("logins/eraser",),
    VAULT: ("vault/audit.log", "vault/audit-second.log"),
    DATABASE: ("postgres/data/postgresql.conf", "postgres/pg_hba.conf", "postgres/pg_ident.conf"),
}
_PUBLIC = ("keys/ledger.pub", "keys/deploy.pub", "keys/muniment-web.pub", "keys/muniment-worker.pub")


@pytest.mark.parametrize("name", ACCOUNT_NAMES)
def test_attacker_in_process_reads_only_its_own_files(running: RunningService, name: str) -> None:
    assert set(running.attack(name)["read"]) == paths(running, *_READ[name], *_PUBLIC)  # type: ignore[call-overload]


@pytest.mark.parametrize("name", ACCOUNT_NAMES)
def test_attacker_in_process_replaces_no_file_of_home(running: RunningService, name: str) -> None:
    found = running.attack(name)
    assert found["made"] == []
    renamed = {DATABASE: ("postgres/data/postgresql.conf",)}.get(name, ())
    assert set(found["renamed"]) == paths(running, *renamed)  # type: ignore[call-overload]
    allowed = {
        WEB: {"keys/web.key", "keys/factors.key", "keys/muniment-web.key", "logins/web"},
        WORKER: set(_READ[WORKER]) - {"vault/audit.log", "vault/audit-second.log"},
        DATABASE: {"postgres/data/postgresql.conf"},
    }.get(name, set(_READ[name]))
    assert set(found["written"]) == paths(running, *allowed)  # type: ignore[call-overload]


@pytest.mark.parametrize("name", ACCOUNT_NAMES)
def test_attacker_in_process_sees_no_other_process(running: RunningService, name: str) -> None:
    found = running.attack(name)
    own = {name} & set(running.pids)
    for kind in ("environments", "memories", "descriptors", "signalled"):
        assert set(found[kind]) <= own, kind  # type: ignore[call-overload]


@pytest.mark.parametrize("name", ACCOUNT_NAMES)
def test_attacker_in_process_connects_only_as_its_own_login(running: RunningService, name: str) -> None:
    found = running.attack(name)
    own = name.removeprefix("muniment-")
    assert found["connected"] == ([own] if name not in (VAULT, DATABASE) else [])
    assert found["superuser"] == (name == DATABASE)  # whoever runs the server has all that is in it


@pytest.mark.parametrize("name", ACCOUNT_NAMES)
def test_attacker_in_process_lists_no_folder_of_another_process(running: RunningService, name: str) -> None:
    own = {VAULT: ("vault/store",), DATABASE: ("postgres/data",)}.get(name, ())
    assert set(running.attack(name)["listed"]) == paths(running, "", *own)  # type: ignore[call-overload]


def test_process_reaches_only_home_below_closed_folder(running: RunningService) -> None:
    assert stat.S_IMODE(running.closed.stat().st_mode) == 0o700
    assert sorted(running.run_as(WEB, "ls", running.closed).split()) == ["home", "shop"]
    assert sorted(os.listdir(running.closed)) == ["home", "of-root", "shop"]


def test_no_process_of_a_service_that_root_started_has_a_privilege(running: RunningService) -> None:
    assert running.pids.keys() >= _STARTED
    for name, pid in running.pids.items():
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        status = {key: value.split() for key, _, value in (line.partition(":") for line in lines)}
        assert {pwd.getpwuid(int(uid)).pw_name for uid in status["Uid"]} == {name}
        for kind in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
            assert int(status[kind][0], 16) == 0, (name, kind)
        assert status["NoNewPrivs"] == ["1"]
    found = find_running_accounts(running.home)
    assert found.keys() >= {name.removeprefix("muniment-") for name in _STARTED}
    assert all(names == {f"muniment-{name}"} for name, names in found.items())


def test_doctor_reports_account_separation_and_tries_each_login(running: RunningService) -> None:
    _, output = muniment("doctor", "--home", running.home)
    assert "code that runs in one reads nothing of another" in output
    assert "each key and password is its own process's alone" in output
    for login in ("web", "worker", "confirmation", "sequencer", "eraser", "operator"):
        assert f"✓ login muniment_{login}: it was refused each of" in output
    assert "copy outside: " in output
    (running.home / PRIVATE).chmod(0o644)
    try:
        assert find_wrong_owners(running.home, find_process_accounts_by_name()) == [
            f"{PRIVATE} is not rw------- of {SEQUENCER}"
        ]
    finally:
        (running.home / PRIVATE).chmod(0o600)


def test_doctor_reads_no_password_of_another_account(running: RunningService) -> None:
    file = running.home / "logins/web"
    file.chmod(0)  # root can read it still, its owner cannot
    try:
        _, output = muniment("doctor", "--home", running.home)
    finally:
        file.chmod(0o600)
    assert "login muniment_web: nothing was tried: this account cannot read its password" in output
    assert "✓ login muniment_worker: it was refused each of" in output


@as_root
@pytest.mark.usefixtures("service")
def test_doctor_names_folder_where_sequencer_cannot_write_external_copy(tmp_path: Path) -> None:
    make_process_accounts(SEQUENCER)
    with as_role("owner"):
        open_store().write_document(
            "home.toml", f'[ledger]\nexternal_copy = "{tmp_path}/outside/checkpoint"\n'.encode()
        )
        (missing,) = _check_external_copy()
        (tmp_path / "outside").mkdir()
        (refused,) = _check_external_copy()
        shutil.chown(tmp_path / "outside", SEQUENCER)
        assert list(_check_external_copy()) == []
    assert "cannot be looked at" in missing.message
    assert (refused.result, f"chown {SEQUENCER} {tmp_path}/outside" in refused.remedy) == ("violated", True)


@as_root
def test_missing_account_is_created_without_shell_or_home_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    name = f"muniment-test-{os.getpid()}"
    monkeypatch.setattr(process_system_accounts, "PRIMARY_GROUPS", {name: name})
    try:
        made = make_process_accounts(name)[name]
        assert make_process_accounts(name) == {name: made}
        found = pwd.getpwnam(name)
        assert (found.pw_uid, found.pw_dir, found.pw_shell) == (made.user, "/nonexistent", "/usr/sbin/nologin")
        assert found.pw_uid < 1000
    finally:
        subprocess.run(["userdel", name], check=True, capture_output=True)
        subprocess.run(["groupdel", name], check=False, capture_output=True)


def test_start_without_root_describes_protection_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    found = separate_processes(tmp_path, [], {})
    assert found == ProcessSeparation({}, "it was started as 12345, not as root")
    result = describe_separation(found)
    assert result.count("\n") == 0
    assert "protect against injected SQL and leaked credentials, not against code that runs in a process" in result


@as_root
def test_failed_mount_is_reported_with_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_closed: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(process_separation, "cover_closed_folders", refuse)
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    (closed / "home").mkdir()
    found = separate_processes(closed / "home", [], {})
    assert found.accounts == {}
    assert str(closed) in found.problem
    assert "Operation not permitted" in found.problem


def test_process_receives_only_credentials_it_uses() -> None:
    mails = ("MUNIMENT_SMTP_URL", "MUNIMENT_IMAP_URL")
    given = {name: name for name in ("MUNIMENT_OIDC_SECRET", *mails, "MUNIMENT_CHAT_URL", "PGPASSWORD")}
    given["MUNIMENT_HOME"] = "/srv/muniment"
    content = {
        name: set(_select_credentials(name, given)) - {"MUNIMENT_HOME"} for name in ("web", "worker", "sequencer")
    }
    assert content == {
        "web": {"MUNIMENT_OIDC_SECRET"},
        "worker": {*mails, "MUNIMENT_CHAT_URL"},
        "sequencer": set(),
    }


def test_shared_account_is_not_reported_as_separation() -> None:
    account = ProcessAccount("ada", 1000, 1000)
    assert find_wrong_owners(Path("/"), {WEB: account}) == [
        f"the account {name} is missing" for name in ACCOUNT_NAMES if name != WEB
    ]
