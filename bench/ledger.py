"""How fast the ledger grows, proves and is verified, next to the bare work that it cannot do without."""

import hashlib
import os
import statistics
import tempfile
import time
from pathlib import Path

from bench.measure import Row, medians
from muniment.ledger import proofs
from muniment.ledger.verification import verify_ledger
from muniment.store.files_log import FilesLog
from muniment.store.files_store import FilesStore
from muniment.store.new_home import make_home

ENTRIES, BATCH = 1_000_000, 10_000
SIZE = 600  # bytes of an entry


def rows() -> list[Row]:
    """Everything about the ledger."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        make_home(f"{folder}/home", {}, "muniment/bench")
        home = FilesStore(f"{folder}/home")
        return [_append(Path(folder), home), *_million(home)]


def _append(folder: Path, home: FilesStore) -> Row:
    """One entry, from taking the lock to letting it go, next to the fsyncs of its three files and their folders."""
    log, entry = home.open_log(), bytes(SIZE)
    bare = folder / "bare"
    for name in ("a", "b", "c"):
        (bare / name).mkdir(parents=True)

    def durable() -> None:
        for name, data in (("a", bytes(32 * 128)), ("b", bytes(SIZE * 128)), ("c", bytes(200))):
            handle = os.open(bare / name / "new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.write(handle, data)
            os.fsync(handle)
            os.close(handle)
            os.rename(bare / name / "new", bare / name / "file")
            directory = os.open(bare / name, os.O_RDONLY)
            os.fsync(directory)
            os.close(directory)

    def append() -> None:
        with log.lock_and_verify() as held:
            held.append_entries([entry])

    found = medians({"ours": append, "peer": durable}, 255)
    return Row(
        "a durable append of one entry",
        f"held(), append ({found['ours'] * 1e3:.2f} ms)",
        f"3 files written, fsynced, renamed, their folders fsynced ({found['peer'] * 1e3:.2f} ms)",
        f"{found['ours'] / found['peer']:.2f} x",
        "",
    )


def _million(home: FilesStore) -> list[Row]:
    log = home.open_log()
    batch = [number.to_bytes(8, "big") * (SIZE // 8) for number in range(BATCH)]
    begin = time.perf_counter()
    with log.lock_and_verify() as held:
        for _ in range(ENTRIES // BATCH):
            held.append_entries(batch)
    taken = time.perf_counter() - begin
    size = log.read_head().size
    return [
        Row(
            f"{ENTRIES:,} entries of {SIZE} bytes",
            f"append, {BATCH:,} at a time",
            "none",
            f"{ENTRIES / taken:,.0f} a second",
            ">= 100,000",
        ),
        _proof(log, size),
        _verification(home, log, size),
    ]


def _proof(log: FilesLog, size: int) -> Row:
    taken: list[float] = []
    for number in range(1000):
        begin = time.perf_counter()
        proofs.prove_inclusion(log.read_file, size, number * (size // 1000))
        taken.append(time.perf_counter() - begin)
    return Row(
        f"a proof, of {size:,} entries", "inclusion", "none", f"{statistics.median(taken) * 1e3:.2f} ms", "< 1 ms"
    )


def _verification(home: FilesStore, log: FilesLog, size: int) -> Row:
    public, data = home.public_key(), log.load_checkpoint()
    assert public is not None
    assert data is not None
    entries = list(log.read_entries(0, size))
    begin = time.perf_counter()
    hashes = [hashlib.sha256(b"\0" + entry).digest() for entry in entries]
    while len(hashes) > 1:
        hashes = [hashlib.sha256(b"\1" + hashes[at] + hashes[at + 1]).digest() for at in range(0, len(hashes) - 1, 2)]
    peer = time.perf_counter() - begin
    del entries, hashes
    begin = time.perf_counter()
    assert verify_ledger(log.read_file, data, public).problems == ()
    ours = time.perf_counter() - begin
    return Row(
        f"all of {size:,} entries verified",
        f"verify ({ours:.2f} s)",
        f"sha256 of each entry and each node, from memory ({peer:.2f} s)",
        f"{ours / peer:.2f} x",
        "<= 1.5 x",
    )
