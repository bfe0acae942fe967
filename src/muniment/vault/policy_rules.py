"""Reads the vault's policies, by any author: the paths that they allow to read. An unreadable policy allows every path.

The language is HCL, or JSON: `path "a/+/b*" { capabilities = ["read"] }`, or the older `policy = "read"`.
"""

import json
import re
from collections import deque
from collections.abc import Iterator

from msgspec import Struct

from muniment.errors import NotCanonicalError
from muniment.facts import canonical

_TOKEN = re.compile(
    r'\s+|#[^\n]*|//[^\n]*|/\*.*?\*/|("(?:[^"\\\n]|\\.)*")|([A-Za-z_][\w-]*|-?\d+)|([{}\[\]=,:])', re.DOTALL
)
_PLACEHOLDER = re.compile(r"\{\{.*?(?:\}\}|\Z)", re.DOTALL)
_OLD_CAPABILITIES = {
    "read": ("read", "list"),
    "write": ("create", "read", "update", "delete", "list"),
    "sudo": ("sudo", "read"),
}
_OLD_CAPABILITIES |= {"deny": ("deny",)}


class PathRule(Struct, frozen=True):
    """Path of a policy, and the capabilities there."""

    path: str
    may: frozenset[str]


EVERYTHING = (PathRule("*", frozenset({"read"})),)


def parse_rules(text: str) -> tuple[PathRule, ...]:
    """Parse the rules of a policy; EVERYTHING for one that cannot be read."""
    try:
        found = _decode_json(text) if text.lstrip().startswith("{") else _parse_hcl(text)
        return tuple(_convert_rules(found))
    except (NotCanonicalError, ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError):
        return EVERYTHING


def _decode_json(text: str) -> dict[str, object]:
    """Decode a policy in JSON. A path that is named twice would hide what the first one allows."""
    canonical.refuse_repeated_keys(text.encode())
    found: dict[str, object] = json.loads(text)
    return found


def allows_reading(rules: tuple[PathRule, ...], path: str) -> bool:
    """Whether the rules allow reading that path: by the rule that names it most exactly, as the vault takes them."""
    matching = [rule for rule in rules if _matches_path(rule.path, path)]
    if not matching:
        return False
    nearest = max(_rank_pattern(rule.path) for rule in matching)
    may = frozenset[str]().union(*(rule.may for rule in matching if _rank_pattern(rule.path) == nearest))
    return "deny" not in may and "read" in may


def _matches_path(pattern: str, path: str) -> bool:
    """Whether a pattern can match a path. A placeholder in braces can become anything."""
    return re.fullmatch(_translate_pattern(pattern), path, re.DOTALL) is not None


def _translate_pattern(pattern: str) -> str:
    """Translate to a regular expression of linear time: behind a wildcard, the first fitting place is the best."""
    words = _PLACEHOLDER.sub(lambda found: "+" if found[0].endswith("}}") else "++", pattern.lstrip("/"))
    pieces = [""]
    for number, part in enumerate(words.removesuffix("*").split("/")):
        pieces[-1] += "/" if number else ""
        if "+" in part and part != "+":
            pieces.append("")
        else:
            pieces[-1] += "[^/]+" if part == "+" else re.escape(part)
    if words.endswith("*"):
        pieces.append("")
    first, *rest = pieces
    last = ".*" + rest.pop() if rest else ""
    return first + "".join(f"(?>.*?{piece})" for piece in rest) + last


def _rank_pattern(pattern: str) -> tuple[int, bool, int, int]:
    """Rank how exactly a path is named (the vault's order): first wildcard late, no glob at the end, few `+`, long."""
    wild = [place for mark in ("+", "*", "{") if (place := pattern.find(mark)) >= 0]
    first = min(wild) if wild else len(pattern) + 1
    return first, not pattern.endswith("*"), -pattern.count("+"), len(pattern)


def _convert_rules(found: dict[str, object]) -> Iterator[PathRule]:
    for path, body in _list_paths(found["path"]) if "path" in found else ():
        capabilities = body.get("capabilities", [])
        if not isinstance(capabilities, list) or not all(isinstance(word, str) for word in capabilities):
            raise ValueError
        old = _OLD_CAPABILITIES[str(body["policy"])] if "policy" in body else ()
        yield PathRule(path, frozenset({*capabilities, *old}))


def _list_paths(found: object) -> Iterator[tuple[str, dict[str, object]]]:
    for each in found if isinstance(found, list) else [found]:
        if not isinstance(each, dict):
            raise ValueError
        yield from each.items()


def _parse_hcl(text: str) -> dict[str, object]:
    """Parse the paths of a policy in HCL."""
    words = _split_words(text)
    paths = []
    while words:
        kind = words.popleft()
        if kind == "path":
            path = json.loads(words.popleft())
            paths.append({path: _parse_block(words)})
        elif kind == "name":
            words.popleft()
            words.popleft()
        else:
            raise ValueError
    return {"path": paths}


def _parse_block(words: deque[str]) -> dict[str, object]:
    if words.popleft() != "{":
        raise ValueError
    found: dict[str, object] = {}
    while (name := words.popleft()) != "}":
        if name == ",":
            continue
        if words[0] in ("=", ":"):
            words.popleft()
        key = json.loads(name) if name.startswith('"') else name
        if key in found:
            raise ValueError("a key is named twice")
        found[key] = _parse_value(words)
    return found


def _parse_value(words: deque[str]) -> object:
    if words[0] == "{":
        return _parse_block(words)
    word = words.popleft()
    if word != "[":
        return json.loads(word) if word.startswith('"') else word
    found: list[object] = []
    while words[0] != "]":
        if words[0] == ",":
            words.popleft()
        else:
            found.append(_parse_value(words))
    words.popleft()
    return found


def _split_words(text: str) -> deque[str]:
    found, at = deque[str](), 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise ValueError
        at = match.end()
        word = match[1] or match[2] or match[3]
        if word:
            found.append(word)
    return found
