"""The one request that a confined child answers: read from its input once files are refused, answered to its output."""

import os
import sys
from collections.abc import Callable
from typing import TypeVar

import msgspec

from muniment.programs.confinement import NO_CHILD, refuse_files

T = TypeVar("T")


def answer_one_request(request_type: type[T], load: Callable[[], None], answer: Callable[[T], object]) -> int:
    """Answer the request at standard input; `NO_CHILD` if files could not be refused before it is read.

    `load` comes first: it loads every module that an answer needs. The process ends with the answer.
    """
    load()
    try:
        refuse_files()
    except (OSError, KeyError, AttributeError):
        return NO_CHILD
    request = msgspec.msgpack.decode(sys.stdin.buffer.read(), type=request_type)
    sys.stdout.buffer.write(msgspec.msgpack.encode(answer(request)))
    sys.stdout.buffer.flush()
    # Interpreters of some versions open files as they end, which is refused by now.
    os._exit(0)
