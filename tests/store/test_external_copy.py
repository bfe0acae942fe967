"""External copy of the checkpoint: settings cannot make it run, read or write anything else."""

import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from muniment.errors import HomeFileError, StoreError
from muniment.store.external_copy import CHECKPOINT_REF, LocalRepositoryCopy, open_external_copy
from muniment.store.settings import read_settings

HOME = Path("/srv/muniment")


@pytest.fixture
def canary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """File that exists once an attack succeeded. The current folder is a separate one."""
    monkeypatch.chdir(tmp_path)
    return tmp_path / "canary"


def hostile_addresses(canary: Path) -> dict[str, str]:
    """Addresses by their attack; each would create the file `canary`."""
    touch = f"touch${{IFS}}{canary}"
    script = canary.with_name("script")
    script.write_text(f"#!/bin/sh\ntouch {canary}\n")
    script.chmod(0o755)
    return {
        "an option of git": f"--upload-pack={script}",
        "an option with its value apart": f"-u{script}",
        "another program as transport": f"ext::{script}",
        "an open file as transport": "fd::17",
        "an option of ssh as host": f"ssh://-oProxyCommand={touch}/x",
        "one as user": f"ssh://-oProxyCommand={touch}@host/x",
        "one in brackets": f"ssh://[-oProxyCommand={touch}]/x",
        "one that is percent-encoded": f"ssh://%2doProxyCommand={touch}/x",
        "one before a colon": f"-oProxyCommand={touch}:x",
        "one as user before a colon": f"-oProxyCommand={touch}@host:x",
        "one as path": "host:-x",
        "no host": "ssh:///x",
        "the clear": "http://host/x",
        "git's own, unsigned protocol": "git://host/x",
        "a relative path": "elsewhere.git",
        "a way up": "file:///srv/../etc",
        "a way up, encoded": "file:///srv/%2e%2e/etc",
        "another machine's file": "file://host/x",
        "nothing": "",
        "no repository": "https://",
        "a line end": "https://host/x%0Ay",
        "what nobody sees": "https://host/\u202ex",
        "too much": "https://host/" + "x" * 5000,
    }


def test_no_setting_becomes_an_option_or_a_command(canary: Path) -> None:
    for what, address in hostile_addresses(canary).items():
        with pytest.raises(HomeFileError, match="external_copy"):
            read_settings(f"[ledger]\nexternal_copy = 'git:{address}'", "home.toml", HOME)
        with pytest.raises(StoreError):
            open_external_copy(f"git:{address}", HOME).read_copy()
        with pytest.raises(StoreError):
            open_external_copy(f"git:{address}", HOME).write_copy(b"checkpoint")
        assert not canary.exists(), what


def test_local_repository_is_written_without_running_its_hooks_or_programs(canary: Path) -> None:
    there, script = canary.with_name("there.git"), canary.with_name("script")
    git("init", "-q", "--bare", str(there))
    hostile_addresses(canary)
    for hook in ("pre-receive", "update", "post-receive", "post-update", "reference-transaction", "proc-receive"):
        (there / "hooks").mkdir(exist_ok=True)
        (there / "hooks" / hook).symlink_to(script)
    for key in ("core.fsmonitor", "core.pager", "core.alternateRefsCommand", "gpg.program", "gc.recentObjectsHook"):
        git("-C", str(there), "config", key, str(script))
    git("-C", str(there), "config", "receive.procReceiveRefs", "refs")
    git("-C", str(there), "config", "alias.update-ref", f"!{script}")
    place = open_external_copy(f"git:{there}", HOME)
    assert place.read_copy() is None
    for number in range(3):
        place.write_copy(b"checkpoint %d\n" % number)
        assert place.read_copy() == b"checkpoint %d\n" % number
    assert git("-C", str(there), "rev-list", "--count", CHECKPOINT_REF) == "3"
    assert not canary.exists()


def test_copy_in_a_work_tree_goes_into_its_repository(canary: Path) -> None:
    git("init", "-q", str(canary.with_name("tree")))
    place = open_external_copy(f"git:file://{canary.with_name('tree')}", HOME)
    place.write_copy(b"checkpoint")
    assert git("-C", str(canary.with_name("tree")), "show", f"{CHECKPOINT_REF}:checkpoint") == "checkpoint"


def test_address_without_a_repository_is_unreachable_and_not_empty(canary: Path) -> None:
    with pytest.raises(StoreError, match="cannot be reached"):
        open_external_copy(f"git:{canary.parent}", HOME).read_copy()


def test_only_one_of_two_concurrent_writers_succeeds(canary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    there = canary.with_name("there.git")
    git("init", "-q", "--bare", str(there))
    first, second = open_external_copy(f"git:{there}", HOME), open_external_copy(f"git:{there}", HOME)
    assert isinstance(first, LocalRepositoryCopy)
    commit = first._make_commit

    def commit_late(environment: Mapping[str, str], data: bytes, parent: str) -> str:
        second.write_copy(b"second")
        return commit(environment, data, parent)

    monkeypatch.setattr(first, "_make_commit", commit_late)
    with pytest.raises(StoreError):
        first.write_copy(b"first")
    assert second.read_copy() == b"second"


def test_many_writes_are_packed(canary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    there = canary.with_name("there.git")
    git("init", "-q", "--bare", str(there))
    place = open_external_copy(f"git:{there}", HOME)
    (there / "objects" / "17").mkdir()
    for number in range(30):
        (there / "objects" / "17" / f"{number:038x}").touch()
    place.write_copy(b"checkpoint")
    assert list((there / "objects" / "pack").glob("*.pack"))
    assert place.read_copy() == b"checkpoint"


def test_remote_repository_is_reached_by_ssh_of_this_account(canary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    there, ssh = canary.with_name("there.git"), canary.with_name("ssh")
    git("init", "-q", "--bare", str(there))
    result = canary.with_name("result")
    ssh.write_text(f"""#!/bin/sh
for word; do echo "$word" >> {result}; last=$word; done
env >> {result}
exec sh -c "$last"
""")
    ssh.chmod(0o755)
    secret = "-".join(("not", "for", "ssh"))
    monkeypatch.setenv("DATABASE_URL", secret)
    monkeypatch.setenv("GIT_SSH_COMMAND", str(ssh))
    for address in (f"ssh://git@host:2222{there}", f"git@host:{there}"):
        place = open_external_copy(f"git:{address}", HOME)
        before = place.read_copy()
        place.write_copy(b"checkpoint of " + address.encode())
        assert place.read_copy() == b"checkpoint of " + address.encode() != before
    assert git("-C", str(there), "rev-list", "--count", CHECKPOINT_REF) == "2"
    lines = result.read_text().splitlines()
    assert "git@host" in lines
    assert secret not in result.read_text()


def test_credentials_in_an_address_are_not_shown(canary: Path) -> None:
    secret = "-".join(("not", "for", "logs"))
    with pytest.raises(StoreError) as caught:
        open_external_copy(f"git:https://ada:{secret}@127.0.0.1:9/x", HOME).read_copy()
    assert secret not in caught.value.message
    with pytest.raises(HomeFileError) as refused:
        read_settings(f"[ledger]\nexternal_copy = 'git:http://ada:{secret}@host/x'", "home.toml", HOME)
    assert secret not in str(refused.value)


def git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], capture_output=True, text=True, check=True)
    return done.stdout.strip()
