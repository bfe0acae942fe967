"""Commits of a pull request: those that the forge made itself, and the owners of the addresses in all of them."""

from collections.abc import Iterable, Iterator

from msgspec import Struct

from muniment.forges.gitea import wire
from muniment.forges.gitea.client import convert_account
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


def collect_commits(rows: Iterable[wire.ListedCommit], head: str, keys: tuple[str, str]) -> ChangeCommits:
    """Commits of a change with that head, from the API's rows.

    `keys`: the forge's own PGP and SSH key, "" for none.
    """
    listed = list(rows)
    own = tuple(one for row in listed if any(keys) and (one := find_own_commit(row, keys)) is not None)
    addresses = {address: owner for row in listed for address, owner in _iterate_owners(row)}
    owned = {*addresses, *(one.committer.casefold() for one in own)}
    whole = any(row.sha == head for row in listed)  # a list of before the push comes for a moment after
    settled = whole and owned.issuperset(one for row in listed for one in _iterate_addresses(row))
    return ChangeCommits(own, addresses, settled)


def find_own_commit(row: wire.ListedCommit, keys: tuple[str, str]) -> ForgeCommit | None:
    """Commit that the forge made: it verified the signature, by its own key, of an address that is no user's."""
    verification = row.commit.verification or wire.CommitVerification()
    committer = row.commit.committer.email if row.commit.committer else ""
    signer = verification.signer.email if verification.signer else ""
    by_forge = verification.verified is True and signer == committer
    if not by_forge or not committer or row.committer is not None:
        return None
    pgp, ssh = keys
    used = read_embedded_key(verification.signature or "")
    ours = used == ssh if used is not None else bool(pgp)
    return ForgeCommit(row.sha, committer) if ours else None


def _iterate_addresses(row: wire.ListedCommit) -> Iterator[str]:
    """Addresses of author and committer of a commit."""
    for role in (row.commit.author, row.commit.committer):
        yield role.email.casefold() if role else ""


def _iterate_owners(row: wire.ListedCommit) -> Iterator[tuple[str, Account]]:
    for role, user in ((row.commit.author, row.author), (row.commit.committer, row.committer)):
        if role is not None and role.email and user is not None and user.id > 0:
            yield role.email.casefold(), convert_account(user)
