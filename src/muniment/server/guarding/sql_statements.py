"""Tables that a statement of SQL writes to. A statement that cannot be parsed is named itself: nothing allows it."""

import functools
import re
from collections.abc import Iterator

_TOKEN = re.compile(  # as PostgreSQL cuts it; what nothing ends, it refuses
    r"""--[^\n]*|/\*.*?(?:\*/|\Z)|[eE]'(?:[^'\\]|''|\\.)*'?|'(?:[^']|'')*'?|"""
    r"""(?P<word>"(?:[^"]|"")*"?|\$\w*\$|[\w$]+|[^\s\w])""",
    re.DOTALL,
)
_WRITING = {"insert": "into", "delete": "from", "merge": "into"}
_LOCKING = ("for", "key", "do")  # before "update", it locks or follows a conflict
_NOISE = ("only", "table", "if", "exists")
_OTHERS = frozenset(("copy", "do", "call", "grant", "revoke", "create", "alter", "drop", "set", "vacuum", "reindex"))


@functools.lru_cache(maxsize=4096)
def find_written_tables(statement: str) -> frozenset[str]:
    """Names of the tables. A statement of another kind is named by its first word, such as "create"."""
    words = [word.strip('"').lower() for token in _TOKEN.finditer(statement) if (word := token["word"])]
    return frozenset(_find_tables(words))


def _find_tables(words: list[str]) -> Iterator[str]:
    start = True
    for at, word in enumerate(words):
        if start and (word in _OTHERS or word.startswith("$")):
            yield word
        start = word == ";"
        if word in _WRITING and words[at + 1 : at + 2] == [_WRITING[word]]:
            yield _read_name(words[at + 2 :])
        elif word == "truncate" or (word == "update" and words[at - 1 : at] not in [[one] for one in _LOCKING]):
            yield _read_name(words[at + 1 :])


def _read_name(words: list[str]) -> str:
    rest = [word for word in words if word not in _NOISE]
    if rest[1:2] == ["."]:
        rest = rest[2:]
    return rest[0] if rest else ""
