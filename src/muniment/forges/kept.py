"""What cannot become another is asked once: an answer is kept with a mark of all that it depends on.

- A mark is made of everything that could make the answer another one: a head, a list, the forced pushes told of.
- Kept is only what was complete and known, never a gap, an error, or what somebody may do now.
- What is lost costs a call and nothing else.
"""

from collections import OrderedDict
from collections.abc import Callable
from typing import Any, TypeVar

import msgspec

from muniment.facts import canonical
from muniment.forges.http import Cache
from muniment.http.connections import Response

T = TypeVar("T")

_HERE = 4096  # answers that this process holds, beside the cache that lasts
_SCHEME = "kept-1"  # no forge's address begins so; counted on when what is kept has another meaning


class Kept:
    """The newest answer for each place, here and in `cache`, which may outlive this process."""

    def __init__(self, cache: Cache | None = None) -> None:
        self._here: OrderedDict[str, tuple[str, Any]] = OrderedDict()
        self._cache = cache

    def once(
        self, kind: Any, place: tuple[str, ...], of: Any, read: Callable[[], T], lasting: Callable[[T], bool]
    ) -> T:
        """What `read` gives, of `kind` (a type for msgspec); kept for `place` if it is `lasting`.

        It is not asked for again while `of`, plain data on which it depends, is what it was.
        """
        key, mark = f"{_SCHEME}:{canonical.digest_of(place)}", canonical.digest_of(of)
        kept: T | None = self._known(kind, key, mark)
        if kept is not None:
            return kept
        found = read()
        if lasting(found):
            self._keep(key, mark, found)
            if self._cache is not None:
                self._cache.put(key, mark, Response(200, {}, msgspec.json.encode(found)))
        return found

    def _known(self, kind: Any, key: str, mark: str) -> Any:
        here = self._here.get(key)
        if here is not None and here[0] == mark:
            self._here.move_to_end(key)
            return here[1]
        there = self._cache.get(key) if self._cache is not None else None
        if there is None or there[0] != mark:
            return None
        try:
            found = msgspec.json.decode(there[1].body, type=kind)
        except msgspec.DecodeError:  # kept by a version that wrote another form
            return None
        self._keep(key, mark, found)
        return found

    def _keep(self, key: str, mark: str, value: Any) -> None:
        self._here[key] = mark, value
        self._here.move_to_end(key)
        if len(self._here) > _HERE:
            self._here.popitem(last=False)
