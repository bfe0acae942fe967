"""The list of erasures: no name, no line lost, and nothing else is taken for it."""

from pathlib import Path

import pytest

from muniment.errors import StoreError
from muniment.store.erasure_list import NAME, make_line, read_list, write_list
from muniment.store.outside import outside
from tests.support.repos import Repo

LINES = frozenset({make_line("k3f7", "2026-01-02T00:00:00Z"), make_line("m9q2", "2026-01-01T00:00:00Z")})


def test_a_list_names_nobody_and_says_of_each_person_whether_they_were_erased() -> None:
    text = write_list(LINES)
    assert "k3f7" not in text
    assert read_list(text.encode()) == LINES
    assert [any(line.is_about(person) for line in LINES) for person in ("k3f7", "m9q2", "ada")] == [True, True, False]
    assert text.index("2026-01-01") < text.index("2026-01-02")


@pytest.mark.parametrize("spoilt", ["", "\n", "x\n", "# Erasures\n", "{}\n", "\xff"])
def test_what_is_no_list_is_refused(spoilt: str) -> None:
    with pytest.raises(StoreError):
        read_list(spoilt.encode("latin-1"))


def test_a_list_that_was_cut_off_or_holds_something_else_is_refused() -> None:
    text = write_list(LINES)
    for spoilt in (text[:-1], text[:-20], text + "[]\n", text + '{"time": "x"}\n', text + "null\n"):
        with pytest.raises(StoreError):
            read_list(spoilt.encode())


@pytest.mark.parametrize("kind", ["file", "git"])
def test_it_is_stored_beside_the_copy_of_the_checkpoint(kind: str, tmp_path: Path) -> None:
    where = str(tmp_path / "copy")
    if kind == "git":
        Repo(tmp_path / "copy").commit({"x": "y"})
        where = f"git:file://{tmp_path / 'copy'}"
    checkpoint, lists = outside(where, tmp_path / "home"), outside(where, tmp_path / "home", NAME)
    assert lists.read() is None
    checkpoint.write(b"checkpoint")
    lists.write(write_list(LINES).encode())
    lists.write(write_list(LINES).encode())
    assert (checkpoint.read(), read_list(lists.read() or b"")) == (b"checkpoint", LINES)
