"""Runs the work of a hook in a child that has only so long: git has no time-out, and waits for whoever holds its
output.

Yes takes two things, the child's word and its orderly end; whatever else happens is no.
"""

import os
import select
import signal
import time
from collections.abc import Callable

from muniment.cli import push_text
from muniment.errors import MunimentError

Work = Callable[[], tuple[bool, list[str]]]  # whether the push may pass, and what its pusher reads

_YES, _NO = b"y", b"n"
_GRACE = 2  # seconds to end in good order
_LARGEST = 1 << 16  # bytes of text


class _Stopped(BaseException):
    """The time is over: children are ended and throwaways removed on the way out."""


def guarded(work: Work, seconds: float) -> tuple[bool, list[str]]:
    """What `work` answers within `seconds`; no, and why, if it fails, dies or takes longer."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        _work(work, writing)
    os.close(writing)
    try:
        answer = _heard(reading, time.monotonic() + seconds)
        status = os.waitpid(child, 0)[1] if answer is not None else _stopped(child)
    finally:
        os.close(reading)
    if answer is None:
        late = f"it took longer than {seconds:g} seconds"
        return False, denied(
            late, "Push again, or less at once. [server_hook] timeout_seconds in home.toml sets the limit."
        )
    if status != 0 or answer[:1] not in (_YES, _NO):
        return False, denied(
            "the server hook was stopped before it had a decision", "Push again; inform the operator of this server."
        )
    return answer[:1] == _YES, answer[1:].decode("utf-8", "replace").splitlines()


def denied(why: str, remedy: str) -> list[str]:
    """The lines for a push that could not be judged."""
    return push_text.fitted([f"muniment: denied  {why}"], ["Next:", f"  {remedy}"])


def _work(work: Work, writing: int) -> None:
    """The child: it holds nothing of git's, and never returns."""
    code = 1
    try:
        os.setsid()
        nothing = os.open(os.devnull, os.O_RDWR)
        for standard in (0, 1, 2):
            os.dup2(nothing, standard)
        signal.signal(signal.SIGTERM, _stop)
        answer, lines = _answered(work)
        os.write(writing, (_YES if answer else _NO) + "\n".join(lines).encode("utf-8", "replace")[: _LARGEST - 1])
        code = 0
    finally:
        os._exit(code)


def _answered(work: Work) -> tuple[bool, list[str]]:
    try:
        return work()
    except MunimentError as error:
        return False, denied(error.message, error.remedy)
    except Exception as error:  # noqa: BLE001 -- the edge of the child: it never means yes
        why = f"Muniment failed ({type(error).__name__})"
        return False, denied(why, "This is a defect: please report it. Nothing was accepted.")


def _stop(*_: object) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise _Stopped


def _heard(reading: int, deadline: float) -> bytes | None:
    """All that the child writes until it ends, None at the deadline."""
    poll, pieces = select.poll(), bytearray()
    poll.register(reading, select.POLLIN)
    while (left := deadline - time.monotonic()) > 0:
        if not poll.poll(left * 1000):
            break
        piece = os.read(reading, _LARGEST)
        if not piece:
            return bytes(pieces)
        pieces += piece
    return None


def _stopped(child: int) -> int:
    """Ends the child and its group, kindly first. What it ended with."""
    os.kill(child, signal.SIGTERM)
    end = time.monotonic() + _GRACE
    while time.monotonic() < end:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return status
        time.sleep(0.01)
    os.killpg(child, signal.SIGKILL)
    return os.waitpid(child, 0)[1]
