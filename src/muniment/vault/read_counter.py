"""Counts the readings of secrets in the vault's audit log: all of it once, then what is new."""

from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from muniment.vault import audit
from muniment.vault.audit import Broken


class Reads(NamedTuple):
    """The first and the last of some readings, and how many they are."""

    first: datetime
    last: datetime
    number: int


Readers = dict[tuple[str, str, bool], Reads]  # by place, reader, and whether that is a pipeline of it


class ReadCounter:
    """Counts the readings of one namespace in a log and in those that it was put aside to. Times are in no exact order.

    A file that went away, or is shorter than it was, has all of them counted anew: the log may have been copied again.
    """

    def __init__(self, log: Path, namespace: str = "") -> None:
        self._log = log
        self._namespace = namespace
        self._ends: dict[tuple[int, int], int] = {}  # by device and inode: how many bytes were counted
        self._found: Readers = {}

    def read_on(self) -> Readers:
        """All readings so far. Raises Broken; a counter that raised counts nothing right any more."""
        sizes = self._sizes()
        if any(sizes.get(name, -1) < end for name, end in self._ends.items()):
            self._ends, self._found = {}, {}
        for file in audit.files(self._log):
            name = _name_of(file)
            self._ends[name] = self._count(file, self._ends.get(name, 0))
        return self._found

    def _sizes(self) -> dict[tuple[int, int], int]:
        try:
            return {_name_of(file): file.stat().st_size for file in audit.files(self._log)}
        except OSError as error:
            raise Broken("it cannot be read") from error

    def _count(self, file: Path, start: int) -> int:
        end = start
        for line in audit.lines(file, start):
            end += len(line)
            found = audit.find_read(line, self._namespace)
            if found is None:
                continue
            try:
                moment = audit.parse_moment(found.time)
            except ValueError:
                raise Broken("a time has another form") from None
            who = (found.place, found.who, found.pipeline)
            known = self._found.get(who, Reads(moment, moment, 0))
            self._found[who] = Reads(min(known.first, moment), max(known.last, moment), known.number + 1)
        return end


def _name_of(file: Path) -> tuple[int, int]:
    try:
        found = file.stat()
    except OSError as error:
        raise Broken("it cannot be read") from error
    return found.st_dev, found.st_ino
