"""Reads the vault's policies, whoever wrote them: which paths they let read. What cannot be read lets read everything.

The language is HCL, or JSON: `path "a/+/b*" { capabilities = ["read"] }`, or the older `policy = "read"`.
"""

import json
import re
from collections.abc import Iterator
from typing import Any

from msgspec import Struct

_TOKEN = re.compile(
    r'\s+|#[^\n]*|//[^\n]*|/\*.*?\*/|("(?:[^"\\\n]|\\.)*")|([A-Za-z_][\w-]*|-?\d+)|([{}\[\]=,:])', re.DOTALL
)
_OLD = {"read": ("read", "list"), "write": ("create", "read", "update", "delete", "list"), "sudo": ("sudo", "read")}
_OLD |= {"deny": ("deny",)}


class Rule(Struct, frozen=True):
    """One path, and what may be done there."""

    path: str
    may: frozenset[str]


EVERYTHING = (Rule("*", frozenset({"read"})),)


def rules_of(text: str) -> tuple[Rule, ...]:
    """The rules of a policy; EVERYTHING for one that cannot be read."""
    try:
        found = json.loads(text) if text.lstrip().startswith("{") else _parsed(text)
        return tuple(_rules(found))
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError):
        return EVERYTHING


def reads(rules: tuple[Rule, ...], path: str) -> bool:
    """Whether they let read that path: by the rule that names it most exactly, as the vault takes them."""
    matching = [rule for rule in rules if _matches(rule.path, path)]
    if not matching:
        return False
    nearest = max(_nearness(rule.path) for rule in matching)
    may = frozenset[str]().union(*(rule.may for rule in matching if _nearness(rule.path) == nearest))
    return "deny" not in may and "read" in may


def _matches(pattern: str, path: str) -> bool:
    """A placeholder in braces can come to be anything."""
    words = re.sub(r"\{\{.*?\}\}", "+", pattern.lstrip("/"))
    glob = words.endswith("*")
    parts = [
        ".*" if "+" in part and part != "+" else ("[^/]+" if part == "+" else re.escape(part))
        for part in words.removesuffix("*").split("/")
    ]
    return re.fullmatch("/".join(parts) + (".*" if glob else ""), path, re.DOTALL) is not None


def _nearness(pattern: str) -> tuple[int, bool, int, int]:
    """How exactly a path is named (the vault's order): the first wildcard late, no glob at the end, few `+`, long."""
    wild = [place for mark in ("+", "*", "{") if (place := pattern.find(mark)) >= 0]
    first = min(wild) if wild else len(pattern) + 1
    return first, not pattern.endswith("*"), -pattern.count("+"), len(pattern)


def _rules(found: dict[str, Any]) -> Iterator[Rule]:
    for path, body in _paths(found["path"]) if "path" in found else ():
        may = set(body.get("capabilities", ()))
        if "policy" in body:
            may |= set(_OLD[body["policy"]])
        if not all(isinstance(word, str) for word in may):
            raise ValueError
        yield Rule(path, frozenset(may))


def _paths(found: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    for each in found if isinstance(found, list) else [found]:
        yield from each.items()


def _parsed(text: str) -> dict[str, Any]:
    """The paths of a policy in HCL."""
    words = _words(text)
    paths = []
    while words:
        kind = words.pop(0)
        if kind == "path":
            path = json.loads(words.pop(0))
            paths.append({path: _block(words)})
        elif kind == "name":
            words = words[2:]
        else:
            raise ValueError
    return {"path": paths}


def _block(words: list[str]) -> dict[str, Any]:
    if words.pop(0) != "{":
        raise ValueError
    found: dict[str, Any] = {}
    while (name := words.pop(0)) != "}":
        if name == ",":
            continue
        if words[0] in ("=", ":"):
            words.pop(0)
        found[json.loads(name) if name.startswith('"') else name] = _value(words)
    return found


def _value(words: list[str]) -> Any:
    if words[0] == "{":
        return _block(words)
    word = words.pop(0)
    if word != "[":
        return json.loads(word) if word.startswith('"') else word
    found = []
    while words[0] != "]":
        if words[0] == ",":
            words.pop(0)
        else:
            found.append(_value(words))
    words.pop(0)
    return found


def _words(text: str) -> list[str]:
    found, at = [], 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise ValueError
        at = match.end()
        word = match[1] or match[2] or match[3]
        if word:
            found.append(word)
    return found
