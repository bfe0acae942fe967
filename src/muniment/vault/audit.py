"""Reads the vault's audit log: who read which environment's secrets, and when. It holds digests of values, no value."""

import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from msgspec import Struct

from muniment.vault import layout

_PREFIX = f"{layout.SECRETS}/data/"
_MARK = _PREFIX.encode()
_LARGEST_LINE = 1 << 20


class Read(Struct, frozen=True):
    """One reading that the vault answered. `person`: somebody signed in by a credential of people's.

    `pipeline`: by the policy that pipelines of this environment have, and by no other.
    """

    time: str
    place: str
    who: str
    pipeline: bool
    person: bool


class Broken(Exception):
    """The log cannot be read, or a line of it is none."""


def files(log: Path) -> list[Path]:
    """The log and those that it was put aside to, oldest first."""
    aside = sorted(log.parent.glob(f"{log.name}.*"))
    return [file for file in (*aside, log) if file.exists()]


def since(log: Path) -> str:
    """The moment of its first line: from then on it is whole. Raises Broken."""
    for file in files(log):
        for line in _lines(file):
            return _text(_decoded(line), "time")
    raise Broken("it is empty")


def reads(log: Path) -> Iterator[Read]:
    """Every reading of a secret. Raises Broken rather than leave one out."""
    for file in files(log):
        for line in _lines(file):
            if _MARK in line:
                found = _read(_decoded(line))
                if found is not None:
                    yield found


def _read(entry: dict[str, Any]) -> Read | None:
    """None for what read nothing: a request, a refusal, a writing."""
    request, auth = entry.get("request") or {}, entry.get("auth") or {}
    path = str(request.get("path", ""))
    answered = entry.get("type") == "response" and not entry.get("error")
    if not answered or request.get("operation") != "read" or not path.startswith(_PREFIX):
        return None
    if not entry.get("response"):
        return None  # there was nothing at that path
    place = path.removeprefix(_PREFIX)
    policies = set(auth.get("policies") or ())
    return Read(
        time=_text(entry, "time"),
        place=place,
        who=str(auth.get("display_name") or "a token without a name"),
        pipeline=policies == {layout.READING + place.replace("/", ".")},
        person=str(auth.get("display_name", "")).startswith(f"{layout.PEOPLE}-"),
    )


def _lines(file: Path) -> Iterable[bytes]:
    """Whole lines: the last may be under way."""
    try:
        with file.open("rb") as stream:
            while line := stream.readline(_LARGEST_LINE):
                if line.endswith(b"\n"):
                    yield line
                elif len(line) == _LARGEST_LINE:
                    raise Broken("a line is too long")
    except OSError as error:
        raise Broken(os.strerror(error.errno or 0)) from error


def _decoded(line: bytes) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except ValueError:
        raise Broken("a line is damaged") from None
    if not isinstance(found, dict):
        raise Broken("a line is damaged")
    return found


def _text(entry: dict[str, Any], name: str) -> str:
    found = entry.get(name)
    if not isinstance(found, str):
        raise Broken(f"a line has no {name}")
    return found
