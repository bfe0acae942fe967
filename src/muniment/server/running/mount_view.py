"""Lets other accounts enter folders below one that is root's alone, such as /root, without opening that one.

This process gets a mount namespace of its own (mount_namespaces(7)), which all that it starts inherit. In it an
empty folder covers the closed one, and each folder that is needed is mounted at its place below: nothing else of it
is there. Outside nothing changes. Files and sockets are the same as outside.
"""

import ctypes
import os
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path

from muniment.server.running.database_account import find_blocking_folder
from muniment.server.running.process_system_accounts import ProcessAccount

_NEW_NAMESPACE = 0x20000  # CLONE_NEWNS
_NO_SETUID, _NO_DEVICES, _BIND, _RECURSIVE, _PRIVATE = 0x2, 0x4, 0x1000, 0x4000, 0x40000  # mount(2)
_EMPTY = b"mode=755,size=1m"


def find_closed_folders(needed: Iterable[Path], accounts: Sequence[ProcessAccount]) -> dict[Path, list[Path]]:
    """Topmost folders that one of the accounts cannot enter, each with the needed paths below it.

    A needed path that is closed itself is not counted: its owner decides about that. Raises OSError.
    """
    found: dict[Path, list[Path]] = {}
    for path in needed:
        for way in dict.fromkeys((path.absolute(), path.resolve())):
            blocking = [
                each for each in (find_blocking_folder(way.parent, one) for one in accounts) if each is not None
            ]
            if blocking:
                found.setdefault(min(blocking, key=lambda each: len(each.parts)), []).append(way)
    return found


def cover_closed_folders(closed: dict[Path, list[Path]]) -> None:
    """Cover each closed folder by an empty one, with the needed paths below it mounted there. Raises OSError.

    If it raises, nothing is covered: this process sees what it saw before.
    """
    library = ctypes.CDLL(None, use_errno=True)
    _raise_errno(library.unshare(_NEW_NAMESPACE))
    _call_mount(library, "none", "/", None, _RECURSIVE | _PRIVATE)  # else others would see what is mounted here
    covered: list[Path] = []
    try:
        for folder, needed in closed.items():
            _cover_folder(library, folder, needed, covered)
    except OSError:
        for folder in covered:
            library.umount2(os.fsencode(folder), 2)  # MNT_DETACH, with all that is mounted below
        raise


def _cover_folder(library: ctypes.CDLL, folder: Path, needed: Iterable[Path], covered: list[Path]) -> None:
    with ExitStack() as stack:
        opened: dict[Path, int] = {}
        for path in sorted(needed, key=lambda each: len(each.parts)):
            if not any(path == above or above in path.parents for above in opened):
                opened[path] = os.open(path, os.O_PATH | os.O_CLOEXEC)
                stack.callback(os.close, opened[path])
        _call_mount(library, "tmpfs", str(folder), "tmpfs", _NO_SETUID | _NO_DEVICES, _EMPTY)
        covered.append(folder)
        for path, handle in opened.items():
            source = Path(f"/proc/self/fd/{handle}")
            path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
            if source.is_dir():
                path.mkdir(mode=0o755)
            else:
                path.touch(mode=0o600)
            _call_mount(library, str(source), str(path), None, _BIND | _RECURSIVE)


def _call_mount(
    library: ctypes.CDLL, source: str, target: str, kind: str | None, flags: int, options: bytes | None = None
) -> None:
    words = (os.fsencode(source), os.fsencode(target), None if kind is None else kind.encode())
    _raise_errno(library.mount(*words, ctypes.c_ulong(flags), options))


def _raise_errno(code: int) -> None:
    if code:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
