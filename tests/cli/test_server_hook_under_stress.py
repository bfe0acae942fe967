"""Server hook with many pushes at once, killed processes and a failing disk: no update goes unrecorded."""

import os
import random
import shutil
import signal
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import pytest

from muniment.cli.command_line import run_command_line
from muniment.git import published_rules
from muniment.ledger import record_kinds, record_objects
from muniment.store.files_store import FilesStore
from tests.support.hooked_remote import HookedRemote
from tests.support.mounts import mounted, remount

pytestmark = pytest.mark.slow  # many pushes, killed


@pytest.fixture
def remote(tmp_path: Path, keys: dict[str, Path]) -> HookedRemote:
    return HookedRemote(tmp_path, keys)


def assert_ledger_valid(remote: HookedRemote) -> bool:
    return run_command_line(["ledger", "verify", "--home", str(remote.home)]) == 0


def test_sixty_four_concurrent_pushes(remote: HookedRemote) -> None:
    head = remote.commit()
    with ThreadPoolExecutor(16) as pool:
        pushes = list(pool.map(lambda number: remote.push("ada", f"{head}:refs/heads/many/{number}"), range(64)))
    assert [push.code for push in pushes] == [0] * 64
    found = remote.read_records()
    assert sum(isinstance(entry, record_kinds.PushRecord) for entry in found) == 64
    assert sum(entry.commit_count for entry in found if isinstance(entry, record_kinds.PushRecord)) >= 1
    assert not any(isinstance(entry, record_kinds.HookBypassRecord) for entry in found)
    assert assert_ledger_valid(remote)


def start_push(remote: HookedRemote, refspec: str) -> "subprocess.Popen[bytes]":
    own = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    own |= {"MUNIMENT_PUSHER": "ada", "GIT_CONFIG_GLOBAL": os.devnull}
    command = ["git", "-C", str(remote.repo.path), "push", "-q", remote.url, refspec]
    return subprocess.Popen(command, env=own, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def test_killed_hook_accepts_no_unrecorded_push(tmp_path: Path, keys: dict[str, Path]) -> None:
    remote = HookedRemote(tmp_path, keys, "--report-only")
    chance = random.Random(11)
    landed = 0
    for attempt in range(int(os.environ.get("MUNIMENT_KILLS", "20"))):
        remote.repo.branch("main", remote.tip())
        head = remote.repo.commit({"lib.py": f"x = {attempt}\n"}, on="main")
        push = start_push(remote, "main")
        pids: list[int] = []
        while push.poll() is None and not pids:
            pids = [pid for pid, command in remote.find_processes().items() if b"pre-receive" in command]
        time.sleep(chance.random() / 5)
        for pid in chance.sample(pids, len(pids))[:1]:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        push.wait(60)
        if remote.tip() == head:
            landed += 1
            assert head in {
                entry.head for entry in remote.read_records() if isinstance(entry, record_kinds.DecisionRecord)
            }
        else:
            assert remote.tip() in (remote.base, remote.repo.git("rev-parse", f"{head}^"))
    remote.wait_for_hooks()
    assert assert_ledger_valid(remote)
    remote.repo.branch("main", remote.tip())
    assert remote.push("ada", "main:refs/heads/else").code == 0
    assert not any(isinstance(entry, record_kinds.HookBypassRecord) for entry in remote.read_records())


def test_commit_of_a_killed_push_has_a_known_pusher(remote: HookedRemote) -> None:
    """A recorded intent counts as a push: it names who meant to push the commit."""
    head = remote.commit(author="bob")
    assert start_push(remote, "topic:main").wait(60) == 1
    remote.push("carol", "topic")
    remote.approve("ada", head)
    remote.approve("carol", head)
    denied = remote.push("dan", "refs/muniment/approvals/*:refs/muniment/approvals/*", "topic:main")
    assert "ada does not count: they contributed to the change" in denied.line
    assert "1 of 2 required approvals (carol)" in denied.line


def test_full_or_read_only_disk_denies(remote: HookedRemote, tmp_path: Path) -> None:
    head = remote.commit()
    remote.push("ada", "topic")
    remote.home.rename(tmp_path / "kept")
    with mounted(remote.home, "size=8m"):
        shutil.copytree(tmp_path / "kept", remote.home, dirs_exist_ok=True)
        assert remote.push("ada", f"{head}:refs/heads/before").code == 0
        subprocess.run(["dd", "if=/dev/zero", f"of={remote.home / 'filling'}"], capture_output=True, check=False)
        denied = remote.push("ada", f"{head}:refs/heads/full")
        assert denied.code == 1
        assert (remote.tip("full"), "Traceback" in denied.text) == ("", False)
        assert remote.push("ada", f"{head}:refs/heads/main").code == 1
        (remote.home / "filling").unlink()
        assert remote.push("ada", f"{head}:refs/heads/after").code == 0
        remount(remote.home, "ro")
        assert remote.push("ada", f"{head}:refs/heads/ro").code == 1
        assert (remote.tip("ro"), remote.tip()) == ("", remote.base)
        assert assert_ledger_valid(remote)


def test_every_update_was_recorded_before_it_was_accepted(remote: HookedRemote) -> None:
    """After many pushes, allowed and denied, every ref has the value in the record."""
    for number in range(5):
        head = remote.commit(f"topic/{number}", text=f"x = {number}\n")
        remote.push("ada", f"{head}:refs/heads/one/{number}", f"{head}:refs/heads/two/{number}")
        remote.push("ada", f"{head}:refs/heads/main")
        remote.push("ada", f":refs/heads/one/{number}")
    known: dict[str, str] = {}
    for entry in remote.read_records():
        if isinstance(entry, record_kinds.BaselineRecord | record_kinds.RefUpdateRecord):
            for update in _list_refs(remote, entry.object).updates:
                known[update.ref] = update.new
    there = {line.split()[1]: line.split()[0] for line in remote.server.git("show-ref").splitlines()}
    assert there.pop(published_rules.RULES_REF)  # the server writes it, and nobody pushes it
    assert {ref: value for ref, value in known.items() if value} == there


def _list_refs(remote: HookedRemote, digest: str) -> record_objects.RefUpdates:
    data = FilesStore(str(remote.home)).get_object(digest)
    assert data is not None
    return msgspec.json.decode(data, type=record_objects.RefUpdates)
