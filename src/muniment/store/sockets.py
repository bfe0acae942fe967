"""Folder for a socket of this account: no other account may enter it, and its path is not too long."""

import hashlib
import os
import tempfile
from pathlib import Path

_LONGEST = 90  # bytes of a folder's path: a socket's name has to fit into 107


def choose_socket_folder(folder: Path) -> Path:
    """Folder `socket` below the folder, or, if that path is too long for a socket, one among temporary files."""
    inside = folder / "socket"
    if len(os.fsencode(inside.absolute())) <= _LONGEST:
        return inside
    name = hashlib.sha256(os.fsencode(folder.absolute())).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"muniment-{_find_owner(folder.parent)}-{name}"


def _find_owner(home: Path) -> int:
    """Account that runs the service: its processes in other accounts find the same folder."""
    try:
        return home.stat().st_uid
    except OSError:
        return os.geteuid()  # it is still to be made
