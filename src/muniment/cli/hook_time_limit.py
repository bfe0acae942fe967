"""Run the work of a hook in a child process with a time limit: git has none, and waits for all that hold its output.

A push passes only if the child says so and ends in order; everything else denies it.
"""

import os
import select
import signal
import time
from collections.abc import Callable

SetLimit = Callable[[float], None]  # takes seconds from the start of the child
Work = Callable[[SetLimit], tuple[bool, list[str]]]  # whether the push may pass, and what its pusher reads

_FIRST_LIMIT = 30  # seconds, until the child has read its home's
_ALLOWED, _DENIED = b"y", b"n"
_END_OF_LIMIT = b"\n"
_GRACE = 2  # seconds to end in good order
_LARGEST = 1 << 16  # bytes of text


class _TimeLimitReached(BaseException):
    """The time limit is reached: children are ended and temporary folders removed on the way out."""


def run_with_time_limit(work: Work) -> tuple[bool, list[str]]:
    """Run `work` for at most the seconds that it sets, and return its answer; denial with a reason if it fails, dies
    or takes longer.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        _run_in_child(work, writing)
    os.close(writing)
    try:
        answer, seconds = _read_answer(reading)
        status = os.waitpid(child, 0)[1] if answer is not None else _stop_child(child)
    finally:
        os.close(reading)
    if answer is None:
        return False, _format_denial(
            f"it took longer than {seconds:g} seconds",
            "Push again, or less at once. [server_hook] timeout_seconds in home.toml sets the limit.",
        )
    if status != 0 or answer[:1] not in (_ALLOWED, _DENIED):
        return False, _format_denial(
            "the server hook was stopped before it had a decision", "Push again; inform the operator of this server."
        )
    return answer[:1] == _ALLOWED, answer[1:].decode("utf-8", "replace").splitlines()


def _format_denial(why: str, remedy: str) -> list[str]:
    from muniment.cli import push_hooks  # only here does the parent need what takes long to import

    return push_hooks.format_denial(why, remedy)


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
        answer, lines = _run_work(work, lambda seconds: _write_limit(writing, seconds))
        os.write(
            writing, (_ALLOWED if answer else _DENIED) + "\n".join(lines).encode("utf-8", "replace")[: _LARGEST - 1]
        )
        code = 0
    finally:
        os._exit(code)


def _run_work(work: Work, set_limit: SetLimit) -> tuple[bool, list[str]]:
    try:
        return work(set_limit)
    except Exception as error:  # noqa: BLE001 -- the edge of the child: it never means yes
        from muniment.cli import push_hooks

        return False, push_hooks.format_failure(error)


def _handle_stop(*_: object) -> None:
    # A second signal on the way out would leave temporary folders behind.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise _TimeLimitReached


def _write_limit(writing: int, seconds: float) -> None:
    os.write(writing, b"%g" % seconds + _END_OF_LIMIT)


def _read_answer(reading: int) -> tuple[bytes | None, float]:
    """Read all that the child writes until it ends: its answer, None at the time limit, and the limit in seconds."""
    start, seconds, pieces = time.monotonic(), float(_FIRST_LIMIT), bytearray()
    poll = select.poll()
    poll.register(reading, select.POLLIN)
    while (left := start + seconds - time.monotonic()) > 0:
        if not poll.poll(left * 1000):
            break
        piece = os.read(reading, _LARGEST)
        if not piece:
            return bytes(pieces), seconds
        pieces += piece
        if pieces[:1].isdigit() and _END_OF_LIMIT in pieces:  # the limit comes before the answer
            limit, _, rest = pieces.partition(_END_OF_LIMIT)
            seconds, pieces = float(limit), rest
    return None, seconds


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
