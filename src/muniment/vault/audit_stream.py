"""Follows the vault's audit logs as a stream, and notices a log that was renamed, cut, replaced or taken away.

Two audit devices of the vault write the same entries to two files, and each entry of one is looked for in the other.
"""

import hashlib
import os
from pathlib import Path
from typing import BinaryIO, NamedTuple

from msgspec import Struct

from muniment.vault import audit
from muniment.vault.audit_lines import LogLine, iterate_lines

ROTATIONS = "rotations"  # the file next to the logs in which the vault's supervisor announces each rotation
PAIR_SECONDS = 5.0  # within which both devices have written an entry

_MOST_LINES = 2_000  # of one step, so that a step ends soon


class LogPosition(Struct, frozen=True):
    """Position up to which a log was read. `last_line` is the SHA-256 of the line that ends at `offset`, of `last_size`
    bytes; of an overlong line, of its end.
    """

    inode: int = 0
    offset: int = 0
    last_size: int = 0
    last_line: str = ""


class FollowResult(NamedTuple):
    """Result of one reading: new entries, the new position, and each reason why entries may be missing."""

    entries: list[dict[str, object]]
    position: LogPosition
    gaps: list[str]


def announce_rotation(log: Path) -> None:
    """Announce, before it is renamed, that a log of ours will be rotated. Raises OSError."""
    with (log.parent / ROTATIONS).open("ab") as stream:
        stream.write(f"{log.stat().st_ino}\n".encode())
        stream.flush()
        os.fsync(stream.fileno())


def follow_log(log: Path, position: LogPosition | None) -> FollowResult:
    """Read the entries after `position`; from the start of the log without one.

    After a gap it goes on where it can, so that no more is missed. It never raises: unreadable parts are gaps.
    """
    step = FollowResult([], position or LogPosition(), [])
    try:
        return _follow_log(log, step)
    except audit.AuditLogError as error:
        step.gaps.append(f"{log.name}: {error}")
    except OSError as error:
        step.gaps.append(f"{log.name} cannot be read ({os.strerror(error.errno or 0)})")
    return step


def skip_to_end(log: Path) -> LogPosition:
    """Position after the newest whole line. Raises OSError or AuditLogError."""
    position = LogPosition(log.stat().st_ino)
    with log.open("rb") as stream:
        for line in iterate_lines(stream):
            position = _advance_position(position, line)
    return position


def read_last_entry(log: Path, position: LogPosition) -> dict[str, object] | None:
    """Entry that ends at a position; None where the log has none there. Raises OSError or AuditLogError."""
    if not position.last_size:
        return None
    with log.open("rb") as stream:
        stream.seek(position.offset - position.last_size)
        return audit.decode_line(LogLine(position.last_size, stream.read(position.last_size)))


class DevicePairs:
    """Entries that one of two audit devices wrote and the other has not written yet."""

    def __init__(self) -> None:
        self._waiting: tuple[dict[str, float], dict[str, float]] = ({}, {})

    def add_entries(self, device: int, entries: list[dict[str, object]], now: float) -> None:
        """Add new entries of a device, 0 or 1; `now` in seconds of any monotonic clock. Raises AuditLogError."""
        own, other = self._waiting[device], self._waiting[1 - device]
        for entry in entries:
            name = audit.identify_entry(entry)
            if other.pop(name, None) is None:
                own[name] = now

    def drop_unpaired(self, now: float) -> int:
        """Count the entries that only one device wrote, although the other had time; each is counted once."""
        late = [(own, name) for own in self._waiting for name, since in own.items() if now - since > PAIR_SECONDS]
        for own, name in late:
            del own[name]
        return len(late)

    @property
    def is_empty(self) -> bool:
        """Whether both devices wrote the same so far."""
        return not any(self._waiting)


def _follow_log(log: Path, step: FollowResult) -> FollowResult:
    old = step.position
    if not log.exists():
        aside = _find_by_inode(log, old.inode)
        if aside is not None and old.inode in _read_announced(log):
            return step  # our own rotation: the vault makes the new file in a moment
        step.gaps.append(f"{log.name} is not there")
        return step if aside is None else _read_file(aside, step)
    inode = log.stat().st_ino
    # Distinguished by inode, not by name: a rename changes the name and keeps what was read.
    if old.inode in (0, inode):
        return _read_file(log, step._replace(position=old if old.inode else LogPosition(inode)))
    aside = _find_by_inode(log, old.inode)
    if aside is None:
        step.gaps.append(f"what {log.name} held before was taken away or replaced")
    else:
        if old.inode not in _read_announced(log):
            step.gaps.append(f"somebody renamed {log.name}")
        step = _read_file(aside, step)
        # The rest of the rotated log comes first in the next step: entries are reported in their order.
        if len(step.entries) >= _MOST_LINES:
            return step
    for file in _list_rotated_after(log, aside):
        step = _read_file(file, step._replace(position=LogPosition(file.stat().st_ino)))
    return _read_file(log, step._replace(position=LogPosition(inode)))


def _read_file(file: Path, step: FollowResult) -> FollowResult:
    """Read the new lines of one file. After a cut or rewritten file, reading goes on from its end."""
    entries, position, gaps = step
    with file.open("rb") as stream:
        if not _is_unchanged(stream, position):
            # From the end: entries before it may be forged, and those that were read already would be reported anew.
            gaps.append(f"{file.name} was cut or rewritten")
            return step._replace(position=skip_to_end(file))
        for line in iterate_lines(stream, _MOST_LINES - len(entries)):
            position = _advance_position(position, line)
            try:
                entries.append(audit.decode_line(line))
            except audit.AuditLogError as error:
                gaps.append(f"{file.name}: {error}")
    return FollowResult(entries, position, gaps)


def _is_unchanged(stream: BinaryIO, position: LogPosition) -> bool:
    """Whether the line that was read last still ends at the position; leaves the stream there."""
    if not position.offset:
        return True
    stream.seek(position.offset - position.last_size)
    return hashlib.sha256(stream.read(position.last_size)).hexdigest() == position.last_line


def _advance_position(position: LogPosition, line: LogLine) -> LogPosition:
    digest = hashlib.sha256(line.data).hexdigest()
    return LogPosition(position.inode, position.offset + line.size, len(line.data), digest)


def _find_by_inode(log: Path, inode: int) -> Path | None:
    """Path of a log that was read before, in the same folder, whatever its name is now."""
    return next((file for file in sorted(log.parent.iterdir()) if file.lstat().st_ino == inode), None)


def _list_rotated_after(log: Path, aside: Path | None) -> list[Path]:
    """Logs that were rotated after the one that was read last, by their names, which are moments."""
    if aside is None:
        return []
    return [file for file in sorted(log.parent.glob(f"{log.name}.*")) if file.name > aside.name]


def _read_announced(log: Path) -> set[int]:
    """Inodes of the logs that our own supervisor announced to rotate."""
    try:
        text = (log.parent / ROTATIONS).read_text("ascii")
    except FileNotFoundError:
        return set()
    except (OSError, ValueError) as error:
        raise audit.AuditLogError("the announcements of rotations cannot be read") from error
    return {int(line) for line in text.splitlines() if line.isdecimal()}
