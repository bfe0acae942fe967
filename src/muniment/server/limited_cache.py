"""Cache of a process with a limited number of values, for keys from which a value alone does not follow."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock
from typing import Generic, TypeVar

T = TypeVar("T")


class LimitedCache(Generic[T]):
    """Values by key, at most `most` of them: the one that was not asked for longest goes first."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._values: OrderedDict[Hashable, T] = OrderedDict()
        self._lock = Lock()  # threads that answer requests share it

    def find_value(self, key: Hashable, make: Callable[[], T]) -> T:
        """Value of a key, made where there is none; two threads may make it at once."""
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
                return self._values[key]
        made = make()
        with self._lock:
            self._values[key] = made
            while len(self._values) > self._most:
                self._values.popitem(last=False)
        return made
