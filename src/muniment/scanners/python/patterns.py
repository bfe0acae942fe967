"""Functions of `re`, matched in linear time."""

import re

from muniment.scanners.python.linear_matching import LinearPattern, compile_linear
from muniment.scanners.python.texts import limit_size, require_text
from muniment.scanners.python.values import OPENING, UndecidedError, has_placeholder


def _compile(pattern: object, flags: object = 0) -> tuple[LinearPattern, int]:
    text = pattern.decode("latin-1") if isinstance(pattern, bytes) else require_text(pattern)
    if has_placeholder(text):
        raise UndecidedError
    number = int(flags) if isinstance(flags, int) else 0
    return compile_linear(text, number), number


def match_at(pattern: object, text: object, flags: object, *, whole: bool, search: bool) -> object:
    """Execute re.match, re.fullmatch or re.search."""
    compiled, _ = _compile(pattern, flags)
    subject = text.decode("latin-1") if isinstance(text, bytes) else require_text(text)
    if has_placeholder(subject):
        raise UndecidedError
    if search:
        span = compiled.find_span(subject)
        return CallMatch(subject[span[0] : span[1]]) if span else None
    ends = compiled.find_ends(subject, 0)
    if whole:
        return CallMatch(subject) if len(subject) in ends else None
    return CallMatch(subject[: max(ends)]) if ends else None


class CallMatch:
    """Match of a regular expression: only the whole of it is known."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __eq__(self, other: object) -> bool:
        return isinstance(other, CallMatch) and other.text == self.text

    def __hash__(self) -> int:
        return hash(self.text)


def replace_matches(pattern: object, new: object, text: object, count: object = 0, flags: object = 0) -> object:
    """Execute re.sub; unknown parts of the text stay."""
    compiled, _ = _compile(pattern, flags)
    subject, replacement = require_text(text), require_text(new)
    if "\\" in replacement:
        raise UndecidedError
    parts: list[str] = []
    position, replaced = 0, 0
    for chunk in re.split("(\ue000[^\ue000\ue001]*\ue001)", subject):  # unknown parts stay as they are
        if chunk.startswith(OPENING):
            parts.append(chunk)
            continue
        position = 0
        while position <= len(chunk) and (not count or replaced < int(str(count))):
            span = compiled.find_span(chunk, position)
            if span is None:
                break
            parts.append(chunk[position : span[0]])
            parts.append(replacement)
            replaced += 1
            if span[1] == span[0]:
                parts.append(chunk[span[0] : span[0] + 1])
            position = max(span[1], span[0] + 1)
        parts.append(chunk[position:])
    return limit_size("".join(parts))


def find_all(pattern: object, text: object, flags: object = 0) -> object:
    """Execute re.findall for a pattern without groups."""
    compiled, _ = _compile(pattern, flags)
    subject, found, position = require_text(text), [], 0
    if "(" in require_text(pattern).replace("(?:", "").replace("\\(", "") or has_placeholder(subject):
        raise UndecidedError
    while position <= len(subject):
        span = compiled.find_span(subject, position)
        if span is None:
            break
        found.append(subject[span[0] : span[1]])
        position = max(span[1], span[0] + 1)
    return found
