"""Patterns for branches, paths and repositories: `*` and `?` stop at `/`, `**` does not.

`**/x` also matches `x`, `x/**` everything below `x`. A pattern always matches a whole name, from its
beginning.
There are no other special characters; `problem` refuses those that look like some.
"""

import re
from collections.abc import Iterable
from functools import lru_cache

MOST_CHARACTERS = 200
HELP = "Write * for any part of a name, ** for any number of folders, ? for one character, all else as it is."

_SPECIAL = re.compile(r"(?:\*\*/)+|/\*\*$|\*\*|\*|\?")
_MEANING = {"/**": "/.*", "**": ".*", "*": "[^/]*", "?": "[^/]"}
_ANYWHERE = "(?:.*/)?"
_LOOKS_SPECIAL = re.compile(r"[\[\]{}\\]")


@lru_cache(maxsize=1024)
def compiled(patterns: tuple[str, ...], ignore_case: bool = False) -> re.Pattern[str]:
    """One regular expression for all of `patterns`, for use with `fullmatch`; none at all match nothing."""
    flags = re.DOTALL | (re.IGNORECASE if ignore_case else 0)
    anywhere = [pattern[3:] for pattern in patterns if pattern.startswith("**/")]
    anchored = [_translated(pattern) for pattern in patterns if not pattern.startswith("**/")]
    if anywhere:  # one way down for all of them: 150 of them cost a microsecond then, not twenty
        anchored.append(f"{_ANYWHERE}(?:{'|'.join(map(_translated, anywhere))})")
    return re.compile("|".join(anchored) or r"(?!)", flags)


def matches(name: str, patterns: Iterable[str]) -> bool:
    """Whether the whole of `name` matches one of `patterns`."""
    return compiled(tuple(patterns)).fullmatch(name) is not None


def problem(pattern: str) -> str:
    """What is wrong with a pattern, as half a sentence (`it is empty`); "" if nothing is."""
    if not pattern:
        return "it is empty"
    if len(pattern) > MOST_CHARACTERS:
        return f"it is longer than {MOST_CHARACTERS} characters"
    if not pattern.isprintable() or pattern != pattern.strip():
        return "it has blanks around it, or characters that cannot be seen"
    if pattern.startswith(("/", "!")) or pattern.endswith("/") or "//" in pattern:
        return "it begins with / or !, ends with / or has an empty part"
    if odd := _LOOKS_SPECIAL.search(pattern):
        return f"{odd.group()} has no special meaning here; write ? for that character"
    return ""


def _translated(pattern: str) -> str:
    pieces: list[str] = []
    end = 0
    for special in _SPECIAL.finditer(pattern):
        pieces += re.escape(pattern[end : special.start()]), _MEANING.get(special.group(), _ANYWHERE)
        end = special.end()
    return "(?:" + "".join(pieces) + re.escape(pattern[end:]) + ")"
