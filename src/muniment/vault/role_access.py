"""Opens the vault role of an environment for one commit, and closes it: all of a role that Muniment's worker may write.

The conditions on an identity's claims are replaced as a whole; its subject, audience and policy stand as a person wrote
them, and the vault refuses to have them written here.
"""

import re
from collections.abc import Iterable

from muniment.errors import VaultCode, VaultError
from muniment.vault.pipeline_roles import PipelineRole
from muniment.vault.vault_client import Session
from muniment.vault.vault_resources import closed_claims

_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")


def open_role(session: Session, entrance: PipelineRole, *commits: str, runs: Iterable[str] = ()) -> None:
    """Let pipelines of one of those commits sign in, until `close_role`. Raises VaultError; then nothing was changed.

    With `runs`, only those runs may, by the id that their issuer gave them. ValueError for a role that is not opened by
    commit, and for a wrong commit.
    """
    if not entrance.is_opened_per_commit:
        raise ValueError(f"the role of {entrance.issuer} says once and for all who may sign in")
    if not commits or not all(map(_COMMIT.fullmatch, commits)):
        raise ValueError("no commit")
    _write_claims(session, entrance, entrance.bound_claims(*commits, runs=runs))


def close_role(session: Session, entrance: PipelineRole) -> None:
    """Let nobody sign in any more. Raises VaultError; then the role may still be open."""
    if entrance.is_opened_per_commit:
        _write_claims(session, entrance, closed_claims())


def is_open(session: Session, entrance: PipelineRole, commit: str) -> bool:
    """Whether the role is open for exactly that commit. Raises VaultError."""
    found = session.read_data(f"auth/{entrance.mount}/role/{entrance.role}")
    return bool(found.get("bound_claims") == entrance.bound_claims(commit))


def end_tokens(session: Session, entrances: tuple[PipelineRole, ...]) -> None:
    """End every token that pipelines got through these roles, as in a freeze. Raises VaultError for the first."""
    for mount in sorted({one.mount for one in entrances if one.is_opened_per_commit}):
        session.request("POST", f"sys/leases/revoke-prefix/auth/{mount}/login", {})


def _write_claims(session: Session, entrance: PipelineRole, claims: dict[str, list[str]]) -> None:
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
