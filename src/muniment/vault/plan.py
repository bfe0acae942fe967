"""Plan of the vault: the differences from the state that Muniment needs, and their application by a person."""

import time
from collections.abc import Iterable, Mapping
from enum import StrEnum

from msgspec import Struct

from muniment.errors import VaultCode, VaultError
from muniment.vault import layout
from muniment.vault.failures import vault_error
from muniment.vault.vault_client import Session
from muniment.vault.vault_resources import DesiredState, VaultResource

_TRIES, _PAUSE_SECONDS = 100, 0.05
_MOUNTS = ("sys/mounts/", "sys/auth/")


class PlannedAction(StrEnum):
    """Action of a plan on one resource."""

    MAKE = "make"
    CHANGE = "change"
    REMOVE = "remove"


class ResourceDifference(Struct, frozen=True):
    """Resource that differs from the desired one, in `fields`. `there` are its present fields."""

    step: PlannedAction
    piece: VaultResource
    fields: tuple[str, ...] = ()
    there: Mapping[str, object] = {}

    def __str__(self) -> str:
        what = f" ({', '.join(self.fields)})" if self.fields else ""
        return f"{self.step} {self.piece.path}{what}"


def find_resource_differences(session: Session, pieces: Iterable[VaultResource]) -> list[ResourceDifference]:
    """Find the differences, in the order in which they are to be made. Raises VaultError if any resource cannot be
    read.
    """
    mounts = {prefix: _read_mounts(session, prefix) for prefix in _MOUNTS}
    return [found for piece in pieces if (found := _find_difference(session, piece, mounts)) is not None]


def find_leftovers(session: Session, wanted: DesiredState) -> list[ResourceDifference]:
    """Find resources of pipelines that are no longer admitted. Raises VaultError if they cannot be read."""
    mounts = {name.rstrip("/") for name in _read_mounts(session, "sys/auth/")}
    roles = {(one.mount, one.role) for one in wanted.entrances}
    policies = {layout.reading_policy_name(one.product, one.environment) for one in wanted.entrances}
    found = [f"sys/auth/{name}" for name in mounts if name.startswith(layout.RUNNERS_PREFIX)]
    found = [path for path in found if path.removeprefix("sys/auth/") not in {mount for mount, _ in roles}]
    for mount in sorted(mounts & set(layout.ISSUERS)):
        names = session.list_names(f"auth/{mount}/role")
        found += [f"auth/{mount}/role/{name}" for name in names if (mount, name) not in roles]
    names = session.list_names("sys/policies/acl")
    found += [
        f"sys/policies/acl/{name}" for name in names if name.startswith(layout.READING_PREFIX) and name not in policies
    ]
    return [ResourceDifference(PlannedAction.REMOVE, VaultResource(path, {})) for path in found]


def apply_differences(session: Session, found: Iterable[ResourceDifference]) -> None:
    """Make the resources as desired, with the session of a person who may. Raises VaultError at the first that is
    refused.

    Fields that Muniment itself opens and closes, and existing mounts, stay as they are.
    """
    for one in found:
        if one.step is PlannedAction.REMOVE:
            session.request("DELETE", one.piece.path)
            continue
        left_out = one.piece.leaves if one.step is PlannedAction.CHANGE else frozenset()
        _write_resource(session, one.piece.path, {k: v for k, v in one.piece.data.items() if k not in left_out})


def _write_resource(session: Session, path: str, data: dict[str, object]) -> None:
    for _ in range(_TRIES):
        try:
            session.request("POST", path, data)
        except VaultError as error:
            if error.code is VaultCode.REFUSED:
                remedy = "See that this credential may, that the address of an issuer answers, and the vault's own log."
                raise VaultError(error.code, f"the vault does not take {path}", remedy) from None
            if error.code is not VaultCode.BUSY:
                raise
            time.sleep(_PAUSE_SECONDS)
        else:
            return
    raise vault_error(VaultCode.BUSY)


def _find_difference(
    session: Session, piece: VaultResource, mounts: dict[str, dict[str, object]]
) -> ResourceDifference | None:
    prefix = next((one for one in _MOUNTS if piece.path.startswith(one)), None)
    if prefix is not None:
        there = mounts[prefix].get(piece.path.removeprefix(prefix) + "/")
        return _compare_resource(piece, there if isinstance(there, dict) else None)
    if _is_unmounted(piece.path, mounts):
        return ResourceDifference(PlannedAction.MAKE, piece)
    try:
        there = session.request("GET", piece.path).get("data")
    except VaultError as error:
        if error.code is not VaultCode.MISSING and not (piece.needs_policy and error.code is VaultCode.REFUSED):
            raise
        there = None
    return _compare_resource(piece, there if isinstance(there, dict) else None)


def _compare_resource(piece: VaultResource, there: dict[str, object] | None) -> ResourceDifference | None:
    if there is None:
        return ResourceDifference(PlannedAction.MAKE, piece)
    fields = tuple(
        name for name, value in piece.data.items() if name not in piece.leaves and not _is_same(value, there.get(name))
    )
    return ResourceDifference(PlannedAction.CHANGE, piece, fields, there) if fields else None


def _is_same(wanted: object, there: object) -> bool:
    """Whether two values mean the same. The vault drops a policy's last line break, and adds options that were not
    named.
    """
    if isinstance(wanted, str) and isinstance(there, str):
        return wanted.strip() == there.strip()
    if isinstance(wanted, dict) and isinstance(there, dict) and "version" in wanted:
        return all(there.get(name) == value for name, value in wanted.items())
    if isinstance(wanted, list) and isinstance(there, list):
        return len(wanted) == len(there) and all(map(_is_same, wanted, there))
    return bool(wanted == there)


def _is_unmounted(path: str, mounts: dict[str, dict[str, object]]) -> bool:
    """Whether the path is on a mount that is not made yet: the vault would refuse to read it."""
    if path.startswith("sys/"):
        return False
    first, second = (path + "/").split("/")[:2]
    return f"{second}/" not in mounts["sys/auth/"] if first == "auth" else f"{first}/" not in mounts["sys/mounts/"]


def _read_mounts(session: Session, prefix: str) -> dict[str, object]:
    found = session.request("GET", prefix.rstrip("/")).get("data")
    if not isinstance(found, dict):
        raise VaultError(VaultCode.FAILED, "the vault does not say what it has mounted", "Try again.")
    return found
