"""List of erasures: it contains no name, loses no line, and accepts no other content."""

from pathlib import Path

import pytest

from muniment.errors import StoreError
from muniment.store.erasure_list import LIST_NAME, format_list, make_erasure_line, parse_list
from muniment.store.external_copy import open_external_copy
from tests.support.repos import Repo

LINES = frozenset(
    {make_erasure_line("k3f7", "2026-01-02T00:00:00Z"), make_erasure_line("m9q2", "2026-01-01T00:00:00Z")}
)


def test_list_says_of_each_person_whether_erased_without_a_name() -> None:
    text = format_list(LINES)
    assert "k3f7" not in text
    assert parse_list(text.encode()) == LINES
    assert [any(line.is_about(person) for line in LINES) for person in ("k3f7", "m9q2", "ada")] == [True, True, False]
    assert text.index("2026-01-01") < text.index("2026-01-02")


@pytest.mark.parametrize("spoilt", ["", "\n", "x\n", "# Erasures\n", "{}\n", "\xff"])
def test_invalid_list_is_refused(spoilt: str) -> None:
    with pytest.raises(StoreError):
        parse_list(spoilt.encode("latin-1"))


def test_truncated_or_foreign_list_is_refused() -> None:
    text = format_list(LINES)
    for spoilt in (text[:-1], text[:-20], text + "[]\n", text + '{"time": "x"}\n', text + "null\n"):
        with pytest.raises(StoreError):
            parse_list(spoilt.encode())


@pytest.mark.parametrize("kind", ["file", "git"])
def test_list_is_stored_with_the_external_copy_of_the_checkpoint(kind: str, tmp_path: Path) -> None:
    where = str(tmp_path / "copy")
    if kind == "git":
        Repo(tmp_path / "copy").commit({"x": "y"})
        where = f"git:file://{tmp_path / 'copy'}"
    checkpoint, lists = (
        open_external_copy(where, tmp_path / "home"),
        open_external_copy(where, tmp_path / "home", LIST_NAME),
    )
    assert lists.read_copy() is None
    checkpoint.write_copy(b"checkpoint")
    lists.write_copy(format_list(LINES).encode())
    lists.write_copy(format_list(LINES).encode())
    assert (checkpoint.read_copy(), parse_list(lists.read_copy() or b"")) == (b"checkpoint", LINES)
