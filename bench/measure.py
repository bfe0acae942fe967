"""Times things side by side: each round runs every contender once, so that other load hits all alike."""

import resource
import statistics
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from msgspec import Struct

T = TypeVar("T")


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


class Cost(Struct, frozen=True):
    """Seconds of one run of a program and its children: by the clock, and of the processors."""

    wall: float
    cpu: float


def median_costs(contenders: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, Cost]:
    """The median cost of each contender, which starts programs and waits for them, over so many rounds."""
    walls: dict[str, list[float]] = {name: [] for name in contenders}
    processors: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, contender in contenders.items():
            start, before = time.perf_counter(), _children_cpu()
            contender()
            walls[name].append(time.perf_counter() - start)
            processors[name].append(_children_cpu() - before)
    return {name: Cost(statistics.median(walls[name]), statistics.median(processors[name])) for name in contenders}


def _children_cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def least_cpu(
    contenders: Mapping[str, Callable[[T], object]], make_input: Callable[[], T], rounds: int, times: int
) -> dict[str, float]:
    """CPU seconds of one call of each contender: the least of so many rounds of so many calls.

    Each call is given an input of its own, made before, so that nothing that an earlier call left in it helps. What
    else the machine does only ever adds to the time; that it never runs at full speed is seen in the peer.
    """
    least = dict.fromkeys(contenders, float("inf"))
    for _ in range(rounds):
        for name, contender in contenders.items():
            inputs = [make_input() for _ in range(times)]
            start = time.process_time_ns()
            for one in inputs:
                contender(one)
            least[name] = min(least[name], (time.process_time_ns() - start) / times / 1e9)
    return least


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
