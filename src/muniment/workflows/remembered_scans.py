"""Scans of this process by the names of their commits, which name all content: none is made twice."""

from typing import Generic, TypeVar

T = TypeVar("T")


class RememberedScans(Generic[T]):
    """Scans by commits. The oldest are forgotten when there are more than `most`."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._scans: dict[tuple[str, ...], T] = {}

    def find_scan(self, key: tuple[str, ...]) -> T | None:
        """Find a scan, None if it was not made or was forgotten."""
        return self._scans.get(key)

    def store_scan(self, key: tuple[str, ...], scan: T) -> None:
        """Store a scan, and forget the oldest ones."""
        self._scans[key] = scan
        for old in list(self._scans)[: -self._most]:
            self._scans.pop(old, None)
