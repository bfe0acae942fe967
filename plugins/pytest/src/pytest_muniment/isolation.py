"""Runs a function in a child process: with caches as after a start, a time limit, and everything that it prints."""

import gc
import json
import os
import select
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, BinaryIO

_PIECE = 1 << 16


@dataclass(frozen=True)
class Isolated:
    """Outcome of a child: its result, or None with the reason. `output` is what it printed."""

    result: Any
    failure: str
    output: str
    timed_out: bool = False


def run_isolated(function: Callable[[], Any], seconds: float) -> Isolated:
    """Run `function` in a fork of this process. Its result must be JSON."""
    reading, writing = os.pipe()
    with tempfile.TemporaryFile() as printed:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # threads of this process do not run in the child
            pid = os.fork()
        if pid == 0:
            os.close(reading)
            _run_child(function, writing, printed)
        os.close(writing)
        try:
            data, timed_out = _read_until(reading, time.monotonic() + seconds)
        finally:
            os.close(reading)
            os.kill(pid, signal.SIGKILL)  # a child that ended is only reaped by waitpid: the id is still its own
            os.waitpid(pid, 0)
        printed.seek(0)
        output = printed.read().decode("utf-8", "replace")
    if timed_out:
        return Isolated(None, f"no answer within {seconds:g} seconds", output, timed_out=True)
    if not data:
        return Isolated(None, "the process ended without a result", output)
    message = json.loads(data)
    return Isolated(message["result"], message["failure"], output)


def _run_child(function: Callable[[], Any], writing: int, printed: BinaryIO) -> None:
    status = 1
    gc.disable()  # a collection would write to, and so copy, every page that the child shares with its parent
    try:
        os.dup2(printed.fileno(), 1)
        os.dup2(printed.fileno(), 2)
        sys.stdout = os.fdopen(1, "w", closefd=False)
        sys.stderr = os.fdopen(2, "w", closefd=False)
        sys.settrace(None)  # a coverage measurement of the parent
        sys.setprofile(None)
        try:
            message = {"result": function(), "failure": ""}
        except BaseException:  # noqa: BLE001 -- the parent reports it; the child must not return into pytest
            message = {"result": None, "failure": traceback.format_exc(limit=-6)}
        sys.stdout.flush()
        sys.stderr.flush()
        data = json.dumps(message).encode()
        while data:
            data = data[os.write(writing, data) :]
        status = 0
    finally:
        os._exit(status)  # no exit handlers: they belong to the parent


def _read_until(reading: int, end: float) -> tuple[bytes, bool]:
    """Everything until the other side closes, and whether the time was over before."""
    chunks: list[bytes] = []
    while True:
        left = end - time.monotonic()
        if left <= 0 or not select.select([reading], [], [], left)[0]:
            return b"", True
        chunk = os.read(reading, _PIECE)
        if not chunk:
            return b"".join(chunks), False
        chunks.append(chunk)
