"""Patterns for branches, paths and repositories: `*` and `?` stop at `/`, `**` does not.

`**/x` also matches `x`, `x/**` everything below `x`. A pattern always matches a whole name, from its
beginning.
There are no other special characters; `find_syntax_problem` refuses those that look like some.

Matching takes time in proportion to the length of the name times that of the pattern, whatever both are. A pattern is
cut at `**` into blocks, and a block at `*` into texts. What follows a `*` or `**` matches more if it may begin
earlier, so the first place where a text fits is the best one, and no other is ever tried: the atomic groups `(?>…)`
say so to Python's engine, which matches 150 patterns at once in a microsecond.
"""

import re
from collections.abc import Iterable
from functools import lru_cache

MOST_PATTERN_CHARACTERS = 200
MOST_PATTERNS = 200  # in one list
PATTERN_HELP = "Write * for any part of a name, ** for any number of folders, ? for one character, all else as it is."

_WILDCARD = re.compile(r"((?<![^/])(?:\*\*/)+|\*+)")
_LOOKS_SPECIAL = re.compile(r"[\[\]{}\\]")
_FEWEST_FOLDERS = "(?:|.*?/)"
_FOLDERS = "(?:.*/)?"


@lru_cache(maxsize=1024)
def compile_patterns(patterns: tuple[str, ...], ignore_case: bool = False) -> re.Pattern[str]:
    """Compile `patterns` into one regular expression for `fullmatch`. Without patterns it matches nothing."""
    flags = re.DOTALL | (re.IGNORECASE if ignore_case else 0)
    alternatives, anywhere = [], []
    for pattern in patterns:
        blocks = _cut_into_blocks(pattern)
        if pattern.startswith("**/") and _needs_no_second_search(blocks[2:]):
            anywhere.append(_translate_blocks(blocks[1:]))
        else:
            alternatives.append(_translate_blocks(blocks))
    if anywhere:  # one way down for all of them: 150 of them cost a microsecond then, not twenty
        alternatives.append(f"{_FOLDERS}(?:{'|'.join(anywhere)})")
    return re.compile("|".join(alternatives) if alternatives else "(?!)", flags)


def matches_any(name: str, patterns: Iterable[str]) -> bool:
    """Whether the whole of `name` matches one of `patterns`."""
    return compile_patterns(tuple(patterns)).fullmatch(name) is not None


def find_syntax_problem(pattern: str) -> str:
    """Problem of a pattern as a clause (`it is empty`); "" if there is none."""
    if not pattern:
        return "it is empty"
    if len(pattern) > MOST_PATTERN_CHARACTERS:
        return f"it is longer than {MOST_PATTERN_CHARACTERS} characters"
    if not pattern.isprintable() or pattern != pattern.strip():
        return "it has blanks around it, or characters that cannot be seen"
    if pattern.startswith(("/", "!")) or pattern.endswith("/") or "//" in pattern:
        return "it begins with / or !, ends with / or has an empty part"
    if odd := _LOOKS_SPECIAL.search(pattern):
        return f"{odd.group()} has no special meaning here; write ? for that character"
    return ""


def _cut_into_blocks(pattern: str) -> list[list[str]]:
    """Blocks, between which any folders may lie; of each the texts, between which lies a part of a name.

    `**/` at the beginning or after `/` parts two blocks. Any other `**` is such folders and then `*`.
    """
    first, *rest = _WILDCARD.split(pattern)
    blocks = [[first]]
    for wildcard, text in zip(rest[::2], rest[1::2], strict=True):
        if wildcard == "*":
            blocks[-1].append(text)
        else:
            blocks.append([text] if wildcard.endswith("/") else ["", text])
    return blocks


def _needs_no_second_search(blocks: list[list[str]]) -> bool:
    """Whether what follows a block fits wherever that block does: it is nothing, or a last `**`."""
    return not blocks or blocks == [["", ""]]


def _translate_blocks(blocks: list[list[str]]) -> str:
    """Only the last block is held by the end of the name, so that its last `*` has to be tried at several places."""
    pieces = [_translate_texts(block, at == len(blocks) - 1) for at, block in enumerate(blocks)]
    for at, block in enumerate(blocks[1:], 1):
        if at < len(blocks) - 1:
            pieces[at] = f"(?>{_FEWEST_FOLDERS}{pieces[at]})"
        else:
            pieces[at] = ".*" if block == ["", ""] else _FOLDERS + pieces[at]
    return "".join(pieces)


def _translate_texts(texts: list[str], at_end: bool) -> str:
    first, *rest = (re.escape(text).replace(r"\?", "[^/]") for text in texts)
    if not rest:
        return first
    last = f"[^/]*{rest.pop()}" if at_end else ""
    return first + "".join(f"(?>[^/]*?{text})" for text in rest) + last
