import errno
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from msgspec import structs

from muniment.errors import LedgerError, StoreError, UsageError
from muniment.facts import canonical
from muniment.ledger import ledger_keys, record_kinds
from muniment.policy.built_in_policy import format_built_in_policy
from muniment.store import durable_files
from muniment.store.files_store import FilesStore
from muniment.store.store import Store
from tests.store.contract import StoreContract, Subject, frozen


class FilesSubject(Subject):
    """Home in a directory."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.home = FilesStore(str(root))

    def write_policy(self, data: bytes) -> None:
        (self.root / "policy.toml").write_bytes(data)

    def add_person(self, name: str, email: str) -> None:
        with (self.root / "people.toml").open("a") as file:
            file.write(
                f'[[person]]\nid = "{name.lower()}"\nname = "{name}"\nemails = ["{email}"]\n'
                'roles = ["developer"]\nactive = true\nwrite_access = ["*"]\n'
            )

    def write_exception(self, name: str, data: bytes) -> None:
        (self.root / "exceptions").mkdir(exist_ok=True)
        (self.root / "exceptions" / f"{name}.json").write_bytes(data)

    def write_keys(self, private: str, public: str) -> None:
        (self.root / "ledger").mkdir(exist_ok=True)
        durable_files.write_file(self.root / "keys/ledger.key", private.encode(), 0o600)
        durable_files.write_file(self.root / "keys/ledger.pub", public.encode(), 0o644)

    def lose_private_key(self) -> None:
        (self.root / "keys/ledger.key").unlink()

    def spoil(self, digest: str, data: bytes) -> None:
        self.object(digest).write_bytes(data)

    def records(self) -> list[record_kinds.AnyEntry]:
        log = FilesStore(str(self.root)).open_log()
        return [
            record_kinds.decode_record(data, at) for at, data in enumerate(log.read_entries(0, log.read_head().size))
        ]

    def end_thread(self) -> None:
        pass

    def reopened(self) -> Store:
        return FilesStore(str(self.root))

    def object(self, digest: str) -> Path:
        hexadecimal = digest.removeprefix("sha256:")
        return self.root / "objects" / hexadecimal[:2] / hexadecimal[2:]


@pytest.fixture
def subject(tmp_path: Path) -> FilesSubject:
    return FilesSubject(tmp_path)


class TestFilesStore(StoreContract):
    """Contract of a store, tested on files."""


def test_missing_home_is_wrong_usage_and_names_the_command_to_create_it(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for name in ("nothing", "file", "file/deeper"):
        with pytest.raises(UsageError) as caught:
            FilesStore(str(tmp_path / name))
        assert "muniment init --home" in caught.value.remedy


def test_a_home_behind_a_link_to_itself_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    with pytest.raises(StoreError, match="cannot be read"):
        FilesStore(str(tmp_path / "loop"))


@pytest.mark.parametrize("name", ["policy.toml", "people.toml"])
def test_folder_in_place_of_a_document_is_an_error_and_not_absent(subject: FilesSubject, name: str) -> None:
    (subject.root / name).mkdir()
    with pytest.raises(StoreError, match=f"{name} cannot be read"):
        subject.home.load_policy() if name == "policy.toml" else subject.home.load_people()


def test_dangling_link_in_place_of_a_document_is_an_error_and_not_absent(subject: FilesSubject) -> None:
    (subject.root / "policy.toml").symlink_to(subject.root / "gone.toml")
    with pytest.raises(StoreError, match="a link to nothing"):
        subject.home.load_policy()


def test_people_that_are_not_utf8_are_an_error_and_not_absent(subject: FilesSubject) -> None:
    (subject.root / "people.toml").write_bytes(b"\xff")
    with pytest.raises(StoreError, match="UTF-8"):
        subject.home.load_people()


def test_document_may_be_a_link_to_a_file(subject: FilesSubject) -> None:
    (subject.root / "version-7.toml").write_text(format_built_in_policy("a@example.test", "shop"))
    (subject.root / "policy.toml").symlink_to(subject.root / "version-7.toml")
    found = subject.home.load_policy()
    assert found is not None
    assert found.policy.repository == "shop"


def test_exceptions_path_that_is_no_folder_is_an_error(subject: FilesSubject) -> None:
    (subject.root / "exceptions").write_text("")
    with pytest.raises(StoreError, match="exceptions cannot be read"):
        subject.home.load_exceptions()


def test_unreadable_exception_is_an_error_and_not_left_out(subject: FilesSubject) -> None:
    subject.write_exception("a", b"{}")
    (subject.root / "exceptions" / "b.json").mkdir()
    with pytest.raises(StoreError, match=r"b\.json cannot be read"):
        subject.home.load_exceptions()


_WRITER = """
import os, sys, time
from pathlib import Path
from muniment.store.files_store import FilesStore

def rename(old, new):
    Path(sys.argv[2]).write_text("")
    time.sleep(600)

os.rename = rename
FilesStore(sys.argv[1]).put_object(b"an object")
"""


def list_unfinished_files(root: Path) -> list[Path]:
    return [file for file in root.rglob("*") if file.name.startswith(durable_files.UNFINISHED_PREFIX)]


def test_unfinished_files_of_a_killed_process_are_removed_by_the_next_writer(
    subject: FilesSubject, tmp_path: Path
) -> None:
    subject.write_keys(*ledger_keys.generate_key("home"))
    sign = tmp_path / "writing"
    with subprocess.Popen([sys.executable, "-c", _WRITER, str(subject.root), str(sign)]) as writer:
        try:
            while not sign.exists():
                time.sleep(0.01)
            with subject.home.lock_ledger():
                assert len(list_unfinished_files(subject.root)) == 1, "it is being written"
        finally:
            writer.kill()
    assert len(list_unfinished_files(subject.root)) == 1
    assert list(subject.home.list_object_digests()) == []
    with subject.home.lock_ledger():
        assert list_unfinished_files(subject.root) == []


def test_file_removed_as_unfinished_is_written_again(subject: FilesSubject, monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[str] = []
    make = durable_files.create_unfinished

    def taken(folder: Path) -> tuple[int, str]:
        handle, name = make(folder)
        if not begun:
            os.unlink(name)
        begun.append(name)
        return handle, name

    monkeypatch.setattr(durable_files, "create_unfinished", taken)
    digest = subject.home.put_object(b"an object")
    assert len(begun) == 2
    assert subject.home.get_object(digest) == b"an object"


def test_only_json_files_are_exceptions(subject: FilesSubject) -> None:
    subject.write_exception("a", b"{}")
    for name in (".new-abc", "README.md", "a.json~"):
        (subject.root / "exceptions" / name).write_text("x")
    assert [name for name, _ in subject.home.load_exceptions()] == ["a"]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o610, 0o666])
def test_private_key_readable_or_writable_by_others_is_refused(subject: FilesSubject, mode: int) -> None:
    subject.write_keys("seed", "public")
    (subject.root / "keys/ledger.key").chmod(mode)
    with pytest.raises(StoreError) as caught:
        subject.home.signing_key()
    assert "chmod 600" in caught.value.remedy
    assert "seed" not in caught.value.message


def test_private_key_behind_a_link_is_refused(subject: FilesSubject) -> None:
    subject.write_keys("private", "public")
    key = subject.root / "keys/ledger.key"
    key.rename(subject.root / "elsewhere")
    key.symlink_to(subject.root / "elsewhere")
    with pytest.raises(StoreError, match="cannot be read"):
        subject.home.signing_key()


def test_private_key_that_is_a_folder_or_a_pipe_is_refused_without_waiting(subject: FilesSubject) -> None:
    key = subject.root / "keys/ledger.key"
    key.mkdir(parents=True)
    with pytest.raises(StoreError):
        subject.home.signing_key()
    key.rmdir()
    os.mkfifo(key, 0o644)
    with pytest.raises(StoreError):
        subject.home.signing_key()


def test_objects_and_their_folders_are_private_to_the_owner(subject: FilesSubject) -> None:
    file = subject.object(subject.home.put_object(b"x"))
    assert file.stat().st_mode & 0o077 == 0
    assert file.parent.stat().st_mode & 0o077 == 0


def test_failed_write_leaves_no_file(subject: FilesSubject) -> None:
    target = subject.root / "taken"
    target.mkdir()
    with pytest.raises(StoreError, match="cannot be written") as caught:
        durable_files.write_file(target, b"x", 0o600)
    assert caught.value.remedy
    assert [path.name for path in subject.root.iterdir()] == ["taken"]


def test_failed_write_of_many_files_leaves_no_unfinished_file(subject: FilesSubject) -> None:
    files = {subject.root / f"{number % 7}" / str(number): b"x" for number in range(150)}
    durable_files.write_files(files, 0o600, begin_in=subject.root)
    assert {file.read_bytes() for file in files} == {b"x"}
    taken = subject.root / "taken"
    taken.mkdir()
    with pytest.raises(StoreError, match="taken cannot be written"):
        durable_files.write_files({**dict.fromkeys(files, b"y"), taken: b"y"}, 0o600, begin_in=subject.root)
    assert list_unfinished_files(subject.root) == []
    assert {file.read_bytes() for file in files} == {b"y"}


def test_file_gets_its_name_only_after_it_was_synced(subject: FilesSubject, monkeypatch: pytest.MonkeyPatch) -> None:
    sync = os.fsync
    refused = {"left": 3}

    def fails(handle: int) -> None:
        refused["left"] -= 1
        if refused["left"] == 0:
            raise OSError(errno.EIO, "Input/output error")
        sync(handle)

    monkeypatch.setattr(os, "fsync", fails)
    files = {subject.root / str(number): b"x" for number in range(20)}
    with pytest.raises(StoreError, match="Input/output error"):
        durable_files.write_files(files, 0o600)
    assert list(subject.root.iterdir()) == []


def test_files_are_synced_even_if_no_thread_can_be_started(
    subject: FilesSubject, monkeypatch: pytest.MonkeyPatch
) -> None:
    def start(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    def keep(handle: int) -> None:
        synced.append(handle)
        sync(handle)

    synced: list[int] = []
    sync = os.fsync
    monkeypatch.setattr(threading.Thread, "start", start)
    monkeypatch.setattr(os, "fsync", keep)
    durable_files.write_files({subject.root / str(number): b"x" for number in range(20)}, 0o600)
    assert len(set(synced)) == 20
    assert len(synced) == 21  # and their folder


def test_checkpoint_gets_its_name_after_details_and_tiles_are_on_the_disk(
    subject: FilesSubject, monkeypatch: pytest.MonkeyPatch
) -> None:
    def record_sync(handle: int) -> None:
        done.append(("sync", os.readlink(f"/proc/self/fd/{handle}")))
        sync(handle)

    def record_name(new: str, file: Path) -> None:
        done.append(("name", str(file)))
        rename(new, file)

    subject.write_keys(*(f"{key}\n" for key in ledger_keys.generate_key("muniment/test")))
    done: list[tuple[str, str]] = []
    sync, rename = os.fsync, os.rename
    monkeypatch.setattr(os, "fsync", record_sync)
    monkeypatch.setattr(os, "rename", record_name)
    subject.home.append_records([frozen("cold")])
    names = [path for step, path in done if step == "name"]
    checkpoint = str(subject.root / "ledger/checkpoint")
    assert names[-1] == checkpoint
    before = done[: done.index(("name", checkpoint))]
    for file in map(Path, names[:-1]):
        named = before.index(("name", str(file)))
        assert ("sync", str(file.parent)) in before[named:], f"the name {file} may be lost"
    assert any("/objects/" in name for name in names)
    assert done[-1] == ("sync", str(subject.root / "ledger"))


def test_object_that_cannot_be_written_is_an_error(subject: FilesSubject) -> None:
    (subject.root / "objects").write_text("not a folder")
    with pytest.raises(StoreError):
        subject.home.put_object(b"x")


def test_detail_that_is_not_canonical_is_not_read(subject: FilesSubject) -> None:
    private, public = ledger_keys.generate_key("muniment/test")
    subject.write_keys(f"{private}\n", f"{public}\n")
    record, (text,) = frozen("cold")
    twice = canonical.encode(text).replace(b'"person":', b'"person":"Dave","person":')
    subject.home.append_records([(structs.replace(record, object=subject.home.put_object(twice)), ())])
    with pytest.raises(LedgerError, match="is not what its entry says: it is not in canonical form"):
        FilesStore(str(subject.root)).list_freezes()


def test_full_disk_is_an_error_and_leaves_no_file(subject: FilesSubject) -> None:
    """A limit on file size stands for the full disk; it applies to the whole process, so the test starts one."""
    program = (
        "import resource, signal, sys\n"
        "from pathlib import Path\n"
        "from muniment.errors import StoreError\n"
        "from muniment.store.durable_files import write_file\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))\n"
        "try:\n"
        "    write_file(Path(sys.argv[1]), bytes(1000), 0o600)\n"
        "except StoreError as error:\n"
        "    print(error.message)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(subject.root / "file")], capture_output=True, text=True, check=True
    )
    assert "cannot be written" in done.stdout
    assert list(subject.root.iterdir()) == []


def test_file_is_replaced_atomically(subject: FilesSubject) -> None:
    file = subject.root / "a" / "b" / "file"
    durable_files.write_file(file, b"a long text", 0o644)
    durable_files.write_file(file, b"short", 0o600)
    assert file.read_bytes() == b"short"
    assert file.stat().st_mode & 0o777 == 0o600
