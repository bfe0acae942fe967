"""Processor time of processes, from /proc: what work costs, whatever else the machine does meanwhile."""

import contextlib
import os
from collections.abc import Iterable
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


def measure_tree(pid: int) -> float:
    """Seconds of a process and all below it, with those of children that they waited for."""
    return sum(_measure_process(one) for one in _list_tree(pid))


def measure_trees(pids: Iterable[int]) -> float:
    """Seconds of several processes, and all below them."""
    return sum(measure_tree(pid) for pid in pids)


def find_postmaster(home: Path) -> int:
    """Process of the PostgreSQL that comes with Muniment, in this home."""
    return int((home / "postgres" / "data" / "postmaster.pid").read_text().split("\n", 1)[0])


def _list_tree(pid: int) -> list[int]:
    below: list[int] = []
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # it ended meanwhile: its parent has its time
        for task in Path(f"/proc/{pid}/task").iterdir():
            below += map(int, (task / "children").read_text().split())
    return [pid, *(each for child in below for each in _list_tree(child))]


def _measure_process(pid: int) -> float:
    fields: list[str] = []
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / _TICKS
