"""The company's own page as sentences, and those that no clause of the policy claims."""

import re
from collections.abc import Iterator

from msgspec import Struct

from muniment.policy.model import Policy

_FRONT_MATTER = re.compile(r"\A---\n.*?\n---\n", re.DOTALL)
_UNREAD = re.compile(r"<!--.*?-->|^(```|~~~).*?^\1[^\n]*$", re.DOTALL | re.MULTILINE)
_HEADING = re.compile(r"\s*#{1,6}\s|\s*(=+|-{2,}|\*{3,}|_{3,})\s*$")
_MARK = re.compile(r"^\s*(?:[-*+]|\d+[.)]|>)\s+")
_LINK = re.compile(r"!?\[([^\]]*)\]\([^)]*\)")
_END = re.compile(r"(?<=[.!?])[\"')\]]*\s+(?=[^a-z\s])")
_WORD = re.compile(r"\w+")


class Sentence(Struct, frozen=True):
    """One sentence of the page and the line, from 1, that it begins on."""

    line: int
    text: str


def sentences(page: str) -> tuple[Sentence, ...]:
    """The sentences of a Markdown page, in order. Headings, code and comments are none."""
    found: list[Sentence] = []
    for line, block in _blocks(_blanked(page)):
        text = _LINK.sub(r"\1", block).replace("**", "").replace("__", "").replace("`", "")
        found += [Sentence(line, part) for part in map(str.strip, _END.split(text)) if _WORD.search(part)]
    return tuple(found)


def unclaimed(page: str, policy: Policy) -> tuple[Sentence, ...]:
    """The sentences of `page` that no clause claims: neither says the other whole, case and punctuation aside."""
    clauses = [words for clause in policy.clauses if (words := _words(clause.text))]
    return tuple(sentence for sentence in sentences(page) if not _claimed(_words(sentence.text), clauses))


def _claimed(sentence: str, clauses: list[str]) -> bool:
    return any(f" {sentence} " in f" {clause} " or f" {clause} " in f" {sentence} " for clause in clauses)


def _words(text: str) -> str:
    return " ".join(_WORD.findall(text.casefold()))


def _blanked(page: str) -> str:
    """The page with what is not prose emptied, line numbers kept."""
    for pattern in (_FRONT_MATTER, _UNREAD):
        page = pattern.sub(lambda match: "\n" * match[0].count("\n"), page)
    return page


def _blocks(page: str) -> Iterator[tuple[int, str]]:
    """Paragraphs and list items, each on one line, with the line it begins on."""
    start, pieces = 0, list[str]()
    for number, line in enumerate((*page.splitlines(), ""), 1):
        ends = not line.strip() or _HEADING.match(line) or _MARK.match(line)
        if ends and pieces:
            yield start, " ".join(pieces)
            pieces = []
        if line.strip() and not _HEADING.match(line):
            start = start if pieces else number
            pieces.append(_MARK.sub("", line).strip())
