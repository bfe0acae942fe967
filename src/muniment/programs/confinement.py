"""Confines a program that reads untrusted input: no network, little memory and little time (Linux: seccomp).

`python -I -m muniment.programs.confinement PROGRAM ARGUMENTS` sets the limits and becomes the program. Where they
cannot be set it ends with `NO_CHILD`, and the program does not run. A program of ours that has loaded all it needs
calls `refuse_files` as well: from then on it opens no file and starts no program.
"""

import ctypes
import os
import platform
import resource
import struct
import sys
from collections.abc import Sequence

from muniment.programs.replacement import replace_process_with

NO_CHILD = 97
_MEMORY, _FILE, _SECONDS, _FILES = 2 << 30, 64 << 20, 20, 256

_NO_NEW_PRIVS, _SET_SECCOMP, _FILTER = 38, 22, 2
_LOAD, _EQUAL, _AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06
_ALLOW, _REFUSE, _KILL = 0x7FFF0000, 0x00050001, 0x80000000  # refuse: with EPERM
_FOREIGN = 0x40000000  # of x86-64: numbers of its other calling convention
_MACHINES = {  # the machine's number for the kernel; socket, connect, bind, ptrace, io_uring_setup
    "x86_64": (0xC000003E, (41, 42, 49, 101, 425)),
    "aarch64": (0xC00000B7, (198, 203, 200, 117, 425)),
}
# open, openat, openat2, creat, execve, execveat; rename, mkdir, rmdir, link, unlink, symlink, chmod, chown, truncate
# and their newer forms; kill, tgkill, process_vm_readv, process_vm_writev, pidfd_open
_FILE_CALLS = {
    "x86_64": (
        *(2, 257, 437, 85, 59, 322, 82, 264, 316, 83, 258, 84, 86, 265, 87, 263, 88, 266, 90, 268, 92, 94, 260, 76),
        *(62, 234, 310, 311, 434),
    ),
    "aarch64": (56, 437, 221, 281, 38, 276, 34, 37, 35, 36, 53, 54, 45, 129, 131, 270, 271, 434),
}


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def make_filter(machine: str, *, files: bool = False) -> bytes:
    """Build the kernel's filter for a machine. It refuses calls that open a connection, or those for files.

    Raises KeyError for an unknown machine.
    """
    number, connecting = _MACHINES[machine]
    refused = _FILE_CALLS[machine] if files else connecting
    # The machine first: the same numbers mean other calls on another one, so a filter for the wrong one refuses
    # nothing.
    steps = [(_LOAD, 0, 0, 4), (_EQUAL, 1, 0, number), (_RETURN, 0, 0, _KILL), (_LOAD, 0, 0, 0)]
    steps += [(_AT_LEAST, 0, 1, _FOREIGN), (_RETURN, 0, 0, _REFUSE)]
    for call in refused:
        steps += [(_EQUAL, 0, 1, call), (_RETURN, 0, 0, _REFUSE)]
    return b"".join(struct.pack("HBBI", *step) for step in (*steps, (_RETURN, 0, 0, _ALLOW)))


def confine_process() -> None:
    """Limit this process and all that it starts, for ever. Raises OSError or KeyError where that is impossible."""
    for what, most in (
        (resource.RLIMIT_AS, _MEMORY),
        (resource.RLIMIT_FSIZE, _FILE),
        (resource.RLIMIT_CPU, _SECONDS),
        (resource.RLIMIT_NOFILE, _FILES),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(what, (most, most))
    set_filter(make_filter(platform.machine()))


def refuse_files() -> None:
    """Refuse this process every file, program and signal from now on, beside what it has open. Raises as above."""
    set_filter(make_filter(platform.machine(), files=True))


def make_socket_filter(machine: str) -> bytes:
    """Build a filter that allows sockets of IP alone: one of a file's name would reach the services of this machine.

    Raises KeyError for an unknown machine.
    """
    number, (socket_call, _, _, trace, ring) = _MACHINES[machine]
    steps = [(_LOAD, 0, 0, 4), (_EQUAL, 1, 0, number), (_RETURN, 0, 0, _KILL), (_LOAD, 0, 0, 0)]
    steps += [(_AT_LEAST, 0, 1, _FOREIGN), (_RETURN, 0, 0, _REFUSE)]
    for call in (trace, ring):
        steps += [(_EQUAL, 0, 1, call), (_RETURN, 0, 0, _REFUSE)]
    # The first argument of `socket` is its family, in the low half of a number of 64 bits: AF_INET or AF_INET6.
    steps += [(_EQUAL, 0, 4, socket_call), (_LOAD, 0, 0, 16), (_EQUAL, 2, 0, 2), (_EQUAL, 1, 0, 10)]
    steps += [(_RETURN, 0, 0, _REFUSE)]
    return b"".join(struct.pack("HBBI", *step) for step in (*steps, (_RETURN, 0, 0, _ALLOW)))


def set_filter(code: bytes) -> None:
    """Set a filter for this process and all that it starts, for ever. Raises OSError."""
    library = ctypes.CDLL(None, use_errno=True)
    program = _Program(len(code) // 8, code)
    # Without the first, the kernel sets no filter for a process that is not root's.
    for call in ((_NO_NEW_PRIVS, 1, 0, 0, 0), (_SET_SECCOMP, _FILTER, ctypes.byref(program), 0, 0)):
        if library.prctl(*call):
            raise OSError(ctypes.get_errno(), "the kernel sets no filter")


def main(arguments: Sequence[str]) -> int:
    """Become the program; the exit code where that is impossible."""
    try:
        confine_process()
        replace_process_with(arguments, os.environ)
    except (OSError, KeyError, ValueError, AttributeError):
        return NO_CHILD


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
