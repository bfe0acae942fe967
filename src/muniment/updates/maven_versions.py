"""Order of Maven's versions, as `org.apache.maven.artifact.versioning.ComparableVersion` of Maven 3.9 has it.

Source: https://maven.apache.org/pom.html#Version_Order_Specification
"""

import re
from functools import total_ordering
from itertools import zip_longest

_ALLOWED = re.compile(r"[0-9A-Za-z][0-9A-Za-z._+-]*")
_PART = re.compile(r"\d+|[^\d.-]+|[.-]")
_RANKS = {"alpha": 0, "beta": 1, "milestone": 2, "rc": 3, "snapshot": 4, "": 5, "sp": 6}
_RELEASE, _UNKNOWN = 5, 7
_ALIASES = {"ga": "", "final": "", "release": "", "cr": "rc"}
_SHORT = {"a": "alpha", "b": "beta", "m": "milestone"}  # where a digit follows

VersionText = tuple[int, str]  # rank among qualifiers, and the qualifier where its rank is that of all others
Item = int | VersionText | list["Item"]


def parse_maven_version(text: str) -> "MavenVersion | None":
    """Version that compares as Maven does; None for what no repository would serve."""
    return MavenVersion(text) if _ALLOWED.fullmatch(text) else None


@total_ordering
class MavenVersion:
    """Version of a Maven artifact."""

    __slots__ = ("_items",)

    def __init__(self, text: str) -> None:
        self._items = _parse_items(text.lower())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, MavenVersion) and _compare(self._items, other._items) == 0

    def __lt__(self, other: "MavenVersion") -> bool:
        return _compare(self._items, other._items) < 0

    def __hash__(self) -> int:
        return hash(repr(self._items))

    @property
    def is_prerelease(self) -> bool:
        """Whether a qualifier puts it before its release."""
        return _has_early_qualifier(self._items)


def _has_early_qualifier(item: Item) -> bool:
    if isinstance(item, list):
        return any(_has_early_qualifier(each) for each in item)
    return isinstance(item, tuple) and item[0] < _RELEASE


def _parse_items(text: str) -> list[Item]:
    """A dash, and each change between digits and letters, begins a list in the list."""
    top: list[Item] = []
    lists, current = [top], top

    def begin_list() -> None:
        nonlocal current
        nested: list[Item] = []
        current.append(nested)
        lists.append(nested)
        current = nested

    parts = _PART.findall(text)
    for number, part in enumerate(parts):
        before = parts[number - 1] if number else "."
        after = parts[number + 1] if number + 1 < len(parts) else ""
        if part in ".-":
            if before in ".-":
                current.append(0)
            if part == "-":
                begin_list()
        elif part.isdigit():
            if before not in ".-":
                begin_list()
            current.append(int(part))
        else:
            if current:
                begin_list()
            current.append(_parse_qualifier(part, followed_by_digit=after.isdigit()))
    for each in reversed(lists):
        _remove_trailing_nulls(each)
    return top


def _parse_qualifier(text: str, *, followed_by_digit: bool) -> VersionText:
    name = _SHORT.get(text, text) if followed_by_digit else text
    name = _ALIASES.get(name, name)
    rank = _RANKS.get(name, _UNKNOWN)
    return rank, name if rank == _UNKNOWN else ""


def _is_null(item: Item) -> bool:
    return item in (0, (_RELEASE, ""), [])


def _remove_trailing_nulls(items: list[Item]) -> None:
    """`1.0.0` is `1`, and `1.0-rc` is `1-rc`."""
    for at in range(len(items) - 1, -1, -1):
        if _is_null(items[at]):
            after = items[at + 1] if at + 1 < len(items) else None
            first = after[0] if isinstance(after, list) and after else after
            if after is None or isinstance(first, tuple):
                del items[at]


def _compare(one: Item | None, other: Item | None) -> int:
    """Negative, zero or positive. None stands for what the shorter list lacks."""
    if one is None:
        return 0 if other is None else -_compare(other, None)
    if isinstance(one, int):
        return _sign(one, other) if isinstance(other, int) else _sign(one, 0) if other is None else 1
    if isinstance(one, tuple):
        if isinstance(other, tuple):
            return (one > other) - (one < other)
        return _sign(one[0], _RELEASE) if other is None else -1
    if other is None:
        return next((result for each in one if (result := _compare(each, None))), 0)
    if isinstance(other, list):
        return next((result for pair in zip_longest(one, other) if (result := _compare(*pair))), 0)
    return -1 if isinstance(other, int) else 1


def _sign(one: int, other: int) -> int:
    return (one > other) - (one < other)
