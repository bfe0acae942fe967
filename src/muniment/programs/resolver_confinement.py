"""Confines a resolver of dependencies: one folder, no privileges, and no network but our proxy (Linux: Landlock).

`python -I -m muniment.programs.resolver_confinement SOCKET FOLDER START READABLE... -- PROGRAM ARGUMENTS` enters a
network of its own, in which nothing is but the loopback interface, opens the proxy's port there, hands that port to us
over the socket that it inherited, and becomes the program in START, a folder below FOLDER. We serve the port from
outside. Where any of this cannot be done it ends with `NO_CHILD`, and the program does not run.
"""

import ctypes
import fcntl
import os
import platform
import resource
import socket
import struct
import sys
from collections.abc import Iterable, Sequence

from muniment.programs.confinement import NO_CHILD, make_socket_filter, set_filter
from muniment.programs.replacement import replace_process_with

PROXY_PORT = 3128  # of the resolver's own network: no other program can have it there
_FILE, _SECONDS, _FILES, _PROCESSES = 64 << 20, 300, 1024, 1024

_NEW_USERS, _NEW_NETWORK, _NEW_MESSAGES = 0x10000000, 0x40000000, 0x08000000
_INSIDE = 65534  # "nobody": the program has no capability there, whoever started it
_SET_FLAGS, _UP = 0x8914, 0x1

_CREATE_RULES, _ADD_RULE, _RESTRICT = 444, 445, 446  # the same numbers on every machine
_PATH_BENEATH = 1
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_FOLDER = 1, 2, 4, 8
_READ = _READ_FILE | _READ_FOLDER
_TRUNCATE = 1 << 14  # from ABI 3 on
_ALL_OF_ABI_1 = (1 << 13) - 1
_REFER = 1 << 13  # from ABI 2 on: rename between folders, which every package manager does
_LEAST_ABI = 2
_DEVICES = ("/dev/null", "/dev/zero", "/dev/urandom", "/dev/random", "/dev/full")


def open_own_network() -> socket.socket:
    """Enter a network and users of our own, and open the proxy's port there. Raises OSError."""
    user, group = os.geteuid(), os.getegid()
    _call_library("unshare", _NEW_USERS | _NEW_NETWORK | _NEW_MESSAGES)
    for name, text in (("setgroups", "deny"), ("uid_map", f"{_INSIDE} {user} 1"), ("gid_map", f"{_INSIDE} {group} 1")):
        with open(f"/proc/self/{name}", "w", encoding="ascii") as file:
            file.write(text)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as plain:
        fcntl.ioctl(plain, _SET_FLAGS, struct.pack("16sH14x", b"lo", _UP))
    return socket.create_server(("127.0.0.1", PROXY_PORT), backlog=128)


def restrict_files(folder: str, readable: Iterable[str]) -> None:
    """Refuse this process for ever every file, but to write in `folder` and to read and execute below `readable`.

    Nothing in `folder` can be executed. Paths that do not exist are left out. Raises OSError.
    """
    version = _call_system(_CREATE_RULES, None, 0, 1)
    if version < _LEAST_ABI:
        raise OSError("the kernel's Landlock is too old")
    handled = _ALL_OF_ABI_1 | _REFER | (_TRUNCATE if version >= 3 else 0)
    attributes = struct.pack("Q", handled)
    rules = _call_system(_CREATE_RULES, attributes, len(attributes), 0)
    _allow_path(rules, folder, handled & ~_EXECUTE)
    for path in readable:
        if os.path.exists(path):
            _allow_path(rules, path, _EXECUTE | _READ if os.path.isdir(path) else _EXECUTE | _READ_FILE)
    for path in filter(os.path.exists, _DEVICES):
        _allow_path(rules, path, _READ_FILE | _WRITE_FILE)
    _call_library("prctl", 38, 1, 0, 0, 0)  # no new privileges: without it the kernel takes no rules
    _call_system(_RESTRICT, rules, 0)
    os.close(rules)


def _allow_path(rules: int, path: str, access: int) -> None:
    handle = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        # access, then the descriptor: the kernel's structure is packed
        _call_system(_ADD_RULE, rules, _PATH_BENEATH, struct.pack("=Qi", access, handle), 0)
    finally:
        os.close(handle)


def _call_system(number: int, *arguments: int | bytes | None) -> int:
    library = ctypes.CDLL(None, use_errno=True)
    found = int(library.syscall(ctypes.c_long(number), *arguments))
    if found < 0:
        raise OSError(ctypes.get_errno(), "the kernel has no Landlock")
    return found


def _call_library(name: str, *arguments: int) -> None:
    library = ctypes.CDLL(None, use_errno=True)
    if getattr(library, name)(*arguments):
        raise OSError(ctypes.get_errno(), f"{name} is refused")


def main(arguments: Sequence[str]) -> int:
    """Confine this process and become the program; the exit code where that is impossible."""
    try:
        end = arguments.index("--")
        handle, folder, start, *readable = arguments[:end]
        for what, most in (
            (resource.RLIMIT_FSIZE, _FILE),
            (resource.RLIMIT_CPU, _SECONDS),
            (resource.RLIMIT_NOFILE, _FILES),
            (resource.RLIMIT_NPROC, _PROCESSES),
            (resource.RLIMIT_CORE, 0),
        ):
            resource.setrlimit(what, (most, most))
        with socket.socket(fileno=int(handle)) as parent, open_own_network() as listener:
            socket.send_fds(parent, [b"1"], [listener.fileno()])
        os.chdir(os.path.join(folder, start))
        restrict_files(folder, readable)
        set_filter(make_socket_filter(platform.machine()))
        replace_process_with(arguments[end + 1 :], os.environ)
    except (OSError, KeyError, ValueError, AttributeError):
        return NO_CHILD


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
