"""Ledger with a failing disk and killed writers: it contains only complete entries, and names all damage."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from muniment.errors import LedgerError, StoreError
from muniment.ledger import ledger_keys, verification
from muniment.store.files_log import FilesLog
from muniment.store.files_store import PRIVATE, PUBLIC, FilesStore
from muniment.store.new_home import make_home
from tests.support.mounts import mounted, remount

_APPEND = """
import sys
from muniment.store.files_store import FilesStore
home, name, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
for number in range(count):
    with FilesStore(home).open_log().lock_and_verify() as held:
        place = held.append_entries([f"{name} {number}".encode()])
    print(place, flush=True)
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    make_home(str(tmp_path / "home"), {}, "muniment/shop")
    return tmp_path / "home"


def log(home: Path) -> FilesLog:
    return FilesStore(str(home)).open_log()


def append(home: Path, *entries: str) -> int:
    with log(home).lock_and_verify() as held:
        return held.append_entries([entry.encode() for entry in entries])


def read_content(home: Path) -> list[str]:
    found = log(home)
    return [entry.decode() for entry in found.read_entries(0, found.read_head().size)]


def problems(home: Path) -> tuple[str, ...]:
    found = log(home)
    data, public = found.load_checkpoint(), FilesStore(str(home)).public_key()
    assert data is not None
    assert public is not None
    return verification.verify_ledger(found.read_file, data, public).problems


def start_appending(home: Path, name: str, count: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", _APPEND, str(home), name, str(count)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_entries_get_consecutive_positions(home: Path) -> None:
    assert append(home, "a") == 0
    assert append(home, "b", "c") == 1
    assert append(home) == 3
    assert read_content(home) == ["a", "b", "c"]
    assert problems(home) == ()


@pytest.mark.slow
def test_concurrent_writers_lose_no_entry(home: Path) -> None:
    writers = [start_appending(home, f"w{number}", 4) for number in range(16)]
    places = [int(line) for writer in writers for line in writer.communicate(timeout=300)[0].split()]
    assert sorted(places) == list(range(64))
    assert sorted(read_content(home)) == sorted(f"w{writer} {number}" for writer in range(16) for number in range(4))
    assert problems(home) == ()


@pytest.mark.slow
def test_killed_writer_leaves_a_valid_ledger_with_all_acknowledged_entries(home: Path) -> None:
    chance = random.Random(7)
    listed: list[tuple[int, str]] = []
    for attempt in range(int(os.environ.get("MUNIMENT_KILLS", "40"))):
        writer = start_appending(home, f"w{attempt}", 1000)
        assert writer.stdout is not None
        first = writer.stdout.readline()
        time.sleep(chance.random() / 50)
        writer.send_signal(signal.SIGKILL)
        lines = [first, *writer.stdout.read().splitlines()]  # communicate() would miss what was read ahead
        writer.communicate()
        listed += [(int(line), f"w{attempt} {number}") for number, line in enumerate(lines) if line.strip()]
    found = read_content(home)
    assert all(found[place] == entry for place, entry in listed)
    assert problems(home) == ()
    assert append(home, "after") == len(found)


def test_only_needed_files_remain(home: Path) -> None:
    for number in range(300):
        append(home, str(number))
    left = {str(file.relative_to(home / "ledger")) for file in (home / "ledger").rglob("*") if file.is_file()}
    partial = {path for path in left if ".p/" in path}
    assert partial == {
        *("tile/0/001.p/43", "tile/0/001.p/44", "tile/entries/001.p/43", "tile/entries/001.p/44", "tile/1/000.p/1")
    }
    assert problems(home) == ()


def test_entry_over_four_kibibytes_is_refused(home: Path) -> None:
    append(home, "x" * 4096)
    with pytest.raises(ValueError, match="4096"):
        append(home, "x" * 4097)
    assert len(read_content(home)) == 1


def _fill(home: Path) -> None:
    for number in range(1000):
        append(home, f"{number} " + "x" * 4000)


def test_full_disk_leaves_a_valid_ledger(home: Path, tmp_path: Path) -> None:
    with mounted(tmp_path / "small", "size=256k"):
        place = tmp_path / "small" / "home"
        shutil.copytree(home, place)
        with pytest.raises(StoreError, match="No space left"):
            _fill(place)
        written = len(read_content(place))
        assert written > 0
        assert problems(place) == ()
        with pytest.raises(StoreError, match="No space left"):
            FilesStore(str(place)).put_object(os.urandom(200_000))
        assert len(list(FilesStore(str(place)).list_object_digests())) == 0
        remount(tmp_path / "small", "size=1m")
        assert append(place, "after") == written
        assert problems(place) == ()


def test_read_only_home_refuses_entries(home: Path, tmp_path: Path) -> None:
    append(home, "a")
    with mounted(tmp_path / "small", "size=1m"):
        place = tmp_path / "small" / "home"
        shutil.copytree(home, place)
        remount(tmp_path / "small", "ro")
        with pytest.raises(StoreError, match="Read-only"):
            append(place, "b")
        assert read_content(place) == ["a"]


class TestDamage:
    @pytest.fixture
    def damaged(self, home: Path) -> Path:
        for number in range(5):
            append(home, f"entry {number}")
        return home

    @pytest.mark.parametrize("path", ["tile/0/000.p/5", "tile/entries/000.p/5"])
    @pytest.mark.parametrize("how", ["flipped", "cut", "gone"])
    def test_damaged_file_is_named_and_prevents_signing(self, damaged: Path, path: str, how: str) -> None:
        file = damaged / "ledger" / path
        data = file.read_bytes()
        file.unlink()
        if how != "gone":
            file.write_bytes(data[:-1] if how == "cut" else data[:-1] + bytes([data[-1] ^ 1]))
        assert any(path in problem for problem in problems(damaged))
        with pytest.raises(LedgerError):
            append(damaged, "more")
        with pytest.raises(LedgerError):
            read_content(damaged)

    def test_damaged_or_missing_checkpoint_prevents_signing(self, damaged: Path) -> None:
        file = damaged / "ledger" / "checkpoint"
        whole = file.read_text()
        file.write_text(whole.replace("5\n", "4\n", 1))
        with pytest.raises(LedgerError, match="not signed"):
            append(damaged, "more")
        file.unlink()
        with pytest.raises(LedgerError, match="no checkpoint"):
            append(damaged, "more")

    def test_checkpoint_rolled_back_with_its_tiles_gone_prevents_signing(self, damaged: Path) -> None:
        old = (damaged / "ledger" / "checkpoint").read_bytes()
        for number in range(10):
            append(damaged, f"more {number}")
        (damaged / "ledger" / "checkpoint").write_bytes(old)
        with pytest.raises(LedgerError, match="missing"):
            append(damaged, "again")

    def test_wrong_or_missing_key_prevents_signing(self, damaged: Path) -> None:
        private, public = ledger_keys.generate_key("muniment/shop")
        (damaged / PUBLIC).write_text(public)
        with pytest.raises(LedgerError, match="does not belong"):
            append(damaged, "more")
        (damaged / PRIVATE).write_text(private)
        with pytest.raises(LedgerError, match="not signed with this key"):
            append(damaged, "more")
        (damaged / PRIVATE).unlink()
        with pytest.raises(LedgerError, match="no key") as caught:
            append(damaged, "more")
        assert private not in str(caught.value)


class TestExternalCopy:
    @pytest.fixture(params=["file", "git"])
    def copied_ledger(self, request: pytest.FixtureRequest, home: Path, tmp_path: Path) -> Path:
        """Home whose checkpoint is copied elsewhere too."""
        elsewhere = tmp_path / "elsewhere"
        elsewhere.mkdir()
        where = f"{elsewhere}/checkpoint"
        if request.param == "git":
            subprocess.run(["git", "init", "-q", "--bare", elsewhere], check=True)
            where = f"git:file://{elsewhere}"
        (home / "home.toml").write_text(f'[ledger]\nexternal_copy = "{where}"\n')
        return home

    def copy(self, home: Path) -> Path:
        shutil.copytree(home / "ledger", home.parent / "copy")
        return home.parent / "copy"

    def restore(self, home: Path) -> None:
        shutil.rmtree(home / "ledger")
        (home.parent / "copy").rename(home / "ledger")

    def test_copy_follows_the_ledger(self, copied_ledger: Path) -> None:
        append(copied_ledger, "a")
        append(copied_ledger, "b")
        assert log(copied_ledger).read_copy_size() == 2

    def test_older_ledger_signs_nothing_until_a_person_reconciles_it(self, copied_ledger: Path) -> None:
        append(copied_ledger, "a")
        self.copy(copied_ledger)
        append(copied_ledger, "b")
        self.restore(copied_ledger)
        with pytest.raises(LedgerError, match="older than its copy"):
            append(copied_ledger, "c")
        assert log(copied_ledger).append_despite_copy(b"looked at it") == 1
        assert append(copied_ledger, "c") == 2

    def test_forked_ledger_signs_nothing(self, copied_ledger: Path) -> None:
        append(copied_ledger, "a")
        self.copy(copied_ledger)
        append(copied_ledger, "b")
        settings = (copied_ledger / "home.toml").read_text()
        self.restore(copied_ledger)
        (copied_ledger / "home.toml").unlink()
        append(copied_ledger, "other", "and more")
        (copied_ledger / "home.toml").write_text(settings)
        with pytest.raises(LedgerError, match="not the one whose copy"):
            append(copied_ledger, "c")

    def test_copy_that_lags_is_updated(self, copied_ledger: Path) -> None:
        append(copied_ledger, "a")
        settings = (copied_ledger / "home.toml").read_text()
        (copied_ledger / "home.toml").unlink()
        append(copied_ledger, "b")
        (copied_ledger / "home.toml").write_text(settings)
        append(copied_ledger, "c")
        assert log(copied_ledger).read_copy_size() == 3

    def test_missing_copy_is_reported(self, copied_ledger: Path) -> None:
        append(copied_ledger, "a")
        shutil.rmtree(copied_ledger.parent / "elsewhere")
        with pytest.raises(StoreError, match="copy outside"):
            append(copied_ledger, "b")
        assert read_content(copied_ledger) == ["a"]

    def test_ledger_missing_from_its_copy_requires_reconciliation(self, copied_ledger: Path) -> None:
        settings = (copied_ledger / "home.toml").read_text()
        (copied_ledger / "home.toml").unlink()
        append(copied_ledger, "a")
        (copied_ledger / "home.toml").write_text(settings)
        with pytest.raises(LedgerError, match="has no checkpoint"):
            append(copied_ledger, "b")
        log(copied_ledger).append_despite_copy(b"looked at it")
        assert append(copied_ledger, "b") == 2

    def test_copy_of_another_ledger_is_refused(self, copied_ledger: Path, tmp_path: Path) -> None:
        append(copied_ledger, "a")
        make_home(str(tmp_path / "other"), {}, "muniment/shop")
        (tmp_path / "other" / "home.toml").write_text((copied_ledger / "home.toml").read_text())
        with pytest.raises(LedgerError, match="not ours"):
            append(tmp_path / "other", "b")


def test_ledger_can_be_read_by_other_accounts_and_objects_cannot(home: Path) -> None:
    before = os.umask(0o022)
    append(home, "one")
    os.umask(before)
    for path in (home / "ledger").rglob("*"):
        if path.name != "lock":
            assert path.stat().st_mode & 0o077 == (0o055 if path.is_dir() else 0o044), path
    store = FilesStore(str(home))
    store.put_object(b'{"a":1}')
    assert all(path.stat().st_mode & 0o077 == 0 for path in (home / "objects").rglob("*"))
