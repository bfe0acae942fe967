"""Titles, messages and proofs of updates."""

import pytest

from muniment.updates.lock_updates import LockUpdate, PackageMove
from muniment.updates.update_texts import describe_move, write_commit_message, write_proof, write_title


def make_update(*names: str, smallest: bool = True, header: tuple[str, ...] = ()) -> LockUpdate:
    found = tuple(PackageMove(name, ("1",), ("2",), (f"A-{name}",)) for name in names)
    return LockUpdate("uv.lock", found, (), b"", 7, smallest, header, "uv")


@pytest.mark.parametrize(
    ("names", "conventional", "title"),
    [
        (("a",), False, "Update a to 2"),
        (("a",), True, "fix(deps): update a to 2"),
        (("a", "b"), False, "Update a, b"),
        (("a" * 40, "b" * 40), True, "fix(deps): update 2 vulnerable packages"),
        (("a" * 90,), True, "fix(deps): update 1 vulnerable packages"),
    ],
)
def test_a_title_names_the_packages_in_at_most_72_characters(
    names: tuple[str, ...], conventional: bool, title: str
) -> None:
    assert write_title([make_update(*names)], conventional=conventional) == title
    assert len(title) <= 72


@pytest.mark.parametrize(
    ("move", "text"),
    [
        (PackageMove("a", ("1",), ("2",), ("A-1",)), "a 1 to 2: clears A-1"),
        (PackageMove("a", ("1", "2"), ("3",), ()), "a 1, 2 to 3: the new versions require it"),
        (PackageMove("a", (), ("3",), ()), "a 3 is added: a new version requires it"),
        (PackageMove("a", ("3",), (), ()), "a 3 is removed: no package requires it any more"),
    ],
)
def test_each_change_has_its_reason(move: PackageMove, text: str) -> None:
    assert describe_move(move) == text


def test_a_message_lists_vulnerabilities_changes_and_the_proof() -> None:
    message = write_commit_message([make_update("a")], conventional=False)
    assert message.splitlines()[0] == "Update a to 2"
    assert "- A-a" in message
    assert "- a 1 to 2: clears A-a" in message
    assert message.endswith("7 other packages are unchanged byte for byte; its header is unchanged.")


def test_a_proof_says_what_the_header_changes_and_what_is_not_proven() -> None:
    proof = write_proof(make_update("a", smallest=False, header=("resolution-markers",)))
    assert "its header changes in resolution-markers" in proof
    assert "Smaller versions may exist" in proof
