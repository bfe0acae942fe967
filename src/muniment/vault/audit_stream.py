"""Follows the vault's audit logs as a stream, and notices a log that was renamed, cut, replaced or taken away.

Two audit devices of the vault write the same entries to two files, and each entry of one is looked for in the other.
"""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from msgspec import Struct

from muniment.vault import audit

ROTATIONS = "rotations"  # the file beside the logs in which the vault's supervisor announces each rotation
PAIR_SECONDS = 5.0  # within which both devices have written an entry

_LARGEST_LINE = 1 << 20
_MOST_LINES = 2_000  # of one step, so that a step ends soon


class Position(Struct, frozen=True):
    """How far a log was read. `last_line` is the SHA-256 of the line that ends at `offset`, of `last_size` bytes."""

    inode: int = 0
    offset: int = 0
    last_size: int = 0
    last_line: str = ""


class Step(NamedTuple):
    """What one step found: new entries, the new position, and each reason why entries may be missing."""

    entries: list[dict[str, Any]]
    position: Position
    gaps: list[str]


def announce_rotation(log: Path) -> None:
    """Say, before it is renamed, that a log of ours will be put aside. Raises OSError."""
    with (log.parent / ROTATIONS).open("ab") as stream:
        stream.write(f"{log.stat().st_ino}\n".encode())
        stream.flush()
        os.fsync(stream.fileno())


def follow(log: Path, position: Position | None) -> Step:
    """Read what is new since `position`; from the start of the log without one.

    After a gap it goes on where it can, so that nothing more is missed. It never raises: what cannot be read is a gap.
    """
    step = Step([], position or Position(), [])
    try:
        return _follow(log, step)
    except audit.Broken as error:
        step.gaps.append(f"{log.name}: {error}")
    except OSError as error:
        step.gaps.append(f"{log.name} cannot be read ({os.strerror(error.errno or 0)})")
    return step


def skip_to_end(log: Path) -> Position:
    """The position behind the newest whole line. Raises OSError or Broken."""
    position = Position(log.stat().st_ino)
    with log.open("rb") as stream:
        for line in _whole_lines(stream, None):
            position = _advance(position, line)
    return position


def read_last_entry(log: Path, position: Position) -> dict[str, Any] | None:
    """The entry that ends at a position; None where the log has none there. Raises OSError or Broken."""
    if not position.last_size:
        return None
    with log.open("rb") as stream:
        stream.seek(position.offset - position.last_size)
        return audit.decode_line(stream.read(position.last_size))


class Pairs:
    """Entries that one of two devices wrote and the other did not yet."""

    def __init__(self) -> None:
        self._waiting: tuple[dict[str, float], dict[str, float]] = ({}, {})

    def add(self, device: int, entries: list[dict[str, Any]], now: float) -> None:
        """New entries of a device, 0 or 1; `now` in seconds of any clock that goes on. Raises Broken."""
        own, other = self._waiting[device], self._waiting[1 - device]
        for entry in entries:
            name = audit.identify_entry(entry)
            if other.pop(name, None) is None:
                own[name] = now

    def drop_unpaired(self, now: float) -> int:
        """How many entries only one device wrote, although the other had time; each is counted once."""
        late = [(own, name) for own in self._waiting for name, since in own.items() if now - since > PAIR_SECONDS]
        for own, name in late:
            del own[name]
        return len(late)

    @property
    def is_empty(self) -> bool:
        """Whether both devices wrote the same so far."""
        return not any(self._waiting)


def _follow(log: Path, step: Step) -> Step:
    old = step.position
    if not log.exists():
        aside = _find_by_inode(log, old.inode)
        if aside is not None and old.inode in _announced(log):
            return step  # our own rotation: the vault makes the new file in a moment
        step.gaps.append(f"{log.name} is not there")
        return step if aside is None else _read_file(aside, step)
    inode = log.stat().st_ino
    if old.inode in (0, inode):
        return _read_file(log, step._replace(position=old if old.inode else Position(inode)))
    aside = _find_by_inode(log, old.inode)
    if aside is None:
        step.gaps.append(f"what {log.name} held before was taken away or replaced")
    else:
        if old.inode not in _announced(log):
            step.gaps.append(f"somebody renamed {log.name}")
        step = _read_file(aside, step)
        if len(step.entries) >= _MOST_LINES:
            return step
    for file in _between(log, aside):
        step = _read_file(file, step._replace(position=Position(file.stat().st_ino)))
    return _read_file(log, step._replace(position=Position(inode)))


def _read_file(file: Path, step: Step) -> Step:
    """What is new in one file. One that was cut or rewritten before the position is read on from its end."""
    entries, position, gaps = step
    with file.open("rb") as stream:
        if not _is_unchanged(stream, position):
            gaps.append(f"{file.name} was cut or rewritten")
            return step._replace(position=skip_to_end(file))
        for line in _whole_lines(stream, _MOST_LINES - len(entries)):
            position = _advance(position, line)
            try:
                entries.append(audit.decode_line(line))
            except audit.Broken as error:
                gaps.append(f"{file.name}: {error}")
    return Step(entries, position, gaps)


def _is_unchanged(stream: BinaryIO, position: Position) -> bool:
    """Whether the line that was read last still ends where it ended; leaves the stream there."""
    if not position.offset:
        return True
    stream.seek(position.offset - position.last_size)
    return hashlib.sha256(stream.read(position.last_size)).hexdigest() == position.last_line


def _whole_lines(stream: BinaryIO, most: int | None) -> Iterator[bytes]:
    count = 0
    while (most is None or count < most) and (line := stream.readline(_LARGEST_LINE)):
        if not line.endswith(b"\n"):
            if len(line) == _LARGEST_LINE:
                raise audit.Broken("a line is too long")
            return  # it is being written
        count += 1
        yield line


def _advance(position: Position, line: bytes) -> Position:
    digest = hashlib.sha256(line).hexdigest()
    return Position(position.inode, position.offset + len(line), len(line), digest)


def _find_by_inode(log: Path, inode: int) -> Path | None:
    """Where a log that was read before is now, in the same folder."""
    return next((file for file in sorted(log.parent.iterdir()) if file.lstat().st_ino == inode), None)


def _between(log: Path, aside: Path | None) -> list[Path]:
    """Logs that were put aside after the one that was read last, by their names, which are moments."""
    if aside is None:
        return []
    return [file for file in sorted(log.parent.glob(f"{log.name}.*")) if file.name > aside.name]


def _announced(log: Path) -> set[int]:
    """The inodes of logs that our own supervisor put aside."""
    try:
        text = (log.parent / ROTATIONS).read_text("ascii")
    except FileNotFoundError:
        return set()
    except (OSError, ValueError) as error:
        raise audit.Broken("the announcements of rotations cannot be read") from error
    return {int(line) for line in text.splitlines() if line.isdecimal()}
