"""Sentences of the company's own page, and those that no clause of the policy covers."""

import re
from collections.abc import Iterator

from msgspec import Struct

from muniment.policy.model import Policy

_UNREAD = (  # what is not prose: front matter, code, comments
    re.compile(r"\A(---|\+\+\+)\n.*?\n\1(?:\n|\Z)", re.DOTALL),
    re.compile(r"^[ \t]*(`{3,}|~{3,}).*?(?:^[ \t]*\1[^\n]*$|\Z)", re.DOTALL | re.MULTILINE),
    re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL),
)
_HEADING = re.compile(r"\s*#{1,6}(?:\s|$)")
_UNDERLINE = re.compile(r"\s*(?:=+|-+)\s*$")
_RULE = re.compile(r"\s*(?:=+|-+|(?:[*_-][ \t]*){3,})$")
_LINK_TARGET = re.compile(r"\s*\[[^\]]+\]:\s")
_QUOTED = re.compile(r"^[ \t]*(?:>[ \t]?)+", re.MULTILINE)
_MARK = re.compile(r"\s*(?:(?:[-*+]|\d+[.)])\s+(?:\[[ xX]\]\s+)?|(?=\|))")
_LINK = re.compile(r"!?\[([^\[\]]*)\](?:\((?:[^()]|\([^()]*\))*\)|\[[^\[\]]*\])")
_MARKUP = re.compile(r"</?[A-Za-z][^<>\n]*>|\*+|\b_+|(?<!_)_+\b|`+|(?<!\s)\s*\|\s*")
_END = re.compile(r"(?<=[.!?])[\"')\]]*\s+(?=[^a-z\s])")
_WORD = re.compile(r"[^\W_]+")


class PageSentence(Struct, frozen=True):
    """Sentence of the page, with the line (from 1) on which its paragraph or list item begins."""

    line: int
    text: str


def split_sentences(page: str) -> tuple[PageSentence, ...]:
    """Split a Markdown page into its sentences, in order. Headings, code, comments and front matter have none."""
    found: list[PageSentence] = []
    for line, block in _split_blocks(_blank_unread(page)):
        text = _MARKUP.sub(_replace_markup, _LINK.sub(r"\1", block)).strip()
        found += [PageSentence(line, part) for part in map(str.strip, _END.split(text)) if _WORD.search(part)]
    return tuple(found)


def find_uncovered_sentences(page: str, policy: Policy) -> tuple[PageSentence, ...]:
    """Find the sentences of `page` that no clause covers: neither contains the other, apart from case and
    punctuation.
    """
    clauses = [words for clause in policy.clauses if (words := _normalize_words(clause.text))]
    return tuple(
        sentence for sentence in split_sentences(page) if not _is_covered(_normalize_words(sentence.text), clauses)
    )


def _is_covered(sentence: str, clauses: list[str]) -> bool:
    return any(f" {sentence} " in f" {clause} " or f" {clause} " in f" {sentence} " for clause in clauses)


def _normalize_words(text: str) -> str:
    return " ".join(_WORD.findall(_MARKUP.sub(_replace_markup, _LINK.sub(r"\1", text)).casefold()))


def _replace_markup(markup: re.Match[str]) -> str:
    return " " if "|" in markup[0] else ""


def _blank_unread(page: str) -> str:
    """Empty the parts of a page that are not prose, and keep the line numbers."""
    page = _QUOTED.sub("", page.replace("\r\n", "\n"))
    for pattern in _UNREAD:
        page = pattern.sub(lambda match: "\n" * match[0].count("\n"), page)
    return page


def _split_blocks(page: str) -> Iterator[tuple[int, str]]:
    """Paragraphs, list items and rows of tables, each on one line, with the line it begins on."""
    start, pieces = 0, list[str]()
    for number, line in enumerate((*page.split("\n"), ""), 1):
        ends = not line.strip() or bool(_RULE.match(line) or _HEADING.match(line) or _LINK_TARGET.match(line))
        mark = None if ends else _MARK.match(line)
        if _UNDERLINE.match(line):
            pieces = []  # what stood above was a heading
        if pieces and (ends or mark):
            yield start, " ".join(pieces)
            pieces = []
        if not ends:
            start = start if pieces else number
            pieces.append(line[mark.end() if mark else 0 :].strip())
