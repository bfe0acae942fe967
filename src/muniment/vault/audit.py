"""Reads the vault's audit log: who read secrets, and who changed the vault. It contains digests of values, no value."""

import json
import os
from collections.abc import Iterator
from datetime import datetime
from enum import StrEnum
from pathlib import Path

import msgspec.structs
from msgspec import Struct

from muniment.vault import layout
from muniment.vault.audit_lines import DamageDating, LogLine, iterate_lines
from muniment.vault.pipeline_roles import UNIQUE_CLAIM

_PREFIX = f"{layout.SECRETS}/data/"
_FORGES_PREFIX = f"{layout.FORGES}/data/"
_PREFIX_BYTES = _PREFIX.encode()
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


class LoggedRead(Struct, frozen=True):
    """Reading of secrets that the vault answered. `person`: the reader signed in with a person's credential.

    `pipeline`: the reader has the role of this environment's pipelines, and their policy alone.
    """

    time: str
    place: str
    who: str
    pipeline: bool
    person: bool


class AuditEventKind(StrEnum):
    """Kind of an event in the log that the watch reports or checks."""

    PRODUCT_READ = "product-read"  # of a product's secrets, by anything but its environment's pipeline
    FORGE_READ = "forge-read"  # of a forge's credentials, by anything but our worker
    CONFIGURATION_WRITE = "configuration-write"
    SIGN_IN = "sign-in"  # of a pipeline whose tokens are for one sign-in


class AuditEvent(Struct, frozen=True):
    """Event that the watch reports or checks. `path` is the place of a reading, or the path that was written.

    `token` tells the tokens of sign-ins apart; it is none.
    """

    kind: AuditEventKind
    time: str  # RFC 3339, UTC, nanoseconds
    request: str
    path: str
    who: str
    token: str = ""


class AuditLogError(Exception):
    """The log, or a line of it, cannot be read."""


def list_log_files(log: Path) -> list[Path]:
    """Paths of the log and of its rotated files, oldest first."""
    aside = sorted(log.parent.glob(f"{log.name}.*"))
    return [file for file in (*aside, log) if file.exists()]


def find_first_time(log: Path) -> str:
    """Time of the log's first whole line: the log is complete from then on. Raises AuditLogError."""
    for file in list_log_files(log):
        for line in read_lines(file):
            if find_line_time(line) is not None:
                return _get_text(decode_line(line), "time")
    raise AuditLogError("it is empty")


def find_reads(log: Path, namespace: str = "", examined_until: datetime | None = None) -> Iterator[LoggedRead]:
    """Every reading of a secret in that namespace of the vault. Raises AuditLogError instead of leaving one out.

    Damaged lines until `examined_until` are left out: a person examined what they may have hidden.
    """
    dating = DamageDating(find_line_time)
    for file in list_log_files(log):
        for line in read_lines(file):
            try:
                found = find_read(line, namespace)
            except AuditLogError:
                if not is_examined(dating.find_moment(), examined_until):
                    raise
            else:
                if found is not None:
                    yield found
            dating.add_line(line)


def is_examined(damaged_at: datetime | None, examined_until: datetime | None) -> bool:
    """Whether damage after that moment was examined; None is before the log's first whole line, and never."""
    return examined_until is not None and (damaged_at is None or damaged_at <= examined_until)


def find_read(line: LogLine, namespace: str = "") -> LoggedRead | None:
    """Find the reading of secrets in that namespace that a line records, if any. Raises AuditLogError."""
    if _PREFIX_BYTES not in line.data and not line.is_overlong:
        return None
    entry = decode_line(line)
    return _find_entry_read(entry) if _entry_namespace(entry) == namespace else None


def find_line_time(line: LogLine) -> datetime | None:
    """Time at which a line was written; None for a damaged one."""
    try:
        return entry_time(decode_line(line))
    except AuditLogError:
        return None


def read_lines(file: Path, start: int = 0) -> Iterator[LogLine]:
    """Complete lines from byte `start` on: the last one may not be written yet. Raises AuditLogError."""
    try:
        with file.open("rb") as stream:
            stream.seek(start)
            yield from iterate_lines(stream)
    except OSError as error:
        raise AuditLogError(os.strerror(error.errno or 0)) from error


def find_event(entry: dict[str, object], namespace: str = "") -> AuditEvent | None:
    """Find the event that an entry means to the watch; None for an expected, refused or pending one.

    Muniment's paths are in `namespace`. A write to the vault's root concerns all namespaces. Whether a configuration
    was written by plan, the entry does not tell. Raises AuditLogError for an entry of another form.
    """
    request, auth = _get_object(entry, "request"), _find_auth(entry)
    if entry.get("type") != "response" or entry.get("error") or _entry_namespace(entry) not in (namespace, ""):
        return None
    path, operation = _get_text(request, "path").lstrip("/"), _get_text(request, "operation")
    if operation == "read" and _entry_namespace(entry) != namespace:
        return None
    if (mount := _find_sign_in_mount(path)) and _entry_namespace(entry) == namespace:
        place = _role_name(auth).replace(".", "/")
        event = AuditEvent(AuditEventKind.SIGN_IN, _get_text(entry, "time"), _get_text(request, "id"), place, mount)
        return msgspec.structs.replace(event, token=f"{mount} {_identify_token(request, auth)}")
    if operation == "read":
        kind = _kind_of_read(path, auth)
    else:
        kind = AuditEventKind.CONFIGURATION_WRITE if _is_configuration(path, operation, auth) else None
    if kind is None:
        return None
    subject = path.removeprefix(_PREFIX) if kind is AuditEventKind.PRODUCT_READ else path
    return AuditEvent(kind, _get_text(entry, "time"), _get_text(request, "id"), subject, _display_name(auth))


def identify_entry(entry: dict[str, object]) -> str:
    """Identify an entry: equal for the lines in which two audit devices record the same. Raises AuditLogError."""
    return f"{_get_text(_get_object(entry, 'request'), 'id')}:{_get_text(entry, 'type')}"


def decode_line(line: LogLine) -> dict[str, object]:
    """Decode one line of the log. Raises AuditLogError."""
    if line.is_overlong:
        raise AuditLogError("a line is too long")
    try:
        found = json.loads(line.data)
    except (ValueError, RecursionError):
        raise AuditLogError("a line is damaged") from None
    if not isinstance(found, dict):
        raise AuditLogError("a line is damaged")
    return found


def parse_log_time(time: str) -> datetime:
    """Parse the time of an entry; nanoseconds are cut to microseconds. Raises ValueError for another form."""
    return datetime.fromisoformat(time[:26].rstrip("Z") + "+00:00")


def _find_sign_in_mount(path: str) -> str:
    """Mount of a sign-in whose tokens are asked for anew each time; "" for any other path."""
    first, _, rest = path.partition("/")
    mount, _, what = rest.partition("/")
    is_ours = mount == layout.GITHUB or mount.startswith(layout.RUNNERS_PREFIX)
    return mount if first == "auth" and what == "login" and is_ours else ""


def _identify_token(request: dict[str, object], auth: dict[str, object]) -> str:
    """Identify the token of a sign-in: by its own id, as an ECDSA signature has a second form that is valid too.

    A token without an id is identified by its digest, which differs between audit devices.
    """
    metadata = _get_object(auth, "metadata")
    return str(metadata.get(UNIQUE_CLAIM) or _get_object(request, "data").get("jwt", ""))


def _kind_of_read(path: str, auth: dict[str, object]) -> AuditEventKind | None:
    if path.startswith(_PREFIX):
        return None if _is_pipeline(path.removeprefix(_PREFIX), auth) else AuditEventKind.PRODUCT_READ
    if path.startswith(_FORGES_PREFIX):
        return None if _is_worker(auth) else AuditEventKind.FORGE_READ
    return None


def _is_configuration(path: str, operation: str, auth: dict[str, object]) -> bool:
    """Whether a write concerns policies, users, roles, keys, mounts, audit devices, or an unknown path."""
    if operation not in _WRITES or any(path.startswith(harmless) for harmless in _HARMLESS_PATHS):
        return False
    first, _, rest = path.partition("/")
    if first == "auth" and rest.partition("/")[2].split("/")[0] == "login":
        return False
    # The vault lets our worker write nothing but the claims of roles, and end what they gave out.
    own = path.startswith(("auth/", "sys/leases/revoke-prefix/auth/")) and _is_worker(auth)
    return not own


def _is_worker(auth: dict[str, object]) -> bool:
    return (
        _policy_names(auth) == {layout.WORKER}
        and _role_name(auth) == layout.WORKER
        and _signed_in_at(auth, layout.WORKER)
    )


def _is_pipeline(place: str, auth: dict[str, object]) -> bool:
    """Whether the role of this environment's pipelines gave the token.

    The policy alone does not show it: an administrator of the vault can make a user who has it.
    """
    role = place.replace("/", ".")
    mounts = (*layout.ISSUERS, layout.RUNNERS_PREFIX + role)
    known = _policy_names(auth) == {layout.READING_PREFIX + role} and _role_name(auth) == role
    return known and any(_signed_in_at(auth, mount) for mount in mounts)


def _signed_in_at(auth: dict[str, object], mount: str) -> bool:
    return str(auth.get("display_name", "")).startswith(f"{mount}-")


def _policy_names(auth: dict[str, object]) -> set[str]:
    policies = auth.get("policies")
    return set(map(str, policies)) if isinstance(policies, list) else set()


def _role_name(auth: dict[str, object]) -> str:
    metadata = auth.get("metadata")
    return str(metadata.get("role", "")) if isinstance(metadata, dict) else ""


def make_name_prefix(namespace: str) -> str:
    """How the vault begins the names of who signed in at a mount of a namespace; "" for the root."""
    return f"{namespace.replace('/', '-')}-auth-" if namespace else ""


def _find_auth(entry: dict[str, object]) -> dict[str, object]:
    """Find who sent the request of an entry, by the name that one at the same mount of the root has.

    A token of another namespace, which may work here too, gets a name that no mount of ours gives.
    """
    auth, prefix = _get_object(entry, "auth"), make_name_prefix(_entry_namespace(entry))
    name = str(auth.get("display_name") or "")
    if not prefix or not name:
        return auth
    return auth | {"display_name": name.removeprefix(prefix) if name.startswith(prefix) else f"token:{name}"}


def _display_name(auth: dict[str, object]) -> str:
    return str(auth.get("display_name") or "a token without a name")


def _find_entry_read(entry: dict[str, object]) -> LoggedRead | None:
    """Find the reading that an entry records; None for a request, a refusal or a write."""
    request, auth = _get_object(entry, "request"), _find_auth(entry)
    path = str(request.get("path", ""))
    answered = entry.get("type") == "response" and not entry.get("error")
    if not answered or request.get("operation") != "read" or not path.startswith(_PREFIX):
        return None
    if not entry.get("response"):
        return None  # there was nothing at that path
    place = path.removeprefix(_PREFIX)
    return LoggedRead(
        time=_get_text(entry, "time"),
        place=place,
        who=_display_name(auth),
        pipeline=_is_pipeline(place, auth),
        person=_signed_in_at(auth, layout.PEOPLE_MOUNT),
    )


def _entry_namespace(entry: dict[str, object]) -> str:
    """Namespace of an entry, "" for the root. Raises AuditLogError."""
    found = _get_object(_get_object(entry, "request"), "namespace").get("path", "")
    if not isinstance(found, str):
        raise AuditLogError("the namespace of a line has another form")
    return found.strip("/")


def _get_object(entry: dict[str, object], name: str) -> dict[str, object]:
    found = entry.get(name)
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise AuditLogError(f"the {name} of a line has another form")
    return found


def entry_time(entry: dict[str, object]) -> datetime:
    """Time at which an entry was written. Raises AuditLogError."""
    try:
        return parse_log_time(_get_text(entry, "time"))
    except ValueError:
        raise AuditLogError("a time has another form") from None


def _get_text(entry: dict[str, object], name: str) -> str:
    found = entry.get(name)
    if not isinstance(found, str):
        raise AuditLogError(f"a line has no {name}")
    return found
