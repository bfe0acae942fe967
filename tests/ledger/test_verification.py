"""Verification of a ledger names every kind of damage, with its file and the first untrusted entry."""

import pytest

from muniment.errors import StoreError
from muniment.ledger import ledger_keys
from muniment.ledger.merkle_tree import leaf_hash
from muniment.ledger.tiles import bundle_path, hash_path, pack_entries, unpack_entries
from muniment.ledger.verification import Verification, verify_ledger
from tests.support.stored import Stored, numbered

SIZES = (0, 1, 2, 255, 256, 257, 512, 1000, 65_536, 65_800)


@pytest.fixture(scope="module")
def large() -> Stored:
    return Stored(numbered(65_800))


@pytest.fixture
def stored() -> Stored:
    return Stored(numbered(1000))


def verified(stored: Stored) -> Verification:
    return verify_ledger(stored.files.get, stored.checkpoint, stored.public)


@pytest.mark.parametrize("size", SIZES)
def test_complete_ledger_verifies(size: int) -> None:
    stored = Stored(numbered(size))
    assert verified(stored) == Verification(size, stored.root.hex(), None, ())


@pytest.mark.parametrize("entry", [0, 255, 256, 700, 767, 768, 999])
def test_altered_entry_is_named(stored: Stored, entry: int) -> None:
    path = bundle_path(entry // 256, 256 if entry < 768 else 232)
    listed = list(unpack_entries(stored.files[path], path))
    listed[entry % 256] = b"another"
    stored.files[path] = pack_entries(listed)
    found = verified(stored)
    assert found.first_bad == entry
    assert any(f"entry {entry} in tile/entries/" in problem for problem in found.problems)


@pytest.mark.parametrize("entry", [0, 700, 65_535, 65_600])
def test_entry_altered_with_its_hash_is_located_within_a_range(large: Stored, entry: int) -> None:
    stored = Stored()
    stored.private, stored.public, stored.size, stored.root = large.private, large.public, large.size, large.root
    stored.files = dict(large.files)
    number, at = divmod(entry, 256)
    width = min(256, 65_800 - number * 256)
    path, tile = bundle_path(number, width), hash_path(0, number, width)
    listed = list(unpack_entries(stored.files[path], path))
    listed[at] = b"another"
    stored.files[path] = pack_entries(listed)
    hashes = stored.files[tile]
    stored.files[tile] = hashes[: at * 32] + leaf_hash(b"another") + hashes[at * 32 + 32 :]
    found = verified(stored)
    assert found.first_bad is not None
    assert found.first_bad <= entry
    assert any("signed" in problem for problem in found.problems)


@pytest.mark.parametrize("path", [hash_path(0, 1), hash_path(0, 3, 232), hash_path(1, 0, 3)])
def test_altered_hash_is_distinguished_from_an_altered_entry(stored: Stored, path: str) -> None:
    stored.files[path] = stored.files[path][:-1] + bytes([stored.files[path][-1] ^ 1])
    found = verified(stored)
    assert found.first_bad is None
    assert len(found.problems) == 1
    assert path in found.problems[0]


@pytest.mark.parametrize("path", [hash_path(0, 1), hash_path(1, 0, 3), bundle_path(1), bundle_path(3, 232)])
def test_missing_or_truncated_file_is_named(stored: Stored, path: str) -> None:
    whole = stored.files.pop(path)
    assert any(f"{path} is missing" in problem for problem in verified(stored).problems)
    for cut in (0, 1, len(whole) - 1):
        stored.files[path] = whole[:cut]
        found = verified(stored)
        assert any(path in problem for problem in found.problems)
        assert ("entries" not in path) or found.first_bad is not None
    stored.files[path] = whole + b"\0"
    assert any(path in problem for problem in verified(stored).problems)


def test_unreadable_file_is_named(stored: Stored) -> None:
    def read(path: str) -> bytes | None:
        if path == hash_path(0, 1):
            raise StoreError("no", "no")
        return stored.files.get(path)

    assert verify_ledger(read, stored.checkpoint, stored.public).problems == (f"{hash_path(0, 1)}: no",)


def test_invalid_content_of_an_entry_is_reported(stored: Stored) -> None:
    found = verify_ledger(
        stored.files.get,
        stored.checkpoint,
        stored.public,
        lambda place, entry: "no" if place == 3 and entry == numbered(4)[3] else "",
    )
    assert (found.first_bad, found.problems) == (3, ("entry 3 in tile/entries/000: no",))


def test_checkpoint_by_another_signer_is_refused(stored: Stored) -> None:
    for public in (ledger_keys.generate_key("muniment/shop")[1], ledger_keys.generate_key("else")[1]):
        (problem,) = verify_ledger(stored.files.get, stored.checkpoint, public).problems
        assert "not signed" in problem
    assert verify_ledger(stored.files.get, b"", stored.public).problems


def test_at_most_twenty_problems_are_reported(stored: Stored) -> None:
    assert len(verify_ledger(lambda path: None, stored.checkpoint, stored.public).problems) <= 20
