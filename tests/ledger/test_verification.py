"""Every kind of damage is named, with its file and the first entry that cannot be trusted."""

import pytest

from muniment.errors import StoreError
from muniment.ledger import keys
from muniment.ledger.tiles import bundle, bundle_path, hash_path, unbundle
from muniment.ledger.tree import leaf_hash
from muniment.ledger.verification import Verification, verify
from tests.support.stored import Stored, numbered

SIZES = (0, 1, 2, 255, 256, 257, 512, 1000, 65_536, 65_800)


@pytest.fixture(scope="module")
def large() -> Stored:
    return Stored(numbered(65_800))


@pytest.fixture
def stored() -> Stored:
    return Stored(numbered(1000))


def verified(stored: Stored) -> Verification:
    return verify(stored.files.get, stored.checkpoint, stored.public)


@pytest.mark.parametrize("size", SIZES)
def test_a_whole_ledger_is(size: int) -> None:
    stored = Stored(numbered(size))
    assert verified(stored) == Verification(size, stored.root.hex(), None, ())


@pytest.mark.parametrize("entry", [0, 255, 256, 700, 767, 768, 999])
def test_an_altered_entry_is_named(stored: Stored, entry: int) -> None:
    path = bundle_path(entry // 256, 256 if entry < 768 else 232)
    listed = list(unbundle(stored.files[path], path))
    listed[entry % 256] = b"another"
    stored.files[path] = bundle(listed)
    found = verified(stored)
    assert found.first_bad == entry
    assert any(f"entry {entry} in tile/entries/" in problem for problem in found.problems)


@pytest.mark.parametrize("entry", [0, 700, 65_535, 65_600])
def test_an_entry_altered_with_its_hash_is_narrowed_down(large: Stored, entry: int) -> None:
    stored = Stored()
    stored.private, stored.public, stored.size, stored.root = large.private, large.public, large.size, large.root
    stored.files = dict(large.files)
    number, at = divmod(entry, 256)
    width = min(256, 65_800 - number * 256)
    path, tile = bundle_path(number, width), hash_path(0, number, width)
    listed = list(unbundle(stored.files[path], path))
    listed[at] = b"another"
    stored.files[path] = bundle(listed)
    hashes = stored.files[tile]
    stored.files[tile] = hashes[: at * 32] + leaf_hash(b"another") + hashes[at * 32 + 32 :]
    found = verified(stored)
    assert found.first_bad is not None
    assert found.first_bad <= entry
    assert any("signed" in problem for problem in found.problems)


@pytest.mark.parametrize("path", [hash_path(0, 1), hash_path(0, 3, 232), hash_path(1, 0, 3)])
def test_an_altered_hash_is_told_from_an_altered_entry(stored: Stored, path: str) -> None:
    stored.files[path] = stored.files[path][:-1] + bytes([stored.files[path][-1] ^ 1])
    found = verified(stored)
    assert found.first_bad is None
    assert len(found.problems) == 1
    assert path in found.problems[0]


@pytest.mark.parametrize("path", [hash_path(0, 1), hash_path(1, 0, 3), bundle_path(1), bundle_path(3, 232)])
def test_a_file_that_is_missing_or_cut_off_is_named(stored: Stored, path: str) -> None:
    whole = stored.files.pop(path)
    assert any(f"{path} is missing" in problem for problem in verified(stored).problems)
    for cut in (0, 1, len(whole) - 1):
        stored.files[path] = whole[:cut]
        found = verified(stored)
        assert any(path in problem for problem in found.problems)
        assert ("entries" not in path) or found.first_bad is not None
    stored.files[path] = whole + b"\0"
    assert any(path in problem for problem in verified(stored).problems)


def test_a_file_that_cannot_be_read_is_named(stored: Stored) -> None:
    def read(path: str) -> bytes | None:
        if path == hash_path(0, 1):
            raise StoreError("no", "no")
        return stored.files.get(path)

    assert verify(read, stored.checkpoint, stored.public).problems == (f"{hash_path(0, 1)}: no",)


def test_what_an_entry_says_is_judged_too(stored: Stored) -> None:
    found = verify(
        stored.files.get,
        stored.checkpoint,
        stored.public,
        lambda place, entry: "no" if place == 3 and entry == numbered(4)[3] else "",
    )
    assert (found.first_bad, found.problems) == (3, ("entry 3 in tile/entries/000: no",))


def test_a_checkpoint_of_somebody_else_is_none(stored: Stored) -> None:
    for public in (keys.generate("muniment/shop")[1], keys.generate("else")[1]):
        (problem,) = verify(stored.files.get, stored.checkpoint, public).problems
        assert "not signed" in problem
    assert verify(stored.files.get, b"", stored.public).problems


def test_it_tells_at_most_twenty_problems(stored: Stored) -> None:
    assert len(verify(lambda path: None, stored.checkpoint, stored.public).problems) <= 20
