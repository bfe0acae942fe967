"""Whether a range of npm surely excludes a version, so that npm need not be asked.

Only the usual forms are read; of any other one nothing is said, and npm decides.
Source: https://github.com/npm/node-semver, "Ranges"
"""

import re

_PART = r"(0|[1-9]\d{0,8}|[xX*])"
_COMPARATOR = re.compile(rf"(\^|~|>=|<=|>|<|=)?\s*v?{_PART}(?:\.{_PART})?(?:\.{_PART})?")
_HYPHEN = re.compile(r"(\S+)\s+-\s+(\S+)")
_LONGEST = 400
_Bounds = tuple[tuple[int, int, int], tuple[int, int, int] | None]  # from (included), to (excluded; None: no end)
_NONE = (0, 0, 0)


def is_excluded(range_text: str, version: str) -> bool:
    """Whether a version is outside of a range. False where either is of a form that is not read."""
    parts = version.split(".")
    if len(parts) != 3 or not all(each.isascii() and each.isdigit() for each in parts) or len(range_text) > _LONGEST:
        return False
    major, minor, patch = (int(each) for each in parts)
    alternatives = [_read_bounds(each.strip()) for each in range_text.split("||")]
    return all(
        found is not None and not all(_is_within(each, (major, minor, patch)) for each in found)
        for found in alternatives
    )


def _is_within(bounds: _Bounds, version: tuple[int, int, int]) -> bool:
    low, high = bounds
    return low <= version and (high is None or version < high)


def _read_bounds(text: str) -> list[_Bounds] | None:
    """Bounds that a version has to be in, all of them; None for a form that is not read."""
    hyphen = _HYPHEN.fullmatch(text)
    if hyphen is not None:
        text = f">={hyphen[1]} <={hyphen[2]}"
    if not text:
        return []
    found: list[_Bounds] = []
    at = 0
    while at < len(text):
        comparator = _COMPARATOR.match(text, at)
        if comparator is None:
            return None
        found.append(_make_bounds(comparator[1] or "", [each for each in comparator.groups()[1:] if each is not None]))
        end = comparator.end()
        at = end + len(text[end:]) - len(text[end:].lstrip())
        if at == end and end < len(text):
            return None  # something follows without a blank, such as a pre-release
    return found


def _make_bounds(operator: str, parts: list[str]) -> _Bounds:
    """Bounds of one comparator. `1.2` and `1.2.x` stand for every version that begins so."""
    known = [int(each) for each in _take_numbers(parts)]
    low = (*known, 0, 0, 0)[:3]
    lowest = (low[0], low[1], low[2])
    if not known:
        return (_NONE, _NONE) if operator in ("<", ">") else (_NONE, None)
    after = _increase_number(lowest, len(known) - 1)
    if operator == "^":
        place = next((at for at, number in enumerate(known) if number), len(known) - 1)
        return lowest, _increase_number(lowest, place)
    if operator == "~":
        return lowest, _increase_number(lowest, min(len(known) - 1, 1))
    if operator == ">=":
        return lowest, None
    if operator == ">":
        return after, None
    if operator == "<":
        return _NONE, lowest
    if operator == "<=":
        return _NONE, after
    return lowest, after


def _take_numbers(parts: list[str]) -> list[str]:
    end = next((at for at, each in enumerate(parts) if not each.isdigit()), len(parts))
    return parts[:end]


def _increase_number(version: tuple[int, int, int], place: int) -> tuple[int, int, int]:
    """Version at which the numbers up to a place are others."""
    major, minor, patch = version
    return ((major + 1, 0, 0), (major, minor + 1, 0), (major, minor, patch + 1))[place]
