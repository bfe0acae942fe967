"""Merkle tree of RFC 6962, compared with its definition and with published roots."""

from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from muniment.errors import LedgerError
from muniment.ledger import proofs, tiles
from muniment.ledger.merkle_tree import EMPTY, leaf_hash, node_hash
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


def root_by_definition(hashes: list[bytes]) -> bytes:
    """MTH of RFC 6962, section 2.1, by its literal definition."""
    if len(hashes) < 2:
        return hashes[0] if hashes else sha256(b"").digest()
    half = 1 << ((len(hashes) - 1).bit_length() - 1)
    return sha256(b"\1" + root_by_definition(hashes[:half]) + root_by_definition(hashes[half:])).digest()


def test_leaf_and_node_hashes_cannot_be_confused() -> None:
    assert leaf_hash(b"x" * 64) != node_hash(b"x" * 32, b"x" * 32)
    assert sha256(b"").digest() == EMPTY


@pytest.mark.parametrize("size", ROOTS)
def test_roots_equal_published_ones(size: int) -> None:
    assert Stored(ENTRIES[:size]).root.hex() == ROOTS[size]


@settings(max_examples=60)
@given(st.lists(st.integers(0, 300), min_size=1, max_size=6))
def test_files_do_not_depend_on_how_entries_were_batched(steps: list[int]) -> None:
    listed = numbered(sum(steps))
    stored, at = Stored(), 0
    for step in steps:
        stored.append(listed[at : at + step])
        at += step
    assert stored.files == Stored(listed).files
    assert set(stored.files) == set(tiles.list_file_paths(at))
    assert stored.root == root_by_definition([leaf_hash(entry) for entry in listed])


def test_large_trees_have_more_levels() -> None:
    stored = Stored(numbered(65_800))
    assert "tile/2/000.p/1" in stored.files
    assert stored.root == root_by_definition([leaf_hash(entry) for entry in numbered(65_800)])
    assert list(tiles.read_entries(stored.files.get, 65_800, 65_530, 65_540)) == numbered(65_800)[65_530:65_540]
    for old in (1, 256, 65_535, 65_536, 65_537, 65_800):
        root = root_by_definition([leaf_hash(entry) for entry in numbered(old)])
        assert tiles.compute_root(stored.files.get, 65_800, old) == root
        proof = proofs.prove_consistency(stored.files.get, 65_800, old)
        assert proofs.is_consistent(old, root, 65_800, stored.root, proof)


STORED = Stored(numbered(600))


@settings(max_examples=100)
@given(st.integers(1, 600), st.data())
def test_inclusion_proofs_verify_and_altered_ones_do_not(size: int, data: st.DataObject) -> None:
    stored = Stored(numbered(size))
    index = data.draw(st.integers(0, size - 1))
    leaf = leaf_hash(numbered(size)[index])
    proof = proofs.prove_inclusion(stored.files.get, size, index)
    assert proofs.is_included(leaf, index, size, proof, stored.root)
    assert not proofs.is_included(leaf_hash(b"other"), index, size, proof, stored.root)
    assert not proofs.is_included(leaf, index, size, (*proof, EMPTY), stored.root)
    assert not proofs.is_included(leaf, size, size, proof, stored.root)
    if proof:
        assert not proofs.is_included(leaf, index, size, proof[:-1], stored.root)
        assert not proofs.is_included(leaf, index, size, (EMPTY, *proof[1:]), stored.root)
        other = data.draw(st.integers(0, size - 1).filter(lambda number: number != index))
        assert not proofs.is_included(leaf, other, size, proof, stored.root)


@settings(max_examples=100)
@given(st.integers(0, 600), st.integers(0, 600))
def test_consistency_proofs_verify_and_altered_ones_do_not(one: int, other: int) -> None:
    old, size = sorted((one, other))
    stored, before = Stored(numbered(size)), Stored(numbered(old))
    proof = proofs.prove_consistency(stored.files.get, size, old)
    assert proofs.is_consistent(old, before.root, size, stored.root, proof)
    assert not proofs.is_consistent(old, before.root, size, stored.root, (*proof, EMPTY))
    assert not proofs.is_consistent(size + 1, before.root, size, stored.root, proof)
    if proof:
        assert not proofs.is_consistent(old, EMPTY, size, stored.root, proof)
        assert not proofs.is_consistent(old, before.root, size, EMPTY, proof)
        assert not proofs.is_consistent(old, before.root, size, stored.root, proof[:-1])
        assert not proofs.is_consistent(old, before.root, size, stored.root, ())
    elif old in (0, size):
        assert not proofs.is_consistent(old, b"x" * 32, size, stored.root, proof)


def test_missing_entry_cannot_be_proven() -> None:
    with pytest.raises(IndexError):
        proofs.prove_inclusion(STORED.files.get, 600, 600)
    with pytest.raises(IndexError):
        proofs.prove_consistency(STORED.files.get, 600, 601)
    with pytest.raises(IndexError):
        tiles.read_entry(STORED.files.get, 600, 600)


def test_paths_follow_tlog_tiles() -> None:
    assert tiles.hash_path(0, 0) == "tile/0/000"
    assert tiles.hash_path(1, 1_234_067, 5) == "tile/1/x001/x234/067.p/5"
    assert tiles.bundle_path(999, 255) == "tile/entries/999.p/255"
    assert tiles.bundle_path(1000) == "tile/entries/x001/000"


def test_decoded_bundle_equals_the_encoded_entries() -> None:
    listed = [b"", b"x", b"y" * 65_535]
    assert tiles.unpack_entries(tiles.pack_entries(listed), "a bundle") == tuple(listed)
    for cut in (1, 3, 10):
        with pytest.raises(LedgerError, match="a bundle ends"):
            tiles.unpack_entries(tiles.pack_entries(listed)[:-cut], "a bundle")
    with pytest.raises(ValueError, match="65535"):
        tiles.pack_entries([b"x" * 65_536])


@pytest.mark.parametrize("path", ["tile/0/002.p/88", "tile/entries/002.p/88"])
def test_damaged_edge_refuses_new_entries(path: str) -> None:
    for data in (None, b"", STORED.files[path][:-1], STORED.files[path][:-1] + b"\0"):
        with pytest.raises(LedgerError):
            tiles.append_to_tree((STORED.files | {path: data}).get, 600, [b"more"])
