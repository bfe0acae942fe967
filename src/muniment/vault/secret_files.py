"""Secrets as files that are on no disk: sealed, in memory, for this account alone, and gone when we are.

A file is `/proc/<our pid>/fd/<n>`: whatever the command starts can open it, whichever files it closed before. Where
that cannot be opened, it is one in a folder of a file system in memory.
"""

import ctypes
import fcntl
import os
import resource
import secrets
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress

from muniment.errors import RunCode, RunError

_SEALS = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE
_IN_MEMORY = (0x01021994, 0x858458F6)  # tmpfs and ramfs (statfs(2))
_PR_SET_DUMPABLE = 4


@contextmanager
def provide_files(values: Mapping[str, str], *, folder: bool = False) -> Iterator[dict[str, str]]:
    """Provide values as files, and give their paths by name; `folder` asks for a file system in memory.

    Raises RunError if neither way is possible.
    """
    with ExitStack() as stack:
        found = (
            {} if folder else {name: stack.enter_context(_create_sealed_file(value)) for name, value in values.items()}
        )
        if found and all(map(_can_open, found.values())):
            yield found
        elif values:
            yield stack.enter_context(_write_to_folder(values))
        else:
            yield {}


def disable_core_dumps() -> None:
    """Disable core dumps of this process and its children."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))


def block_inspection() -> None:
    """Keep other processes of this account from reading this one; they cannot open our sealed files then."""
    ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


@contextmanager
def _create_sealed_file(value: str) -> Iterator[str]:
    try:
        handle = os.memfd_create("muniment", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    except OSError:
        yield ""
        return
    try:
        os.fchmod(handle, 0o400)
        _write_value(handle, value)
        fcntl.fcntl(handle, fcntl.F_ADD_SEALS, _SEALS)
        yield f"/proc/{os.getpid()}/fd/{handle}"
    finally:
        os.close(handle)


def _can_open(path: str) -> bool:
    try:
        os.close(os.open(path, os.O_RDONLY | os.O_CLOEXEC))
    except OSError:
        return False
    return True


@contextmanager
def _write_to_folder(values: Mapping[str, str]) -> Iterator[dict[str, str]]:
    folder = os.path.join(_find_memory_folder(), f"muniment-{os.getpid()}-{secrets.token_hex(8)}")
    paths = {name: os.path.join(folder, name) for name in values}
    try:
        os.mkdir(folder, 0o700)
        for name, path in paths.items():
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o400)
            try:
                _write_value(handle, values[name])
            finally:
                os.close(handle)
        yield paths
    except FileExistsError:
        raise RunError(
            RunCode.NO_FILE_IN_MEMORY, f"{folder} is there already", "Somebody plays tricks: find out who."
        ) from None
    finally:
        for path in paths.values():
            with suppress(OSError):
                os.unlink(path)
        with suppress(OSError):
            os.rmdir(folder)


def _find_memory_folder() -> str:
    for folder in (os.environ.get("XDG_RUNTIME_DIR", ""), "/dev/shm", "/run", "/tmp"):  # noqa: S108 -- looked at first
        if folder and os.access(folder, os.W_OK | os.X_OK) and _filesystem_type(folder) in _IN_MEMORY:
            return folder
    raise RunError(
        RunCode.NO_FILE_IN_MEMORY,
        "there is no place for a file that is on no disk",
        "Mount /proc, or a tmpfs at /dev/shm, in the runner's container; or hand secrets over with --secret.",
    )


def _filesystem_type(folder: str) -> int:
    status = (ctypes.c_long * 64)()  # struct statfs, which begins with the kind
    return status[0] if ctypes.CDLL(None).statfs(os.fsencode(folder), status) == 0 else 0


def _write_value(handle: int, value: str) -> None:
    data = value.encode("utf-8", "surrogatepass")
    while data:
        data = data[os.write(handle, data) :]
