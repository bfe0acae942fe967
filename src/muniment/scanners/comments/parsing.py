"""Comments `muniment: ignore RULE: reason`, and comments that look like one and are not.

In Python only comments of the tokenizer count, so that no text poses as one. Elsewhere a comment counts on a line of
its own, behind `#` or `//`.
"""

import io
import re
import tokenize
import unicodedata
from collections.abc import Collection, Iterator

from msgspec import Struct

from muniment.facts.code_facts import IgnoreComment
from muniment.scanners.findings import SourceFile

SHORTEST_REASON, LONGEST_REASON = 10, 200
_EXACT = re.compile(r"(?:#|//) muniment: ignore (?P<rule>[a-z0-9][a-z0-9_/-]{0,79}): (?P<reason>\S.*\S)")
_WORDS = r"(?:ignor|skip|suppress|disabl|allow|exclud|silenc|off\b|nosec|noqa|nolint|no-)"
_WORDS_BEFORE = r"(?:ignor|suppress|disabl|nosec|noqa|nolint)"
# On text without case, width and invisible characters.
_SIMILAR = re.compile(rf"muniment[^a-z0-9]{{0,12}}{_WORDS}|{_WORDS_BEFORE}[a-z]{{0,3}}[^a-z0-9]{{0,12}}muniment")
_INVISIBLE = re.compile("[\u00ad\u0300-\u036f\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff]")
_MARKS = ("#", "//", "/*", "*", "--", "<!--", ";")
_LONGEST_LINE = 4_000


class OtherForm(Struct, frozen=True):
    """Comment that has no effect, and why."""

    line: int
    text: str
    because: str


class FoundComments(Struct, frozen=True):
    """Comments of a file: those of the exact form, and all others that look like one."""

    exact: tuple[IgnoreComment, ...] = ()
    others: tuple[OtherForm, ...] = ()


class _Comment(Struct, frozen=True):
    line: int
    text: str
    is_alone: bool  # on its line


def find_comments(file: SourceFile, known: Collection[str], hard: Collection[str]) -> FoundComments:
    """Find the comments of a file. `known` are the rules that exist, `hard` those that no comment ignores."""
    if not _may_have_comments(file.content):
        return FoundComments()
    # As the engines count them: other marks that end a line for a reader end none for them.
    lines = [line.removesuffix("\r") for line in file.content.decode("utf-8", "replace").split("\n")]
    is_plain = b"\r" not in file.content.replace(b"\r\n", b"\n")
    exact: list[IgnoreComment] = []
    others: list[OtherForm] = []
    for comment in _list_comments(file, lines):
        if len(comment.text) > _LONGEST_LINE or not _SIMILAR.search(_normalise_text(comment.text)):
            continue
        match = _EXACT.fullmatch(comment.text)
        is_shown = is_plain and comment.text in "".join(lines[comment.line - 1 : comment.line])
        because = _explain_problem(match, known, hard) if is_shown else "readers may see another text or another line"
        if match is None or because:
            others.append(OtherForm(comment.line, comment.text, because))
        else:
            target = _find_target(lines, comment)
            exact.append(IgnoreComment(file.path, comment.line, target, match["rule"], match["reason"]))
    return FoundComments(tuple(exact), tuple(others))


def _may_have_comments(content: bytes) -> bool:
    """Whether a word in the file is ours, also written with other letters that look alike."""
    if b"muniment" in content.lower():
        return True
    return not content.isascii() and "muniment" in _INVISIBLE.sub("", _fold_text(content.decode("utf-8", "replace")))


def _explain_problem(match: re.Match[str] | None, known: Collection[str], hard: Collection[str]) -> str:
    """Reason why a comment has no effect, "" if it has the exact form."""
    if match is None:
        return "it is not of the form `muniment: ignore RULE: reason`"
    if not match["reason"].isprintable():
        return "the reason has invisible characters"
    if not SHORTEST_REASON <= len(match["reason"]) <= LONGEST_REASON:
        return f"the reason has fewer than {SHORTEST_REASON} or more than {LONGEST_REASON} characters"
    if match["rule"] in hard:
        return f"no comment ignores the rule {match['rule']}"
    if match["rule"] not in known and not match["rule"].startswith("zizmor/"):
        return "there is no rule of that name"
    return ""


def _normalise_text(text: str) -> str:
    """Text without case, width, marks above letters, and invisible characters."""
    return "".join(one for one in _fold_text(text) if unicodedata.category(one) not in ("Cf", "Cc", "Mn"))


def _fold_text(text: str) -> str:
    return unicodedata.normalize("NFKD", text).casefold()


def _list_comments(file: SourceFile, lines: list[str]) -> Iterator[_Comment]:
    if file.path.endswith((".py", ".pyi")):
        try:
            yield from list(_list_python_comments(file.content))
        except (SyntaxError, tokenize.TokenError, UnicodeDecodeError, LookupError, RecursionError):
            return  # the engine for Python fails such a file as a whole
    else:
        yield from _list_marked_lines(lines)


def _list_python_comments(content: bytes) -> Iterator[_Comment]:
    for token in tokenize.tokenize(io.BytesIO(content).readline):
        if token.type == tokenize.COMMENT:
            is_alone = not token.line[: token.start[1]].strip()
            yield _Comment(token.start[0], token.string, is_alone)


def _list_marked_lines(lines: list[str]) -> Iterator[_Comment]:
    """Lines with a mark of a comment; only one that begins with it can have the exact form."""
    for number, line in enumerate(lines, 1):
        text = line.strip(" \t")
        if any(mark in text for mark in _MARKS):
            yield _Comment(number, text, is_alone=True)


def _find_target(lines: list[str], comment: _Comment) -> int:
    """Line to which a comment applies: its own, or the next one that is no comment where it stands alone."""
    if not comment.is_alone:
        return comment.line
    target = comment.line + 1
    while target <= len(lines) and lines[target - 1].strip().startswith(("#", "//")):
        target += 1
    return target
