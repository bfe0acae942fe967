"""Locks on folders of the home that one process at a time may use, and their ownership."""

import fcntl
import os
from collections.abc import Callable
from pathlib import Path


def lock_folder(folder: Path, make: Callable[[Path], object], make_error: Callable[[str, str], Exception]) -> int:
    """Lock of a folder, which `make` makes where it is missing: a handle, which releases it when it is closed.

    Raises the error that `make_error` makes of a reason and a remedy.
    """
    try:
        make(folder)
        handle = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            # Not waiting: the other one runs as long as the service does, and the person should know of it now.
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(handle)
            raise
    except BlockingIOError as error:
        raise make_error("another process runs it", "Muniment runs on this home already; use that one.") from error
    except OSError as error:
        raise make_error(f"{folder} cannot be used ({error.strerror})", "Make it writable.") from error
    return handle


def change_owner(folder: Path, user: int, group: int) -> None:
    """Give an account all files in a folder, unless the folder is its own already. For root. Raises OSError.

    After a restore it is root's; in a new container the account may have another number. No link is followed.
    """
    if folder.lstat().st_uid == user:
        return
    for at, folders, files in os.walk(folder):
        for name in (*folders, *files):
            os.chown(os.path.join(at, name), user, group, follow_symlinks=False)
    os.chown(folder, user, group, follow_symlinks=False)  # last: until then, the next start does it again
