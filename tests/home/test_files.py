import os
import subprocess
import sys
from pathlib import Path

import pytest

from muniment.errors import HomeError, UsageError
from muniment.home import durable
from muniment.home.files import FilesHome
from muniment.home.home import Home
from tests.home.contract import HomeContract, Subject


class Files(Subject):
    """A home in a directory."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.home = FilesHome(str(root))

    def write_text(self, name: str, data: bytes) -> None:
        (self.root / name).write_bytes(data)

    def write_exception(self, name: str, data: bytes) -> None:
        (self.root / "exceptions").mkdir(exist_ok=True)
        (self.root / "exceptions" / f"{name}.json").write_bytes(data)

    def write_keys(self, private: str, public: str) -> None:
        durable.write(self.root / "keys/ledger.key", private.encode(), 0o600)
        durable.write(self.root / "keys/ledger.pub", public.encode(), 0o644)

    def spoil(self, digest: str, data: bytes) -> None:
        self.object(digest).write_bytes(data)

    def reopened(self) -> Home:
        return FilesHome(str(self.root))

    def object(self, digest: str) -> Path:
        hexadecimal = digest.removeprefix("sha256:")
        return self.root / "objects" / hexadecimal[:2] / hexadecimal[2:]


@pytest.fixture
def subject(tmp_path: Path) -> Files:
    return Files(tmp_path)


class TestFilesHome(HomeContract):
    """The contract, held by files."""


def test_a_home_that_is_not_there_is_wrong_use_and_tells_how_to_make_it(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for name in ("nothing", "file", "file/deeper"):
        with pytest.raises(UsageError) as caught:
            FilesHome(str(tmp_path / name))
        assert "muniment init --home" in caught.value.remedy


def test_a_home_behind_a_link_to_itself_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    with pytest.raises(HomeError, match="cannot be read"):
        FilesHome(str(tmp_path / "loop"))


@pytest.mark.parametrize("name", ["policy.toml", "people.toml"])
def test_a_document_that_is_a_folder_is_an_error_and_not_absent(subject: Files, name: str) -> None:
    (subject.root / name).mkdir()
    with pytest.raises(HomeError, match=f"{name} cannot be read"):
        subject.home.policy_text() if name == "policy.toml" else subject.home.people_text()


def test_a_document_that_links_to_nothing_is_an_error_and_not_absent(subject: Files) -> None:
    (subject.root / "policy.toml").symlink_to(subject.root / "gone.toml")
    with pytest.raises(HomeError, match="a link to nothing"):
        subject.home.policy_text()


def test_a_document_may_be_a_link_to_a_file(subject: Files) -> None:
    subject.write_text("version-7.toml", b"x = 1")
    (subject.root / "policy.toml").symlink_to(subject.root / "version-7.toml")
    assert subject.home.policy_text() == "x = 1"


def test_exceptions_that_are_no_folder_are_an_error_and_not_none(subject: Files) -> None:
    (subject.root / "exceptions").write_text("")
    with pytest.raises(HomeError, match="exceptions cannot be read"):
        subject.home.exceptions()


def test_an_exception_that_cannot_be_read_is_an_error_and_not_left_out(subject: Files) -> None:
    subject.write_exception("a", b"{}")
    (subject.root / "exceptions" / "b.json").mkdir()
    with pytest.raises(HomeError, match=r"b\.json cannot be read"):
        subject.home.exceptions()


def test_only_json_files_are_exceptions(subject: Files) -> None:
    subject.write_exception("a", b"{}")
    for name in (".new-abc", "README.md", "a.json~"):
        (subject.root / "exceptions" / name).write_text("x")
    assert [name for name, _ in subject.home.exceptions()] == ["a"]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o610, 0o666])
def test_a_private_key_that_others_may_read_or_change_is_refused(subject: Files, mode: int) -> None:
    subject.write_keys("seed", "public")
    (subject.root / "keys/ledger.key").chmod(mode)
    with pytest.raises(HomeError) as caught:
        subject.home.signing_key()
    assert "chmod 600" in caught.value.remedy
    assert "seed" not in caught.value.message


def test_a_private_key_behind_a_link_is_refused(subject: Files) -> None:
    subject.write_keys("private", "public")
    key = subject.root / "keys/ledger.key"
    key.rename(subject.root / "elsewhere")
    key.symlink_to(subject.root / "elsewhere")
    with pytest.raises(HomeError, match="cannot be read"):
        subject.home.signing_key()


def test_a_private_key_that_is_a_folder_or_a_pipe_is_refused_without_waiting(subject: Files) -> None:
    key = subject.root / "keys/ledger.key"
    key.mkdir(parents=True)
    with pytest.raises(HomeError):
        subject.home.signing_key()
    key.rmdir()
    os.mkfifo(key, 0o644)
    with pytest.raises(HomeError):
        subject.home.signing_key()


def test_objects_and_their_folders_are_for_their_owner_alone(subject: Files) -> None:
    file = subject.object(subject.home.put(b"x"))
    assert file.stat().st_mode & 0o077 == 0
    assert file.parent.stat().st_mode & 0o077 == 0


def test_what_cannot_be_written_leaves_nothing_behind(subject: Files) -> None:
    target = subject.root / "taken"
    target.mkdir()
    with pytest.raises(HomeError, match="cannot be written") as caught:
        durable.write(target, b"x", 0o600)
    assert caught.value.remedy
    assert [path.name for path in subject.root.iterdir()] == ["taken"]


def test_an_object_that_cannot_be_kept_is_an_error(subject: Files) -> None:
    (subject.root / "objects").write_text("not a folder")
    with pytest.raises(HomeError):
        subject.home.put(b"x")


def test_a_full_disk_is_an_error_and_leaves_nothing_behind(subject: Files) -> None:
    """A limit on file size stands for the full disk; it holds for the whole process, so for one of its own."""
    program = (
        "import resource, signal, sys\n"
        "from pathlib import Path\n"
        "from muniment.errors import HomeError\n"
        "from muniment.home.durable import write\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))\n"
        "try:\n"
        "    write(Path(sys.argv[1]), bytes(1000), 0o600)\n"
        "except HomeError as error:\n"
        "    print(error.message)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(subject.root / "file")], capture_output=True, text=True, check=True
    )
    assert "cannot be written" in done.stdout
    assert list(subject.root.iterdir()) == []


def test_a_written_file_replaces_the_old_one_whole(subject: Files) -> None:
    file = subject.root / "a" / "b" / "file"
    durable.write(file, b"a long text", 0o644)
    durable.write(file, b"short", 0o600)
    assert file.read_bytes() == b"short"
    assert file.stat().st_mode & 0o777 == 0o600
