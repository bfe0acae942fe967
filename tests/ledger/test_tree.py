"""The tree of RFC 6962, held against its own definition and against the roots that others publish."""

from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from muniment.errors import LedgerError
from muniment.ledger import proofs, tiles
from muniment.ledger.tree import EMPTY, leaf_hash, node_hash
from tests.support.stored import Stored, numbered

# The eight entries and the roots over the first n of them that implementations of RFC 6962 test themselves with.
ENTRIES = [
    bytes.fromhex(text)
    for text in (
        *("", "00", "10", "2021", "3031", "40414243", "5051525354555657"),
        "606162636465666768696a6b6c6d6e6f",
    )
]
ROOTS = {
    0: "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    1: "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    2: "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    3: "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    7: "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    8: "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
}


def defined(hashes: list[bytes]) -> bytes:
    """MTH of RFC 6962, section 2.1, word for word."""
    if len(hashes) < 2:
        return hashes[0] if hashes else sha256(b"").digest()
    half = 1 << ((len(hashes) - 1).bit_length() - 1)
    return sha256(b"\1" + defined(hashes[:half]) + defined(hashes[half:])).digest()


def test_hashes_of_leaves_and_nodes_cannot_be_mistaken_for_each_other() -> None:
    assert leaf_hash(b"x" * 64) != node_hash(b"x" * 32, b"x" * 32)
    assert sha256(b"").digest() == EMPTY


@pytest.mark.parametrize("size", ROOTS)
def test_roots_are_those_that_others_have(size: int) -> None:
    assert Stored(ENTRIES[:size]).root.hex() == ROOTS[size]


@settings(max_examples=60)
@given(st.lists(st.integers(0, 300), min_size=1, max_size=6))
def test_however_entries_come_in_the_files_are_the_same(steps: list[int]) -> None:
    listed = numbered(sum(steps))
    stored, at = Stored(), 0
    for step in steps:
        stored.append(listed[at : at + step])
        at += step
    assert stored.files == Stored(listed).files
    assert set(stored.files) == set(tiles.paths(at))
    assert stored.root == defined([leaf_hash(entry) for entry in listed])


def test_large_trees_have_more_levels() -> None:
    stored = Stored(numbered(65_800))
    assert "tile/2/000.p/1" in stored.files
    assert stored.root == defined([leaf_hash(entry) for entry in numbered(65_800)])
    assert list(tiles.entries(stored.files.get, 65_800, 65_530, 65_540)) == numbered(65_800)[65_530:65_540]
    for old in (1, 256, 65_535, 65_536, 65_537, 65_800):
        root = defined([leaf_hash(entry) for entry in numbered(old)])
        assert tiles.root(stored.files.get, 65_800, old) == root
        proof = proofs.consistency(stored.files.get, 65_800, old)
        assert proofs.check_consistency(old, root, 65_800, stored.root, proof)


STORED = Stored(numbered(600))


@settings(max_examples=100)
@given(st.integers(1, 600), st.data())
def test_every_inclusion_proof_holds_and_no_altered_one(size: int, data: st.DataObject) -> None:
    stored = Stored(numbered(size))
    index = data.draw(st.integers(0, size - 1))
    leaf = leaf_hash(numbered(size)[index])
    proof = proofs.inclusion(stored.files.get, size, index)
    assert proofs.check_inclusion(leaf, index, size, proof, stored.root)
    assert not proofs.check_inclusion(leaf_hash(b"other"), index, size, proof, stored.root)
    assert not proofs.check_inclusion(leaf, index, size, (*proof, EMPTY), stored.root)
    assert not proofs.check_inclusion(leaf, size, size, proof, stored.root)
    if proof:
        assert not proofs.check_inclusion(leaf, index, size, proof[:-1], stored.root)
        assert not proofs.check_inclusion(leaf, index, size, (EMPTY, *proof[1:]), stored.root)
        other = data.draw(st.integers(0, size - 1).filter(lambda number: number != index))
        assert not proofs.check_inclusion(leaf, other, size, proof, stored.root)


@settings(max_examples=100)
@given(st.integers(0, 600), st.integers(0, 600))
def test_every_consistency_proof_holds_and_no_altered_one(one: int, other: int) -> None:
    old, size = sorted((one, other))
    stored, before = Stored(numbered(size)), Stored(numbered(old))
    proof = proofs.consistency(stored.files.get, size, old)
    assert proofs.check_consistency(old, before.root, size, stored.root, proof)
    assert not proofs.check_consistency(old, before.root, size, stored.root, (*proof, EMPTY))
    assert not proofs.check_consistency(size + 1, before.root, size, stored.root, proof)
    if proof:
        assert not proofs.check_consistency(old, EMPTY, size, stored.root, proof)
        assert not proofs.check_consistency(old, before.root, size, EMPTY, proof)
        assert not proofs.check_consistency(old, before.root, size, stored.root, proof[:-1])
        assert not proofs.check_consistency(old, before.root, size, stored.root, ())
    elif old in (0, size):
        assert not proofs.check_consistency(old, b"x" * 32, size, stored.root, proof)


def test_what_is_not_there_cannot_be_proven() -> None:
    with pytest.raises(IndexError):
        proofs.inclusion(STORED.files.get, 600, 600)
    with pytest.raises(IndexError):
        proofs.consistency(STORED.files.get, 600, 601)
    with pytest.raises(IndexError):
        tiles.entry(STORED.files.get, 600, 600)


def test_paths_are_those_of_tlog_tiles() -> None:
    assert tiles.hash_path(0, 0) == "tile/0/000"
    assert tiles.hash_path(1, 1_234_067, 5) == "tile/1/x001/x234/067.p/5"
    assert tiles.bundle_path(999, 255) == "tile/entries/999.p/255"
    assert tiles.bundle_path(1000) == "tile/entries/x001/000"


def test_bundles_give_back_what_they_were_given() -> None:
    listed = [b"", b"x", b"y" * 65_535]
    assert tiles.unbundle(tiles.bundle(listed), "a bundle") == tuple(listed)
    for cut in (1, 3, 10):
        with pytest.raises(LedgerError, match="a bundle ends"):
            tiles.unbundle(tiles.bundle(listed)[:-cut], "a bundle")
    with pytest.raises(ValueError, match="65535"):
        tiles.bundle([b"x" * 65_536])


@pytest.mark.parametrize("path", ["tile/0/002.p/88", "tile/entries/002.p/88"])
def test_nothing_grows_on_a_damaged_edge(path: str) -> None:
    for data in (None, b"", STORED.files[path][:-1], STORED.files[path][:-1] + b"\0"):
        with pytest.raises(LedgerError):
            tiles.grow((STORED.files | {path: data}).get, 600, [b"more"])
