"""Reads Gitea and Forgejo: each part of a change by the call that tells it whole, or Unknown with the reason.

The change and its timeline are read each time, and who may write; what they show to be as it was is not asked again.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, TypeVar

from msgspec import Struct

from muniment.errors import ForgeCode, ForgeError
from muniment.facts.maybe import Known, Maybe, Unknown
from muniment.facts.pipeline import ForgeSettings
from muniment.forges import pushed
from muniment.forges.gitea import moves, timeline
from muniment.forges.gitea.client import Gitea, account, branch, change, check, needed, place, repository, short
from muniment.forges.gitea.probes import probes
from muniment.forges.gitea.rules import effective
from muniment.forges.gitea.settings import settings
from muniment.forges.http import CONCERNS_ALL, Proof, elsewhere, malformed
from muniment.forges.learning import learnt, value
from muniment.forges.permission_checks import find_refused_requests
from muniment.forges.reviews import standing
from muniment.forges.rules import BranchRules, Tip
from muniment.forges.shapes import (
    NOT_ASKED,
    Ability,
    About,
    Account,
    Change,
    Check,
    ForgeCommit,
    ForgeHand,
    Group,
    Listed,
    Merging,
    Move,
    Reading,
    RefusedRequest,
    Repo,
    Retarget,
    Review,
    StandingReviews,
    State,
)
from muniment.git.signatures import embedded_key
from muniment.http.rate_limits import RateLimit

T = TypeVar("T")
Rows = tuple[Any, ...]

_WRITES = ("write", "admin", "owner")
_NEEDS = {  # what each takes: the permission on the repository
    Ability.READ: "pull",
    Ability.PERMISSIONS: "admin",
    Ability.RULES: "admin",
    Ability.STATUS: "push",
    Ability.COMMENT: "pull",
    Ability.PROTECT: "admin",
    Ability.HOOKS: "admin",
    Ability.PROPOSE: "push",
}


class GiteaReader:
    """See `forges.forge.Reader`. `now` gives the moment of a reading."""

    def __init__(self, gitea: Gitea, now: Callable[[], str]) -> None:
        self._gitea = gitea
        self._client = gitea.client
        self._now = now

    def about(self) -> About:
        return About(self._gitea.vendor, self._gitea.version, "", self._gitea.ours)

    def limits(self) -> Mapping[str, RateLimit]:
        """All rate limits of our account as last told, by resource."""
        return self._client.limits()

    def requests(self) -> Mapping[str, int]:
        return {self._client.resource: self._client.asked}

    def repositories(self) -> tuple[Listed, ...]:
        return tuple(_listed(row, "user/repos") for row in self._client.listed("user/repos", Proof.TOTAL))

    def repository(self, path: str) -> Listed:
        where = place(path)
        return _listed(self._client.get(where), where)

    def refused_requests(self, repository: Repo | None) -> tuple[RefusedRequest, ...]:
        return find_refused_requests(probes(self._gitea, repository))

    def changes(self, repository: Repo, state: State, since: str = "") -> tuple[Change, ...]:
        where = place(repository.path, "pulls")
        rows = self._client.listed(
            where,
            Proof.TOTAL,
            state="open" if state is State.OPEN else "closed",
            sort="recentupdate",
            until=lambda row: bool(since) and change(row, where).updated < since,
        )
        found = (change(row, where) for row in rows)
        return tuple(one for one in found if one.state is state and one.updated >= since)

    def change(self, repository: Repo, number: int) -> Change:
        where, row = self._pull(repository, number)
        return change(row, where)

    def _pull(self, repository: Repo, number: int) -> tuple[str, Any]:
        """A change as the API tells of it, and where. Raises REDIRECTED if it is one of another repository."""
        where = place(repository.path, "pulls", number)
        row = self._client.get(where)
        there = needed(needed(row, "base", dict, where), "repo", dict, where)
        if str(there.get("id")) != repository.id:
            raise elsewhere(repository.path)
        return where, row

    def read(self, repository: Repo, number: int, since: str = "") -> Reading:
        now = self._now()
        where, row = self._pull(repository, number)
        found = change(row, where)
        if found.updated < since:
            told = "the forge returned an older state of the change than before"
            raise ForgeError(ForgeCode.CHANGED_MEANWHILE, told, "It is read again.")
        events = learnt(lambda: self._timeline(repository, number))
        given = learnt(lambda: self._reviews(repository, found, value(events)))
        made = learnt(lambda: self._made(repository, found, row.get("merge_base")))
        return Reading(
            change=found,
            read_at=now,
            moves=learnt(lambda: self._moves(repository, found, events)),
            retargets=learnt(lambda: self._retargets(repository, number, events)),
            reviews=given,
            hands=learnt(lambda: self._requests(repository, number, events)),
            own_commits=learnt(lambda: value(made).own),
            writers=learnt(lambda: self._writers(repository, value(given))),
            checks=NOT_ASKED,
            merging=learnt(lambda: self._merging(repository, number, events)),
            addresses=learnt(lambda: value(made).addresses),
        )

    def tips(self, repository: Repo) -> tuple[Tip, ...]:
        where = place(repository.path, "branches")
        return tuple(_tip(row, where) for row in self._client.listed(where, Proof.TOTAL))

    def pushes(self, repository: Repo, ref: str, base: str, since: str) -> tuple[Move, ...]:
        where = place(repository.path, "activities", "feeds")
        rows = self._client.listed(where, Proof.TOTAL, until=lambda row: moves.over(row, ref, base, since, where))
        return tuple(move for move in moves.told(rows, ref, where) if not pushed.over(move, base, since))

    def all_pushes(self, repository: Repo | str, since: str) -> tuple[Move, ...]:
        path = repository if isinstance(repository, str) else repository.path
        where = place(path, "activities", "feeds")
        rows = self._client.listed(where, Proof.TOTAL, until=lambda row: moves.is_before(row, since, where))
        return moves.of_all_branches(rows, since, where)

    def tip(self, repository: Repo, ref: str) -> str:
        where = place(repository.path, "branches", short(ref))
        return _tip(self._client.get(where), where).commit

    def rules(self, repository: Repo, ref: str) -> BranchRules:
        return effective(self._gitea, repository, ref)[1]

    def settings(self, repository: Repo) -> ForgeSettings:
        return settings(self._gitea, repository)

    def statuses(self, repository: Repo, head: str, until: str = "") -> tuple[Check, ...]:
        where = place(repository.path, "commits", head, "statuses")
        rows = self._client.listed(where, Proof.TOTAL, sort="recentupdate")
        newest: dict[tuple[str, str], Check] = {}
        for row in sorted(rows, key=lambda row: -int(needed(row, "id", int, where))):
            found = check(row, where)
            if not until or found.at <= until:
                newest.setdefault((found.context, found.by.id), found)
        return tuple(newest.values())

    def may_write(self, repository: Repo, account: Account) -> bool:
        if account.id.startswith("-") or account.id == "0":  # deleted, or no user at all
            return False
        where = place(repository.path, "collaborators", account.login, "permission")
        found = self._client.get(where)
        who = needed(found, "user", dict, where)
        if account.id and str(who.get("id")) != account.id:
            raise malformed(where)  # the login has another owner meanwhile
        return needed(found, "permission", str, where) in _WRITES

    def writers(self, repository: Repo) -> frozenset[str]:
        """Gitea lists direct collaborators alone, not the members of teams."""
        told = f"who may write to {repository.path} is not listed by this forge"
        raise ForgeError(ForgeCode.UNSUPPORTED, told, "Each account is asked about.")

    def standing_reviews(self, repository: Repo, numbers: Collection[int]) -> Mapping[int, StandingReviews]:
        found: dict[int, StandingReviews] = {}
        for number in numbers:
            where = place(repository.path, "pulls", number, "reviews")
            try:
                rows = self._client.listed(where, Proof.TOTAL)
                found[number] = StandingReviews(standing(timeline.reviews(rows, (), where)))
            except ForgeError as error:
                if error.code in CONCERNS_ALL:
                    raise
        return found

    def group(self, repository: Repo, target: str, head: str) -> Group:
        told = f"{target} of {repository.path} has no merge queue, and {head[:12]} is no group of one"
        raise ForgeError(ForgeCode.UNSUPPORTED, told, "Nothing has to be done.")

    def fetch_header(self) -> Mapping[str, str]:
        return self._gitea.header()

    def change_ref(self, number: int) -> str:
        return f"refs/pull/{number}/head"

    def _timeline(self, repository: Repo, number: int) -> Rows:
        where = place(repository.path, "issues", number, "timeline")
        rows = self._client.listed(where, Proof.WHOLE)
        if not all(isinstance(row, dict) for row in rows):
            raise malformed(where)
        return rows

    def _reviews(self, repository: Repo, found: Change, events: Rows) -> tuple[Review, ...]:
        """The reviews, asked for each time: not all that becomes of one leaves something in the timeline."""
        where = place(repository.path, "pulls", found.number, "reviews")
        rows = self._client.listed(where, Proof.TOTAL)
        return timeline.reviews(rows, events, where)

    def _retargets(self, repository: Repo, number: int, events: Maybe[Rows]) -> tuple[Retarget, ...]:
        rows: Rows = value(events)
        return timeline.retargets(rows, place(repository.path, "issues", number, "timeline"))

    def _requests(self, repository: Repo, number: int, events: Maybe[Rows]) -> tuple[ForgeHand, ...]:
        rows: Rows = value(events)
        return timeline.requests(rows, place(repository.path, "issues", number, "timeline"))

    def _merging(self, repository: Repo, number: int, events: Maybe[Rows]) -> Merging:
        rows: Rows = value(events)
        return timeline.merging(rows, place(repository.path, "issues", number, "timeline"))

    def _moves(self, repository: Repo, found: Change, events: Maybe[Rows]) -> tuple[Move, ...]:
        """All pushes; a whole chain stays what it is while the head and what the timeline tells of the branch do."""
        if isinstance(events, Unknown):
            return self._pushes(found)
        return self._gitea.kept.once(
            tuple[Move, ...],
            ("moves", repository.id, str(found.number)),
            (found.source_repository, found.source, found.head, found.opened, timeline.of_branch(events.value)),
            lambda: self._pushes(found),
            lambda told: all(isinstance(move.who, Known) for move in told),
        )

    def _pushes(self, found: Change) -> tuple[Move, ...]:
        source = found.source_repository
        if not source:
            raise ForgeError(
                ForgeCode.NOT_FOUND,
                "the repository that the change comes from is gone, and with it who pushed",
                "Have somebody with the security role attest who it was.",
            )
        where = place(source, "activities", "feeds")
        older = moves.Older(found.source, found.opened, where)
        rows = self._client.listed(where, Proof.TOTAL, until=older)
        return moves.moves(rows, found.source, found.head, where)

    def _made(self, repository: Repo, found: Change, base: Any) -> "Made":
        """What the forge says of the commits since `base`, which stays so once every address has an owner."""
        return self._gitea.kept.once(
            Made,
            ("commits", repository.id, str(found.number)),
            (found.target, base, found.head),
            lambda: self._commits(repository, found),
            lambda made: bool(base) and made.settled,
        )

    def _commits(self, repository: Repo, found: Change) -> "Made":
        where = place(repository.path, "pulls", found.number, "commits")
        keys = self._gitea.signing_keys
        rows = self._client.listed(where, Proof.TOTAL, verification=any(keys), files=False)
        own = tuple(one for row in rows if any(keys) and (one := _own(row, keys, where)) is not None)
        addresses = {address: owner for row in rows for address, owner in _owners(row, where)}
        owned = {*addresses, *(one.committer.casefold() for one in own)}
        whole = any(row.get("sha") == found.head for row in rows)  # a list of before the push comes for a moment after
        settled = whole and owned.issuperset(one for row in rows for one in _written(row, where))
        return Made(own, addresses, settled)

    def _writers(self, repository: Repo, given: tuple[Review, ...]) -> dict[str, bool]:
        accounts = {review.by.id: review.by for review in given}
        return {one.id: self.may_write(repository, one) for one in accounts.values()}


class Made(Struct, frozen=True):
    """What the forge says of a change's commits: those of its own, and whose the addresses in them are.

    The forge names a user where the user has proven the address. `settled`: it named one for each, or itself, and the
    head is among them.
    """

    own: tuple[ForgeCommit, ...]
    addresses: dict[str, Account]
    settled: bool


def _own(row: Any, keys: tuple[str, str], where: str) -> ForgeCommit | None:
    """A commit that the forge made: it verified the signature, by its own key, of an address that is no user's."""
    commit = needed(row, "commit", dict, where)
    said = commit.get("verification") or {}
    committer = (commit.get("committer") or {}).get("email", "")
    by_forge = said.get("verified") is True and (said.get("signer") or {}).get("email") == committer
    if not by_forge or not committer or row.get("committer") is not None:
        return None
    pgp, ssh = keys
    used = embedded_key(str(said.get("signature", "")))
    ours = used == ssh if used is not None else bool(pgp)
    return ForgeCommit(needed(row, "sha", str, where), committer) if ours else None


def _written(row: Any, where: str) -> Iterator[str]:
    """The addresses in a commit."""
    commit = needed(row, "commit", dict, where)
    yield from (str((commit.get(role) or {}).get("email", "")).casefold() for role in ("author", "committer"))


def _owners(row: Any, where: str) -> Iterator[tuple[str, Account]]:
    commit = needed(row, "commit", dict, where)
    for role in ("author", "committer"):
        address = (commit.get(role) or {}).get("email")
        if isinstance(address, str) and address and isinstance(row.get(role), dict):
            owner = account(row[role], where)
            if int(owner.id) > 0:
                yield address.casefold(), owner


def _listed(row: Any, where: str) -> Listed:
    may = row.get("permissions") or {} if isinstance(row, dict) else {}
    missing = tuple(ability for ability, needs in _NEEDS.items() if may.get(needs) is not True)
    return Listed(repository(row, where), missing)


def _tip(row: Any, where: str) -> Tip:
    commit = needed(row, "commit", dict, where)
    return Tip(branch(needed(row, "name", str, where)), needed(commit, "id", str, where), bool(row.get("protected")))
