"""Remembers what git answered about objects of our own copies: the same change is evaluated again at each event.

Only answers are kept that depend on nothing but objects which the question names by full ids. A copy forgets no object,
and git is shown no grafts or replaced objects, so such an answer stays true. Errors are never kept, nor that an object
is missing.
"""

import os
import re
from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock
from typing import TypeVar

_MOST = 4_000  # answers
_LARGEST = 1 << 14  # bytes of one answer that is kept
_NAMED = re.compile(r"\^?[0-9a-f]{40}(\^\{tree\})?")

Copy = tuple[int, int]
T = TypeVar("T")

_kept: OrderedDict[Hashable, object] = OrderedDict()
_changing = Lock()


def identify_copy(folder: str) -> Copy | None:
    """What tells a copy from one that was made anew in the same folder; None if there is none."""
    try:
        made = os.stat(os.path.join(folder, "config"))  # written when the copy was, and not since
    except FileNotFoundError:
        return None
    return made.st_ino, made.st_mtime_ns


def names_objects(*words: str) -> bool:
    """Whether each of these is the full id of an object, of one to leave out, or of a commit's tree."""
    return all(_NAMED.fullmatch(word) for word in words)


def find_answer(copy: Copy, question: Hashable, shape: type[T]) -> T | None:
    """The answer to a question, if it is kept."""
    with _changing:
        found = _kept.get((copy, question))
        if found is not None:
            _kept.move_to_end((copy, question))
    return found if isinstance(found, shape) else None


def keep_answer(copy: Copy, question: Hashable, answer: object, size: int) -> None:
    """Keep the answer to a question, if it has no more than so many bytes."""
    if size > _LARGEST:
        return
    with _changing:
        _kept[copy, question] = answer
        while len(_kept) > _MOST:
            _kept.popitem(last=False)


def answer_once(copy: Copy | None, question: Hashable, ask: Callable[[], bytes]) -> bytes:
    """The bytes that git answered before, or answers now. Without a copy git is asked."""
    if copy is None:
        return ask()
    found = find_answer(copy, question, bytes)
    if found is None:
        found = ask()
        keep_answer(copy, question, found, len(found))
    return found
