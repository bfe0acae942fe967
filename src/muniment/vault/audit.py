"""Reads the vault's audit log: who read secrets, and who changed the vault. It holds digests of values, no value."""

import json
import os
from collections.abc import Iterable, Iterator
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from msgspec import Struct

from muniment.vault import layout

_PREFIX = f"{layout.SECRETS}/data/"
_FORGES_PREFIX = f"{layout.FORGES}/data/"
_MARK = _PREFIX.encode()
_LARGEST_LINE = 1 << 20
_WRITES = frozenset({"create", "update", "patch", "delete", "revoke", "renew", "rollback"})
# Writes that change neither who may do what nor what is logged: sign-ins, values, and what a token does about itself.
_HARMLESS_PATHS = (
    *(f"{mount}/{part}/" for mount in (layout.SECRETS, layout.FORGES) for part in ("data", "metadata", "delete")),
    "auth/token/lookup",
    "auth/token/renew-self",
    "auth/token/revoke-self",
    "sys/capabilities",
    "sys/internal/",
    "sys/wrapping/lookup",
)


class Read(Struct, frozen=True):
    """One reading that the vault answered. `person`: somebody signed in by a credential of people's.

    `pipeline`: by a role that this environment's pipelines have, and with their policy alone.
    """

    time: str
    place: str
    who: str
    pipeline: bool
    person: bool


class EventKind(StrEnum):
    """What an entry of the log can mean to the watch."""

    PRODUCT_READ = "product-read"  # of a product's secrets, by anything but its environment's pipeline
    FORGE_READ = "forge-read"  # of a forge's credentials, by anything but our worker
    CONFIGURATION_WRITE = "configuration-write"


class Event(Struct, frozen=True):
    """What the watch reports or checks. `path` is the place of a reading, or the path that was written."""

    kind: EventKind
    time: str  # RFC 3339, UTC, nanoseconds
    request: str
    path: str
    who: str


class Broken(Exception):
    """The log cannot be read, or a line of it is none."""


def files(log: Path) -> list[Path]:
    """The log and those that it was put aside to, oldest first."""
    aside = sorted(log.parent.glob(f"{log.name}.*"))
    return [file for file in (*aside, log) if file.exists()]


def since(log: Path) -> str:
    """The moment of its first line: from then on it is whole. Raises Broken."""
    for file in files(log):
        for line in lines(file):
            return _text(decode_line(line), "time")
    raise Broken("it is empty")


def reads(log: Path, namespace: str = "") -> Iterator[Read]:
    """Every reading of a secret in that namespace of the vault. Raises Broken rather than leave one out."""
    for file in files(log):
        for line in lines(file):
            found = find_read(line, namespace)
            if found is not None:
                yield found


def find_read(line: bytes, namespace: str = "") -> Read | None:
    """The reading of secrets in that namespace that a line tells of, if any. Raises Broken."""
    if _MARK not in line:
        return None
    entry = decode_line(line)
    return _read(entry) if _namespace(entry) == namespace else None


def lines(file: Path, start: int = 0) -> Iterable[bytes]:
    """Whole lines from byte `start` on: the last may be under way. Raises Broken."""
    try:
        with file.open("rb") as stream:
            stream.seek(start)
            while line := stream.readline(_LARGEST_LINE):
                if line.endswith(b"\n"):
                    yield line
                elif len(line) == _LARGEST_LINE:
                    raise Broken("a line is too long")
    except OSError as error:
        raise Broken(os.strerror(error.errno or 0)) from error


def find_event(entry: dict[str, Any], namespace: str = "") -> Event | None:
    """What an entry means to the watch; None for what is as it should be, was refused, or is a question only.

    Muniment's paths are in `namespace`. What is written to the vault's root concerns all namespaces.
    Whether a configuration was written by plan the entry cannot tell. Raises Broken for one of another form.
    """
    request, auth = _struct(entry, "request"), _struct(entry, "auth")
    if entry.get("type") != "response" or entry.get("error") or _namespace(entry) not in (namespace, ""):
        return None
    path, operation = _text(request, "path").lstrip("/"), _text(request, "operation")
    if operation == "read" and _namespace(entry) != namespace:
        return None
    if operation == "read":
        kind = _kind_of_read(path, auth)
    else:
        kind = EventKind.CONFIGURATION_WRITE if _is_configuration(path, operation, auth) else None
    if kind is None:
        return None
    shown = path.removeprefix(_PREFIX) if kind is EventKind.PRODUCT_READ else path
    return Event(kind, _text(entry, "time"), _text(request, "id"), shown, _who(auth))


def identify_entry(entry: dict[str, Any]) -> str:
    """What is equal for the lines in which two audit devices tell of the same. Raises Broken."""
    return f"{_text(_struct(entry, 'request'), 'id')}:{_text(entry, 'type')}"


def decode_line(line: bytes) -> dict[str, Any]:
    """One line of the log. Raises Broken."""
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        raise Broken("a line is damaged") from None
    if not isinstance(found, dict):
        raise Broken("a line is damaged")
    return found


def parse_moment(time: str) -> datetime:
    """The time of an entry, whose nanoseconds are cut to microseconds. Raises ValueError for one of another form."""
    return datetime.fromisoformat(time[:26].rstrip("Z") + "+00:00")


def _kind_of_read(path: str, auth: dict[str, Any]) -> EventKind | None:
    if path.startswith(_PREFIX):
        return None if _is_pipeline(path.removeprefix(_PREFIX), auth) else EventKind.PRODUCT_READ
    if path.startswith(_FORGES_PREFIX):
        return None if _is_worker(auth) else EventKind.FORGE_READ
    return None


def _is_configuration(path: str, operation: str, auth: dict[str, Any]) -> bool:
    """Whether somebody wrote policies, users, roles, keys, mounts, audit devices, or what we do not know."""
    if operation not in _WRITES or any(path.startswith(harmless) for harmless in _HARMLESS_PATHS):
        return False
    first, _, rest = path.partition("/")
    if first == "auth" and rest.partition("/")[2].split("/")[0] == "login":
        return False
    # The vault lets our worker write nothing but the claims of roles, and end what they gave out.
    own = path.startswith(("auth/", "sys/leases/revoke-prefix/auth/")) and _is_worker(auth)
    return not own


def _is_worker(auth: dict[str, Any]) -> bool:
    return _policies(auth) == {layout.WORKER} and _role(auth) == layout.WORKER and _signed_in_at(auth, layout.WORKER)


def _is_pipeline(place: str, auth: dict[str, Any]) -> bool:
    """Whether the role of this environment's pipelines gave the token. Its policy alone does not show it: whoever
    administers the vault can make a user who has it.
    """
    role = place.replace("/", ".")
    mounts = (*layout.ISSUERS, layout.RUNNERS + role)
    known = _policies(auth) == {layout.READING + role} and _role(auth) == role
    return known and any(_signed_in_at(auth, mount) for mount in mounts)


def _signed_in_at(auth: dict[str, Any], mount: str) -> bool:
    return str(auth.get("display_name", "")).startswith(f"{mount}-")


def _policies(auth: dict[str, Any]) -> set[str]:
    return set(map(str, auth.get("policies") or ()))


def _role(auth: dict[str, Any]) -> str:
    metadata = auth.get("metadata")
    return str(metadata.get("role", "")) if isinstance(metadata, dict) else ""


def _who(auth: dict[str, Any]) -> str:
    return str(auth.get("display_name") or "a token without a name")


def _read(entry: dict[str, Any]) -> Read | None:
    """None for what read nothing: a request, a refusal, a writing."""
    request, auth = _struct(entry, "request"), _struct(entry, "auth")
    path = str(request.get("path", ""))
    answered = entry.get("type") == "response" and not entry.get("error")
    if not answered or request.get("operation") != "read" or not path.startswith(_PREFIX):
        return None
    if not entry.get("response"):
        return None  # there was nothing at that path
    place = path.removeprefix(_PREFIX)
    return Read(
        time=_text(entry, "time"),
        place=place,
        who=_who(auth),
        pipeline=_is_pipeline(place, auth),
        person=_signed_in_at(auth, layout.PEOPLE),
    )


def _namespace(entry: dict[str, Any]) -> str:
    """The namespace that an entry is about, "" for the root. Raises Broken."""
    found = _struct(_struct(entry, "request"), "namespace").get("path", "")
    if not isinstance(found, str):
        raise Broken("the namespace of a line has another form")
    return found.strip("/")


def _struct(entry: dict[str, Any], name: str) -> dict[str, Any]:
    found = entry.get(name)
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise Broken(f"the {name} of a line has another form")
    return found


def time_of(entry: dict[str, Any]) -> datetime:
    """When an entry was written. Raises Broken."""
    try:
        return parse_moment(_text(entry, "time"))
    except ValueError:
        raise Broken("a time has another form") from None


def _text(entry: dict[str, Any], name: str) -> str:
    found = entry.get(name)
    if not isinstance(found, str):
        raise Broken(f"a line has no {name}")
    return found
