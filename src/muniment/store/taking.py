"""A folder of the home that one process at a time may use: whoever has its lock."""

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
