"""What cannot become another is asked once: an answer is kept by the ids of all that it depends on.

- A key names everything that could make the answer another one: a head, a list's digest, the forced pushes told of.
- Kept is only what was complete and known, never a gap, an error, or what somebody may do now.
- What is lost costs a call and nothing else.
"""

from collections import OrderedDict
from collections.abc import Callable
from typing import Any, TypeVar

import msgspec

from muniment.facts import canonical
from muniment.forges.http import Answer, Cache

T = TypeVar("T")

_HERE = 4096  # answers that this process holds, beside the cache that lasts
_SCHEME = "kept-1"  # no forge's address begins so; counted on when what is kept has another meaning


class Kept:
    """The answers of one forge, here and in `cache`, which may outlive this process."""

    def __init__(self, cache: Cache | None = None) -> None:
        self._here: OrderedDict[str, Any] = OrderedDict()
        self._cache = cache

    def once(self, kind: Any, about: tuple[str, ...], read: Callable[[], T], lasting: Callable[[T], bool]) -> T:
        """The answer of `kind` (a type for msgspec) `about` these; `read` if it is not kept, and kept if `lasting`."""
        key = f"{_SCHEME}:{canonical.digest_of(about)}"
        kept: T | None = self._known(kind, key)
        if kept is not None:
            return kept
        found = read()
        if lasting(found):
            self._keep(key, found)
            if self._cache is not None:
                self._cache.put(key, _SCHEME, Answer(200, {}, msgspec.json.encode(found)))
        return found

    def _known(self, kind: Any, key: str) -> Any:
        if key in self._here:
            self._here.move_to_end(key)
            return self._here[key]
        there = self._cache.get(key) if self._cache is not None else None
        if there is None:
            return None
        try:
            found = msgspec.json.decode(there[1].body, type=kind)
        except msgspec.DecodeError:  # kept by a version that wrote another form
            return None
        self._keep(key, found)
        return found

    def _keep(self, key: str, value: Any) -> None:
        self._here[key] = value
        if len(self._here) > _HERE:
            self._here.popitem(last=False)
