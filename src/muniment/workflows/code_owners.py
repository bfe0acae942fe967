"""Owners of paths by the CODEOWNERS file of a repository, as its forge reads that file.

Patterns are walked without backtracking. A line that cannot be read is passed over, as the forges do.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import islice

import msgspec

from muniment.forges.forge_kind import OwnerSyntax
from muniment.scanners.python.linear_matching import LinearPattern
from muniment.scanners.python.values import UndecidedError

_MOST_BYTES = 3_000_000  # as GitHub
_MOST_RULES = 5_000
_LONGEST_PATTERN = 300
_SECTION = re.compile(r"\^?\[([^\]\n]+)\](?:\[[0-9]+\])?(?: (.*))?")
_ESCAPED = re.compile(r"\\([ #\\])")
_ANY_ESCAPED = re.compile(r"\\(.)")
_WORD = re.compile(r"(?:\\.|[^\\\s])+")


class OwnerRule(msgspec.Struct, frozen=True):
    """Pattern with its owners, as the file writes them. An excluding one takes a path out of its section."""

    pattern: str
    owners: tuple[str, ...]
    section: str = ""
    excludes: bool = False


class CodeOwners(msgspec.Struct, frozen=True):
    """Rules of one file, in its order."""

    syntax: OwnerSyntax
    rules: tuple[OwnerRule, ...] = ()

    def find_owners(self, path: str) -> tuple[str, ...]:
        """Find the owners of a path, as the file writes them; () for a path that has none.

        The last rule that matches wins; with sections, the last one of each section, and regular expressions all count.
        """
        found: dict[str, tuple[str, ...]] = {}
        for number, rule in enumerate(self.rules):
            if self.syntax is OwnerSyntax.EXPRESSIONS:
                if _matches_expression(rule.pattern, path) is (not rule.excludes):
                    found[str(number)] = rule.owners
            elif _MATCHERS[self.syntax](rule.pattern, path):
                found[rule.section] = () if rule.excludes else rule.owners
        return tuple(dict.fromkeys(owner for owners in found.values() for owner in owners))


def parse_code_owners(content: bytes, syntax: OwnerSyntax) -> CodeOwners:
    """Parse the file. One that is too large has no rule, as at the forge."""
    if len(content) > _MOST_BYTES:
        return CodeOwners(syntax)
    lines = content.decode("utf-8", "replace").splitlines()
    read = _read_sections(lines) if syntax is OwnerSyntax.SECTIONS else _read_lines(lines, syntax)
    short = (rule for rule in read if len(rule.pattern) <= _LONGEST_PATTERN)
    return CodeOwners(syntax, tuple(islice(short, _MOST_RULES)))


def _split_line(line: str) -> list[str]:
    """Split a line into words, less the comment at its end. A backslash keeps a space or `#` in a word."""
    words: list[str] = []
    for match in _WORD.finditer(line):
        if match.group().startswith("#"):
            break
        words.append(match.group())
    return words


def _read_lines(lines: Iterable[str], syntax: OwnerSyntax) -> Iterator[OwnerRule]:
    for words in filter(None, map(_split_line, lines)):
        pattern, owners = words[0], tuple(words[1:])
        if syntax is OwnerSyntax.EXPRESSIONS:
            excludes = pattern.startswith("!")
            yield OwnerRule(_ESCAPED.sub(r"\1", pattern.removeprefix("!")), owners, excludes=excludes)
        elif not pattern.startswith("!") and "[" not in pattern:  # GitHub passes over both
            yield OwnerRule(_strip_escapes(pattern), owners)


def _read_sections(lines: Iterable[str]) -> Iterator[OwnerRule]:
    section, defaults = "", tuple[str, ...]()
    for line in lines:
        head = _SECTION.fullmatch(line.strip())
        if head is not None:
            section, defaults = head[1].strip().casefold(), tuple(_split_line(head[2] or ""))
            continue
        words = _split_line(line)
        if words:
            excludes = words[0].startswith("!")
            pattern = _strip_escapes(words[0].removeprefix("!"))
            yield OwnerRule(pattern, tuple(words[1:]) or defaults, section, excludes)


def _strip_escapes(pattern: str) -> str:
    return _ANY_ESCAPED.sub(r"\1", pattern)


def _matches_pattern(pattern: str, path: str) -> bool:
    """Whether a pattern of GitHub matches: as in `.gitignore`, except that `docs/*` has only what is directly there."""
    parts = pattern.strip("/").split("/")
    if not pattern.startswith("/") and len(parts) == 1:
        parts = ["**", *parts]
    if pattern.endswith("/"):
        return _match_parts((*parts, "*", "**"), path.split("/"))
    if _match_parts(parts, path.split("/")):
        return True
    if parts[-1] == "*" and len(parts) > 1 and parts[-2] != "**":
        return False
    return _match_parts((*parts, "*", "**"), path.split("/"))


def _matches_section_pattern(pattern: str, path: str) -> bool:
    """Whether a pattern of GitLab matches: without a leading slash anywhere, with one at its end all below."""
    parts = pattern.strip("/").split("/")
    if pattern == "*":
        return True
    anchored = parts if pattern.startswith("/") else ["**", *parts]
    return _match_parts((*anchored, "**", "*") if pattern.endswith("/") else anchored, path.split("/"))


_MATCHERS = {OwnerSyntax.PATTERNS: _matches_pattern, OwnerSyntax.SECTIONS: _matches_section_pattern}


def _match_parts(parts: Sequence[str], names: Sequence[str]) -> bool:
    """Match folder by folder: `**` stands for any number of them. The time is the product of both lengths."""
    reached = {0}
    for part in parts:
        if part == "**":
            reached = set(range(min(reached), len(names) + 1))
        else:
            matches = _matches_name if "*" in part or "?" in part else str.__eq__
            reached = {place + 1 for place in reached if place < len(names) and matches(part, names[place])}
        if not reached:
            return False
    return len(names) in reached


@lru_cache(maxsize=4096)
def _matches_name(pattern: str, name: str) -> bool:
    """Match one name with `*` and `?`. The time is the product of both lengths."""
    place = tried = 0
    star, resume = -1, 0
    while tried < len(name):
        if place < len(pattern) and pattern[place] == "*":
            star, resume = place, tried
            place += 1
        elif place < len(pattern) and pattern[place] in ("?", name[tried]):
            place, tried = place + 1, tried + 1
        elif star >= 0:
            resume += 1
            place, tried = star + 1, resume
        else:
            return False
    return not pattern[place:].strip("*")


@lru_cache(maxsize=256)
def _compile_expression(pattern: str) -> LinearPattern | None:
    try:
        return LinearPattern(pattern, 0)
    except UndecidedError:
        return None


def _matches_expression(pattern: str, path: str) -> bool | None:
    """Whether a regular expression matches the whole path; None if that takes more than linear time."""
    compiled = _compile_expression(pattern)
    try:
        return None if compiled is None else len(path) in compiled.find_ends(path, 0)
    except UndecidedError:
        return None
