"""Counts the readings of secrets in the vault's audit log: all of it once, then the new ones."""

from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from muniment.vault import audit
from muniment.vault.audit import AuditLogError
from muniment.vault.audit_lines import DamageDating, LogLine


class ReadCount(NamedTuple):
    """First and last moment of some readings, and their number."""

    first: datetime
    last: datetime
    number: int


ReadCounts = dict[tuple[str, str, bool], ReadCount]  # by place, reader, and whether that is a pipeline of it


class ReadCounter:
    """Counts the readings of one namespace in a log and in its rotated files. Times are in no exact order.

    After a file went away, or is shorter than before, all are counted anew: the log may have been copied again.
    """

    def __init__(self, log: Path, namespace: str = "") -> None:
        self._log = log
        self._namespace = namespace
        self._reset_counts()

    def _reset_counts(self) -> None:
        self._ends: dict[tuple[int, int], int] = {}  # by device and inode: how many bytes were counted
        self._found: ReadCounts = {}
        self._dating = DamageDating(audit.find_line_time)
        self._damage: list[datetime | None] = []

    def count_new_reads(self) -> ReadCounts:
        """Count all reads so far. Raises AuditLogError; after that the counter is not correct any more."""
        sizes = self._read_sizes()
        if any(sizes.get(name, -1) < end for name, end in self._ends.items()):
            self._reset_counts()
        for file in audit.list_log_files(self._log):
            name = _identify_file(file)
            self._ends[name] = self._count_file(file, self._ends.get(name, 0))
        return self._found

    def has_unexamined_damage(self, examined_until: datetime | None) -> bool:
        """Whether a line that was counted as no reading is damaged, and nobody examined what it may have hidden."""
        self._damage = [moment for moment in self._damage if not audit.is_examined(moment, examined_until)]
        return bool(self._damage)

    def _read_sizes(self) -> dict[tuple[int, int], int]:
        try:
            return {_identify_file(file): file.stat().st_size for file in audit.list_log_files(self._log)}
        except OSError as error:
            raise AuditLogError("it cannot be read") from error

    def _count_file(self, file: Path, start: int) -> int:
        end = start
        for line in audit.read_lines(file, start):
            end += line.size
            try:
                self._count_line(line)
            except AuditLogError:
                # A full disk damages a line for ever: the others are counted all the same.
                self._damage.append(self._dating.find_moment())
            self._dating.add_line(line)
        return end

    def _count_line(self, line: LogLine) -> None:
        found = audit.find_read(line, self._namespace)
        if found is None:
            return
        try:
            moment = audit.parse_log_time(found.time)
        except ValueError:
            raise AuditLogError("a time has another form") from None
        who = (found.place, found.who, found.pipeline)
        known = self._found.get(who, ReadCount(moment, moment, 0))
        self._found[who] = ReadCount(min(known.first, moment), max(known.last, moment), known.number + 1)


def _identify_file(file: Path) -> tuple[int, int]:
    try:
        found = file.stat()
    except OSError as error:
        raise AuditLogError("it cannot be read") from error
    return found.st_dev, found.st_ino
