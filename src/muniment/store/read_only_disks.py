"""Disk of a home that nobody can write to: its sentence, and the next step."""

import os
import shlex
from pathlib import Path
from typing import NamedTuple


class ReadOnlyDisk(NamedTuple):
    """Description of a disk that is mounted read-only."""

    message: str
    remedy: str


def describe_read_only_disk(folder: Path) -> ReadOnlyDisk | None:
    """Describe the disk of a folder if it is mounted read-only; None if it is not, or if there is no such folder."""
    try:
        if not os.statvfs(folder).f_flag & os.ST_RDONLY:
            return None
    except OSError:
        return None
    full = folder.absolute()
    mounted = next(each for each in (full, *full.parents) if each.is_mount())
    return ReadOnlyDisk(
        f"{folder} is mounted read-only, so nothing can be recorded",
        f"Mount it writable; as root: mount -o remount,rw {shlex.quote(str(mounted))}",
    )
