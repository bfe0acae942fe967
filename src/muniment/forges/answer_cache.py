"""Caches immutable answers, each with a digest of everything it depends on.

- The digest covers everything that could change the answer: a head, a list, the known force pushes.
- Only complete and known answers are cached, never a gap, an error, or current permissions.
- A lost answer costs one request.
"""

from collections import OrderedDict
from collections.abc import Callable
from typing import Any, TypeVar

import msgspec

from muniment.facts import canonical
from muniment.forges.forge_client import ResponseCache
from muniment.http.connections import Response

T = TypeVar("T")

_MOST_CACHED = 4096  # answers in this process's memory, besides the lasting cache
_SCHEME = "kept-1"  # no forge's address begins so; raise the number when cached values get another meaning


class AnswerCache:
    """Cache of immutable answers, keyed by everything they depend on.

    Answers are in this process, and in `cache`, which may outlive it.
    """

    def __init__(self, cache: ResponseCache | None = None) -> None:
        self._here: OrderedDict[str, tuple[str, Any]] = OrderedDict()
        self._cache = cache

    def read_once(
        self,
        kind: type[T],
        place: tuple[str, ...],
        depends_on: object,
        read: Callable[[], T],
        is_lasting: Callable[[T], bool],
    ) -> T:
        """The result of `read`, of `kind` (a type for msgspec); cached for `place` if `is_lasting` is true for it.

        It is not read again while `depends_on`, plain data on which it depends, is unchanged.
        """
        key, mark = f"{_SCHEME}:{canonical.digest_value(place)}", canonical.digest_value(depends_on)
        cached = self._find_cached(kind, key, mark)
        if cached is not None:
            return cached
        found = read()
        if is_lasting(found):
            self._store_here(key, mark, found)
            if self._cache is not None:
                self._cache.put_response(key, mark, Response(200, {}, msgspec.json.encode(found)))
        return found

    def _find_cached(self, kind: type[T], key: str, mark: str) -> T | None:
        here = self._here.get(key)
        if here is not None and here[0] == mark:
            self._here.move_to_end(key)
            stored: T = here[1]
            return stored
        there = self._cache.get_response(key) if self._cache is not None else None
        if there is None or there[0] != mark:
            return None
        try:
            found = msgspec.json.decode(there[1].body, type=kind)
        except msgspec.DecodeError:  # kept by a version that wrote another form
            return None
        self._store_here(key, mark, found)
        return found

    def _store_here(self, key: str, mark: str, value: object) -> None:
        self._here[key] = mark, value
        self._here.move_to_end(key)
        if len(self._here) > _MOST_CACHED:
            self._here.popitem(last=False)
