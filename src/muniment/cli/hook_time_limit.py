"""Run the work of a hook in a child process with a time limit: git has none, and waits for all that hold its output.

A push passes only if the child says so and ends in order; everything else denies it.
"""

import os
import select
import signal
import time
from collections.abc import Callable

from muniment.cli import push_text
from muniment.errors import MunimentError

Work = Callable[[], tuple[bool, list[str]]]  # whether the push may pass, and what its pusher reads

_ALLOWED, _DENIED = b"y", b"n"
_GRACE = 2  # seconds to end in good order
_LARGEST = 1 << 16  # bytes of text


class _TimeLimitReached(BaseException):
    """The time limit is reached: children are ended and temporary folders removed on the way out."""


def run_with_time_limit(work: Work, seconds: float) -> tuple[bool, list[str]]:
    """Run `work` for at most `seconds`, and return its answer; denial with a reason if it fails, dies or takes
    longer.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        _run_in_child(work, writing)
    os.close(writing)
    try:
        answer = _read_until(reading, time.monotonic() + seconds)
        status = os.waitpid(child, 0)[1] if answer is not None else _stop_child(child)
    finally:
        os.close(reading)
    if answer is None:
        late = f"it took longer than {seconds:g} seconds"
        return False, format_denial(
            late, "Push again, or less at once. [server_hook] timeout_seconds in home.toml sets the limit."
        )
    if status != 0 or answer[:1] not in (_ALLOWED, _DENIED):
        return False, format_denial(
            "the server hook was stopped before it had a decision", "Push again; inform the operator of this server."
        )
    return answer[:1] == _ALLOWED, answer[1:].decode("utf-8", "replace").splitlines()


def format_denial(why: str, remedy: str) -> list[str]:
    """Lines for a push that could not be evaluated."""
    return push_text.fit_to_screen([f"muniment: denied  {why}"], ["Next:", f"  {remedy}"])


def _run_in_child(work: Work, writing: int) -> None:
    """Run the work in the child, which holds no file of git's, and never returns."""
    code = 1
    try:
        # A group of its own: at the time limit, the git processes that it started end with it.
        os.setsid()
        nothing = os.open(os.devnull, os.O_RDWR)
        # git waits until nobody holds its output: a program that outlives the child would make the push hang.
        for standard in (0, 1, 2):
            os.dup2(nothing, standard)
        signal.signal(signal.SIGTERM, _handle_stop)
        answer, lines = _run_work(work)
        os.write(
            writing, (_ALLOWED if answer else _DENIED) + "\n".join(lines).encode("utf-8", "replace")[: _LARGEST - 1]
        )
        code = 0
    finally:
        os._exit(code)


def _run_work(work: Work) -> tuple[bool, list[str]]:
    try:
        return work()
    except MunimentError as error:
        return False, format_denial(error.message, error.remedy)
    except Exception as error:  # noqa: BLE001 -- the edge of the child: it never means yes
        why = f"Muniment failed ({type(error).__name__})"
        return False, format_denial(why, "This is a defect: please report it. Nothing was accepted.")


def _handle_stop(*_: object) -> None:
    # A second signal on the way out would leave temporary folders behind.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise _TimeLimitReached


def _read_until(reading: int, deadline: float) -> bytes | None:
    """Read all that the child writes until it ends; None at the deadline."""
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


def _stop_child(child: int) -> int:
    """End the child and its group: SIGTERM first, then SIGKILL. Returns its wait status."""
    os.kill(child, signal.SIGTERM)
    end = time.monotonic() + _GRACE
    while time.monotonic() < end:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return status
        time.sleep(0.01)
    os.killpg(child, signal.SIGKILL)
    return os.waitpid(child, 0)[1]
