"""Where a socket of this account can be: in a folder that nobody else may enter, by a path that is not too long."""

import hashlib
import os
import tempfile
from pathlib import Path

_LONGEST = 90  # bytes of a folder's path: a socket's name has to fit into 107


def folder_for(folder: Path) -> Path:
    """`socket` below the folder, or, if that path is too long for one, a place among temporary files."""
    inside = folder / "socket"
    if len(os.fsencode(inside.absolute())) <= _LONGEST:
        return inside
    name = hashlib.sha256(os.fsencode(folder.absolute())).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"muniment-{_owner(folder.parent)}-{name}"


def _owner(home: Path) -> int:
    """The account that runs the service: other accounts, which its processes have, come to the same place."""
    try:
        return home.stat().st_uid
    except OSError:
        return os.geteuid()  # it is still to be made
