"""Models of libraries: sources by name, sinks and patterns by the name of the call, and results without taint."""

import re
import tomllib
from functools import cache
from pathlib import Path
from typing import Literal, TypeVar

import msgspec

from muniment.scanners.rules import Pattern, ScanRule, Sink, load_scan_rules

Model = TypeVar("Model", Sink, Pattern)

# What these sinks return holds no text of their arguments, except where it is the text itself, marked as safe.
_CONSUMING = frozenset(
    {
        "command-injection",
        "cross-site-scripting",
        "open-redirect",
        "path-traversal",
        "server-side-request-forgery",
        "sql-injection",
    }
)
_DATABASE_PARTS = (".objects.", ".query.")  # rows, not the texts that chose them
_PASSING = frozenset(
    {"markupsafe.Markup", "django.utils.safestring.mark_safe", "sqlalchemy.text", "sqlalchemy.sql.text"}
)
_FILE = Path(__file__).parent / "framework_sources.toml"


class InputSource(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Place where input of a user enters: how it is read, and which characters it cannot have."""

    kind: Literal["text", "object", "raw", "mapping"]
    title: str
    item: Literal["text", "upload"] = "text"
    without: str = ""
    prefix: str = ""  # what always stands before the input
    local: bool = False


class CleanCalls(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Calls whose results hold no text of their arguments."""

    clean_calls: frozenset[str]
    clean_methods: frozenset[str]
    clean_prefixes: tuple[str, ...]


class LibraryModels:
    """Sources, sinks and patterns, indexed by the names that they apply to."""

    def __init__(self, rules: dict[str, ScanRule]) -> None:
        data = tomllib.loads(_FILE.read_text(encoding="utf-8"))
        self.rules = rules
        self.sources = msgspec.convert(data["request"], dict[str, InputSource])
        self.clean = msgspec.convert(data["models"], CleanCalls)
        self.prefixes = {path[: end.start()] for path in self.sources for end in re.finditer(r"\.|\(|$", path)}
        self.sinks: dict[str, list[tuple[ScanRule, Sink]]] = {}
        self.call_patterns: dict[str, list[tuple[ScanRule, Pattern]]] = {}
        self.assign_patterns: dict[str, list[tuple[ScanRule, Pattern]]] = {}
        self.reference_patterns: dict[str, list[tuple[ScanRule, Pattern]]] = {}
        self._consumers: set[str] = set()
        self.pages: set[str] = set()  # calls that build a response
        for rule in rules.values():
            for sink in rule.sink:
                if rule.id in _CONSUMING:
                    self._consumers.update(set(sink.call) - _PASSING)
                if "response" in rule.special:
                    self.pages.update(set(sink.call) - _PASSING)
                for name in sink.call:
                    self.sinks.setdefault(name, []).append((rule, sink))
            for pattern in rule.pattern:
                for names, index in (
                    (pattern.call, self.call_patterns),
                    (pattern.assign, self.assign_patterns),
                    (pattern.reference, self.reference_patterns),
                ):
                    for name in names:
                        index.setdefault(name, []).append((rule, pattern))

    def find_sinks(self, path: str) -> list[tuple[ScanRule, Sink]]:
        """Find the sinks that a call of this name may be."""
        return _look_up(self.sinks, path)

    def find_call_patterns(self, path: str) -> list[tuple[ScanRule, Pattern]]:
        """Find the patterns that look at a call of this name."""
        return _look_up(self.call_patterns, path)

    def is_clean(self, path: str) -> bool:
        """Tell whether the result of a call holds no text of its arguments."""
        clean = self.clean
        return (
            path in clean.clean_calls
            or path in self._consumers
            or any(part in path for part in _DATABASE_PARTS)
            or path.rpartition(".")[2] in clean.clean_methods
            or path.startswith(clean.clean_prefixes)
        )


def _look_up(index: dict[str, list[tuple[ScanRule, Model]]], path: str) -> list[tuple[ScanRule, Model]]:
    found = list(index.get(path, ()))
    receiver, _, method = path.rpartition(".")
    for rule, model in index.get(f"*.{method}", ()) if receiver or method else ():
        if not model.receiver or re.search(model.receiver, receiver, re.IGNORECASE):
            found.append((rule, model))
    return found


@cache
def load_models() -> LibraryModels:
    """Load the models of all rules once."""
    return LibraryModels(load_scan_rules())
