"""Opens the door of an environment for one commit, and shuts it: all of a role that Muniment's worker may write.

What an identity's claims must be is replaced as a whole; its subject, audience and policy stand as a person wrote
them, and the vault refuses to have them written here.
"""

import re
from collections.abc import Iterable

from muniment.errors import VaultCode, VaultError
from muniment.vault.client import Session
from muniment.vault.entrances import Entrance
from muniment.vault.pieces import shut

_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")


def open_role(session: Session, entrance: Entrance, *commits: str, runs: Iterable[str] = ()) -> None:
    """Whoever is of one of those commits may sign in, until `close_role`. Raises VaultError; then it is as it was.

    With `runs`, only those runs may, by the id that their issuer gave them.

    ValueError for a role that is not opened by commit, and for what is no commit.
    """
    if not entrance.opens:
        raise ValueError(f"the role of {entrance.issuer} says once and for all who may sign in")
    if not commits or not all(map(_COMMIT.fullmatch, commits)):
        raise ValueError("no commit")
    _write(session, entrance, entrance.bound(*commits, runs=runs))


def close_role(session: Session, entrance: Entrance) -> None:
    """Nobody may sign in any more. Raises VaultError; then it may still be open."""
    if entrance.opens:
        _write(session, entrance, shut())


def is_open(session: Session, entrance: Entrance, commit: str) -> bool:
    """Whether it is open for exactly that commit. Raises VaultError."""
    found = session.request("GET", f"auth/{entrance.mount}/role/{entrance.role}").get("data") or {}
    return bool(found.get("bound_claims") == entrance.bound(commit))


def end_tokens(session: Session, entrances: tuple[Entrance, ...]) -> None:
    """End every token that pipelines got through these, as when all is frozen. Raises VaultError for the first."""
    for mount in sorted({one.mount for one in entrances if one.opens}):
        session.request("POST", f"sys/leases/revoke-prefix/auth/{mount}/login", {})


def _write(session: Session, entrance: Entrance, claims: dict[str, list[str]]) -> None:
    path = f"auth/{entrance.mount}/role/{entrance.role}"
    try:
        session.request("POST", path, {"role_type": "jwt", "bound_claims": claims})
    except VaultError as error:
        if error.code is not VaultCode.REFUSED:
            raise
        raise VaultError(
            error.code,
            f"the vault has no role {entrance.role} that Muniment may open",
            "Somebody with a vault credential of their own makes it: muniment vault apply",
        ) from None
