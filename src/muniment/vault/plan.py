"""What the vault lacks of what Muniment needs, and the making of it with a person's own credential."""

import time
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Any

from msgspec import Struct

from muniment.errors import VaultCode, VaultError
from muniment.vault import layout
from muniment.vault.client import Session
from muniment.vault.failures import failed
from muniment.vault.pieces import Piece, Wanted

_TRIES, _PAUSE_SECONDS = 100, 0.05
_MOUNTS = ("sys/mounts/", "sys/auth/")


class Step(StrEnum):
    """What would be done."""

    MAKE = "make"
    CHANGE = "change"
    REMOVE = "remove"


class Difference(Struct, frozen=True):
    """One piece that is not as it should be: `fields` says in what. `there` is what stands there now."""

    step: Step
    piece: Piece
    fields: tuple[str, ...] = ()
    there: Mapping[str, Any] = {}

    def __str__(self) -> str:
        what = f" ({', '.join(self.fields)})" if self.fields else ""
        return f"{self.step} {self.piece.path}{what}"


def differences(session: Session, pieces: Iterable[Piece]) -> list[Difference]:
    """In the order in which they are to be made. Raises VaultError if any piece cannot be looked at."""
    mounts = {prefix: _mounts(session, prefix) for prefix in _MOUNTS}
    return [found for piece in pieces if (found := _difference(session, piece, mounts)) is not None]


def leftovers(session: Session, wanted: Wanted) -> list[Difference]:
    """What was made for pipelines that may no longer come in. Raises VaultError if it cannot be looked at."""
    mounts = {name.rstrip("/") for name in _mounts(session, "sys/auth/")}
    roles = {(one.mount, one.role) for one in wanted.entrances}
    policies = {layout.reading(one.product, one.environment) for one in wanted.entrances}
    found = [f"sys/auth/{name}" for name in mounts if name.startswith(layout.RUNNERS)]
    found = [path for path in found if path.removeprefix("sys/auth/") not in {mount for mount, _ in roles}]
    for mount in sorted(mounts & set(layout.ISSUERS)):
        names = session.listed(f"auth/{mount}/role")
        found += [f"auth/{mount}/role/{name}" for name in names if (mount, name) not in roles]
    names = session.listed("sys/policies/acl")
    found += [f"sys/policies/acl/{name}" for name in names if name.startswith(layout.READING) and name not in policies]
    return [Difference(Step.REMOVE, Piece(path, {})) for path in found]


def apply(session: Session, found: Iterable[Difference]) -> None:
    """Make them so, with the session of a person who may. Raises VaultError at the first that is refused.

    It leaves as they are what Muniment itself opens and shuts, and what is a mount's already.
    """
    for one in found:
        if one.step is Step.REMOVE:
            session.request("DELETE", one.piece.path)
            continue
        left_out = one.piece.leaves if one.step is Step.CHANGE else frozenset()
        _make(session, one.piece.path, {k: v for k, v in one.piece.data.items() if k not in left_out})


def _make(session: Session, path: str, data: dict[str, Any]) -> None:
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
    raise failed(VaultCode.BUSY)


def _difference(session: Session, piece: Piece, mounts: dict[str, dict[str, Any]]) -> Difference | None:
    prefix = next((one for one in _MOUNTS if piece.path.startswith(one)), None)
    if prefix is not None:
        there = mounts[prefix].get(piece.path.removeprefix(prefix) + "/")
        return _compared(piece, there if isinstance(there, dict) else None)
    if _unmounted(piece.path, mounts):
        return Difference(Step.MAKE, piece)
    try:
        there = session.request("GET", piece.path).get("data")
    except VaultError as error:
        if error.code is not VaultCode.MISSING:
            raise
        there = None
    return _compared(piece, there if isinstance(there, dict) else None)


def _compared(piece: Piece, there: dict[str, Any] | None) -> Difference | None:
    if there is None:
        return Difference(Step.MAKE, piece)
    fields = tuple(
        name for name, value in piece.data.items() if name not in piece.leaves and not _same(value, there.get(name))
    )
    return Difference(Step.CHANGE, piece, fields, there) if fields else None


def _same(wanted: Any, there: Any) -> bool:
    """The vault writes a policy without its last line's end, and options beside those that were named."""
    if isinstance(wanted, str) and isinstance(there, str):
        return wanted.strip() == there.strip()
    if isinstance(wanted, dict) and isinstance(there, dict) and "version" in wanted:
        return all(there.get(name) == value for name, value in wanted.items())
    if isinstance(wanted, list) and isinstance(there, list):
        return len(wanted) == len(there) and all(map(_same, wanted, there))
    return bool(wanted == there)


def _unmounted(path: str, mounts: dict[str, dict[str, Any]]) -> bool:
    """Whether it is on a mount that is still to be made: the vault would refuse to say."""
    if path.startswith("sys/"):
        return False
    first, second = (path + "/").split("/")[:2]
    return f"{second}/" not in mounts["sys/auth/"] if first == "auth" else f"{first}/" not in mounts["sys/mounts/"]


def _mounts(session: Session, prefix: str) -> dict[str, Any]:
    found = session.request("GET", prefix.rstrip("/")).get("data")
    if not isinstance(found, dict):
        raise VaultError(VaultCode.FAILED, "the vault does not say what it has mounted", "Try again.")
    return found
