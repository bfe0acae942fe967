"""Times things side by side: each round runs every contender once, so that other load hits all alike."""

import statistics
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence

from msgspec import Struct


class Row(Struct, frozen=True):
    """One line of the table: what was measured, the peer and its command, the ratio or value, and its bound."""

    what: str
    ours: str
    peer: str
    ratio: str
    bound: str


def medians(contenders: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """The median seconds of each contender over so many rounds."""
    taken: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, contender in contenders.items():
            start = time.perf_counter()
            contender()
            taken[name].append(time.perf_counter() - start)
    return {name: statistics.median(times) for name, times in taken.items()}


def command(*arguments: str, codes: Sequence[int] = (0,)) -> Callable[[], None]:
    """Runs a program to its end; AssertionError if it ends with another code."""

    def run() -> None:
        done = subprocess.run(arguments, capture_output=True, check=False)
        assert done.returncode in codes, done.stderr.decode()

    return run


def table(rows: Sequence[Row]) -> str:
    """The rows as text, columns aligned."""
    cells = [("what", "ours", "peer", "result", "bound")] + [
        (row.what, row.ours, row.peer, row.ratio, row.bound) for row in rows
    ]
    widths = [max(len(row[at]) for row in cells) for at in range(5)]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in cells)
