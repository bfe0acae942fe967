"""Copy of programs: equal to the installed ones, else made again; no other account can have changed it."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from muniment.server.running.program_copy import ensure_program_copy, remove_copies
from tests.support.accounts import as_root, other, runs
from tests.support.mounts import mounted

PARTS = ("bin/greet", "share")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Programs in a folder that no other account can enter."""
    found = tmp_path / "private" / "installed"
    (found / "bin").mkdir(parents=True)
    (found / "share" / "deep").mkdir(parents=True)
    (found / "bin" / "greet").write_text('#!/bin/sh\ncat "$(dirname "$0")/../share/deep/greeting"\n')
    (found / "bin" / "greet").chmod(0o700)
    (found / "bin" / "unused").write_text("")
    (found / "share" / "deep" / "greeting").write_text("hello\n")
    (found / "share" / "deep" / "greeting").chmod(0o600)
    found.parent.chmod(0o700)
    return found


@pytest.fixture
def copies(tmp_path: Path) -> Path:
    return tmp_path / "home" / "programs"


def read_inode(file: Path) -> int:
    return file.stat().st_ino


def test_copy_contains_exactly_the_files_of_the_parts(source: Path, copies: Path) -> None:
    copy = ensure_program_copy(source, PARTS, copies)
    assert sorted(str(file.relative_to(copy)) for file in copy.rglob("*") if file.is_file()) == [
        "bin/greet",
        "share/deep/greeting",
    ]
    assert [folder.name for folder in copies.iterdir()] == [copy.name]


@as_root
@pytest.mark.parametrize("umask", [0o000, 0o077])
def test_another_account_can_run_the_copy_and_not_the_original(source: Path, copies: Path, umask: int) -> None:
    copies.parent.mkdir()
    before = os.umask(umask)
    try:
        copy = ensure_program_copy(source, PARTS, copies)
    finally:
        os.umask(before)
    assert not runs([source / "bin" / "greet"])
    assert runs([copy / "bin" / "greet"])
    assert not runs(["rm", "-r", copy])
    assert not any(path.stat().st_mode & 0o022 for path in (copies, copy, *copy.rglob("*")))


def test_intact_copy_is_reused(source: Path, copies: Path) -> None:
    first = read_inode(ensure_program_copy(source, PARTS, copies) / "bin" / "greet")
    assert read_inode(ensure_program_copy(source, PARTS, copies) / "bin" / "greet") == first


def change_file(copy: Path) -> None:
    (copy / "bin" / "greet").write_text("#!/bin/sh\n")


def truncate_file(copy: Path) -> None:
    (copy / "share" / "deep" / "greeting").write_text("")


def remove_file(copy: Path) -> None:
    (copy / "share" / "deep" / "greeting").unlink()


def add_file(copy: Path) -> None:
    (copy / "share" / "preload.so").write_text("")


def replace_file_by_link(copy: Path) -> None:
    (copy / "bin" / "greet").rename(copy.parent.parent / "greet")
    (copy / "bin" / "greet").symlink_to(copy.parent.parent / "greet")


def replace_folder_by_link(copy: Path) -> None:
    shutil.copytree(copy, copy.parent.parent / "elsewhere")
    shutil.rmtree(copy)
    copy.symlink_to(copy.parent.parent / "elsewhere")


def make_writable_to_all(copy: Path) -> None:
    (copy / "bin").chmod(0o777)


def make_not_executable(copy: Path) -> None:
    (copy / "bin" / "greet").chmod(0o644)


def replace_file(copy: Path) -> None:
    shutil.rmtree(copy)
    copy.write_text("")


@pytest.mark.parametrize(
    "spoil",
    [
        change_file,
        truncate_file,
        remove_file,
        add_file,
        replace_file_by_link,
        replace_folder_by_link,
        make_writable_to_all,
        make_not_executable,
        replace_file,
    ],
    ids=lambda act: act.__name__,
)
def test_copy_that_differs_from_the_installed_programs_is_replaced(
    source: Path, copies: Path, spoil: Callable[[Path], None]
) -> None:
    copy = ensure_program_copy(source, PARTS, copies)
    spoil(copy)
    assert ensure_program_copy(source, PARTS, copies) == copy
    assert not copy.is_symlink()
    assert (copy / "bin" / "greet").read_text() == (source / "bin" / "greet").read_text()
    assert not (copy / "bin" / "greet").is_symlink()
    assert (copy / "share" / "deep" / "greeting").read_text() == "hello\n"
    assert not (copy / "share" / "preload.so").exists()
    assert os.access(copy / "bin" / "greet", os.X_OK)
    assert (copy / "bin").stat().st_mode & 0o777 == 0o755


@as_root
@pytest.mark.parametrize("of", [".", "bin", "bin/greet"])
def test_a_copy_that_another_account_owns_is_replaced(source: Path, copies: Path, of: str) -> None:
    copy = ensure_program_copy(source, PARTS, copies)
    os.chown(copy / of, other().pw_uid, -1)
    ensure_program_copy(source, PARTS, copies)
    assert {path.stat().st_uid for path in (copy, *copy.rglob("*"))} == {0}


@as_root
def test_a_folder_of_copies_that_another_account_made_is_refused(source: Path, copies: Path) -> None:
    copies.mkdir(parents=True)
    os.chown(copies, other().pw_uid, -1)
    with pytest.raises(OSError, match="another account"):
        ensure_program_copy(source, PARTS, copies)
    assert list(copies.iterdir()) == []


def test_symbolic_link_instead_of_the_folder_of_copies_is_refused(source: Path, copies: Path, tmp_path: Path) -> None:
    copies.parent.mkdir()
    (tmp_path / "elsewhere").mkdir()
    copies.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="is no folder"):
        ensure_program_copy(source, PARTS, copies)


def test_older_and_unfinished_copies_are_removed(source: Path, copies: Path) -> None:
    older = ensure_program_copy(source, PARTS, copies)
    (copies / ".new-abc").mkdir()
    (source / "share" / "deep" / "greeting").write_text("good day\n")
    newer = ensure_program_copy(source, PARTS, copies)
    assert newer != older
    assert list(copies.iterdir()) == [newer]


def test_full_disk_leaves_no_incomplete_copy(source: Path, tmp_path: Path) -> None:
    (source / "share" / "large").write_bytes(bytes(3 << 20))
    with mounted(tmp_path / "small", "size=1m,mode=755"):
        with pytest.raises(OSError, match="No space"):
            ensure_program_copy(source, PARTS, tmp_path / "small" / "programs")
        assert list((tmp_path / "small" / "programs").iterdir()) == []


def test_programs_that_change_while_they_are_read_are_not_used(
    source: Path, copies: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy_file = shutil.copyfile

    def change_and_copy(file: Path, target: Path) -> None:
        (source / "share" / "deep" / "greeting").write_text("swapped\n")
        copy_file(file, target)

    monkeypatch.setattr(shutil, "copyfile", change_and_copy)
    with pytest.raises(OSError, match="not what was copied"):
        ensure_program_copy(source, PARTS, copies)


def test_unused_copies_are_removed(source: Path, copies: Path) -> None:
    remove_copies(copies)
    ensure_program_copy(source, PARTS, copies)
    remove_copies(copies)
    assert not copies.exists()
