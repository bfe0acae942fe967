"""Caches git's answers about objects of our own copies: the same change is evaluated again at each event.

An answer is cached only if it depends on nothing but objects that the question names by full ids. A copy deletes no
object, and git uses no grafts or replaced objects, so such an answer stays true. Errors are never cached, nor that an
object is missing.
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
    """Identity of a copy, which differs once it is made again in the same folder; None if there is none."""
    try:
        made = os.stat(os.path.join(folder, "config"))  # written when the copy was, and not since
    except FileNotFoundError:
        return None
    return made.st_ino, made.st_mtime_ns


def are_full_ids(*words: str) -> bool:
    """Whether each of these is the full id of an object, of one to leave out, or of a commit's tree."""
    return all(_NAMED.fullmatch(word) for word in words)


def find_answer(copy: Copy, question: Hashable, shape: type[T]) -> T | None:
    """Cached answer to a question; None if there is none."""
    with _changing:
        found = _kept.get((copy, question))
        if found is not None:
            _kept.move_to_end((copy, question))
    return found if isinstance(found, shape) else None


def cache_answer(copy: Copy, question: Hashable, answer: object, size: int) -> None:
    """Cache the answer to a question, unless it has more than so many bytes."""
    if size > _LARGEST:
        return
    with _changing:
        _kept[copy, question] = answer
        while len(_kept) > _MOST:
            _kept.popitem(last=False)


def answer_once(copy: Copy | None, question: Hashable, ask: Callable[[], bytes]) -> bytes:
    """Bytes that git answered before, or answers now. Without a copy git is started."""
    if copy is None:
        return ask()
    found = find_answer(copy, question, bytes)
    if found is None:
        found = ask()
        cache_answer(copy, question, found, len(found))
    return found
