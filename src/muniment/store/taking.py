"""A folder of the home that one process at a time may use: whoever has its lock. And whose files those in it are."""

import fcntl
import os
from collections.abc import Callable
from pathlib import Path


def take(folder: Path, make: Callable[[Path], object], failed: Callable[[str, str], Exception]) -> int:
    """The lock of a folder, which `make` makes where it is missing: a handle, that ends it when it is closed.

    Raises what `failed` makes of why not, and of what to do.
    """
    try:
        make(folder)
        handle = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(handle)
            raise
    except BlockingIOError as error:
        raise failed("another process runs it", "Muniment runs on this home already; use that one.") from error
    except OSError as error:
        raise failed(f"{folder} cannot be used ({error.strerror})", "Make it writable.") from error
    return handle


def give_tree(folder: Path, user: int, group: int) -> None:
    """Give an account all that is in a folder, unless the folder is its own already. For root. Raises OSError.

    After a restore it is root's; in a new container the account may have another number. No link is followed.
    """
    if folder.lstat().st_uid == user:
        return
    for at, folders, files in os.walk(folder):
        for name in (*folders, *files):
            os.chown(os.path.join(at, name), user, group, follow_symlinks=False)
    os.chown(folder, user, group, follow_symlinks=False)  # last: until then, the next start does it again
