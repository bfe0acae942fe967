"""Ends a process together with its parent, and adopts orphans."""

import ctypes
import os
import signal

PARENT = "MUNIMENT_PARENT"  # in the environment: the process that starts others by means of a library

_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36  # prctl(2)


def end_with_parent(parent: int) -> None:
    """Have the kernel kill this process once `parent`, which started it, has ended; it may have ended already."""
    _call_prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def adopt_orphans() -> None:
    """Have processes whose parent ended become children of this one, if they descend from it."""
    _call_prctl(_PR_SET_CHILD_SUBREAPER, 1)


def _call_prctl(option: int, value: int) -> None:
    if ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0):
        raise OSError(ctypes.get_errno(), f"prctl({option}) failed")
