"""Temporary files of a killed process are removed at the next start; those of a live process stay."""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from muniment.git.throwaway_repository import ThrowawayRepository
from muniment.programs.temporary_files import (
    FOLDER_PREFIX,
    TemporaryFolder,
    open_temporary_file,
    remove_abandoned_folders,
)

MAKE = """
import sys
from muniment.git.throwaway_repository import ThrowawayRepository
from muniment.programs.temporary_files import TemporaryFolder
made = [ThrowawayRepository([], "sha1"), TemporaryFolder()]
print(*(one.path for one in made), flush=True)
sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def _place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    yield
    tempfile.tempdir = None


def start() -> tuple[subprocess.Popen[str], list[Path]]:
    command = [sys.executable, "-c", MAKE]
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    return child, [Path(word) for word in child.stdout.readline().split()]


def end(child: subprocess.Popen[str]) -> None:
    child.send_signal(signal.SIGKILL)
    child.communicate()


def test_folders_of_a_killed_process_are_removed_at_the_next_start() -> None:
    child, made = start()
    try:
        assert len(made) == 2
        assert remove_abandoned_folders() == 0, "it lives"
        assert all(folder.is_dir() for folder in made)
    finally:
        end(child)
    assert all(folder.is_dir() for folder in made), "nobody was there to remove them"
    assert remove_abandoned_folders() == 2
    assert not any(folder.exists() for folder in made)


def test_own_folders_stay_and_are_removed_at_the_end() -> None:
    with TemporaryFolder() as path:
        Path(path, "x").write_text("1\n")
        assert os.stat(path).st_mode & 0o077 == 0
        assert remove_abandoned_folders() == 0
        assert Path(path, "x").exists()
    assert not Path(path).exists()
    bare = ThrowawayRepository([], "sha1")
    assert remove_abandoned_folders() == 0
    bare.remove_folder()
    bare.remove_folder()
    assert not Path(bare.path).exists()


def test_foreign_files_are_not_removed(tmp_path: Path) -> None:
    other, target = tmp_path / "muniment-other", tmp_path / "target"
    for folder in (other, target):
        folder.mkdir()
        (folder / "x").write_text("1\n")
    (tmp_path / f"{FOLDER_PREFIX}link").symlink_to(target)
    (tmp_path / f"{FOLDER_PREFIX}file").write_text("1\n")
    assert remove_abandoned_folders() == 0
    assert (other / "x").exists()
    assert (target / "x").exists()
    assert (tmp_path / f"{FOLDER_PREFIX}file").exists()


def test_service_start_removes_leftover_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from muniment.cli import service_setup

    child, made = start()
    end(child)
    monkeypatch.setattr("django.setup", lambda: None)
    for name in ("MUNIMENT_HOME", "MUNIMENT_ROLE", "MUNIMENT_URL", "DJANGO_SETTINGS_MODULE"):
        monkeypatch.setenv(name, "x")
    service_setup.set_up_process(tmp_path, "worker", "http://localhost:8000")
    assert not any(folder.exists() for folder in made)


def test_targets_of_links_stay_when_a_folder_is_removed(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "file").write_text("x")
    folder = TemporaryFolder()
    inside = Path(folder.path, "a", "b")
    inside.mkdir(parents=True)
    (inside / "file").write_text("y")
    (inside / "folder").symlink_to(other)
    (inside / "link").symlink_to(other / "file")
    folder.remove_folder()
    assert not Path(folder.path).exists()
    assert (other / "file").read_text() == "x"


def test_temporary_file_has_no_name(tmp_path: Path) -> None:
    with open_temporary_file() as file:
        file.write(b"data")
        file.seek(0)
        assert file.read() == b"data"
        assert list(tmp_path.iterdir()) == []


def test_missing_temporary_folder_is_replaced_by_the_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path / "none"))
    with open_temporary_file() as file:
        assert file.write(b"data") == 4
    with TemporaryFolder() as path:
        assert Path(path).is_dir()
