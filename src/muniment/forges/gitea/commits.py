"""Commits of a pull request: those that the forge made itself, and the owners of the addresses in all of them."""

from collections.abc import Iterable, Iterator
from typing import Any

from msgspec import Struct

from muniment.forges.gitea.client import convert_account, require_field
from muniment.forges.shapes import Account, ForgeCommit
from muniment.git.signatures import read_embedded_key


class ChangeCommits(Struct, frozen=True):
    """The forge's answer about a change's commits: those of its own, and the owners of the addresses in them.

    The forge names a user who has verified the address. `settled`: every address has an owner or is the forge's, and
    the head is among the commits.
    """

    own: tuple[ForgeCommit, ...]
    addresses: dict[str, Account]
    settled: bool


def collect_commits(rows: Iterable[Any], head: str, keys: tuple[str, str], where: str) -> ChangeCommits:
    """Commits of a change with that head, from the API's rows. Raises MALFORMED.

    `keys`: the forge's own PGP and SSH key, "" for none.
    """
    listed = list(rows)
    own = tuple(one for row in listed if any(keys) and (one := _find_own_commit(row, keys, where)) is not None)
    addresses = {address: owner for row in listed for address, owner in _iterate_owners(row, where)}
    owned = {*addresses, *(one.committer.casefold() for one in own)}
    whole = any(row.get("sha") == head for row in listed)  # a list of before the push comes for a moment after
    settled = whole and owned.issuperset(one for row in listed for one in _iterate_addresses(row, where))
    return ChangeCommits(own, addresses, settled)


def _find_own_commit(row: Any, keys: tuple[str, str], where: str) -> ForgeCommit | None:
    """Commit that the forge made: it verified the signature, by its own key, of an address that is no user's."""
    commit = require_field(row, "commit", dict, where)
    verification = commit.get("verification") or {}
    committer = (commit.get("committer") or {}).get("email", "")
    by_forge = verification.get("verified") is True and (verification.get("signer") or {}).get("email") == committer
    if not by_forge or not committer or row.get("committer") is not None:
        return None
    pgp, ssh = keys
    used = read_embedded_key(str(verification.get("signature", "")))
    ours = used == ssh if used is not None else bool(pgp)
    return ForgeCommit(require_field(row, "sha", str, where), committer) if ours else None


def _iterate_addresses(row: Any, where: str) -> Iterator[str]:
    """Addresses of author and committer of a commit."""
    commit = require_field(row, "commit", dict, where)
    yield from (str((commit.get(role) or {}).get("email", "")).casefold() for role in ("author", "committer"))


def _iterate_owners(row: Any, where: str) -> Iterator[tuple[str, Account]]:
    commit = require_field(row, "commit", dict, where)
    for role in ("author", "committer"):
        address = (commit.get(role) or {}).get("email")
        if isinstance(address, str) and address and isinstance(row.get(role), dict):
            owner = convert_account(row[role], where)
            if int(owner.id) > 0:
                yield address.casefold(), owner
