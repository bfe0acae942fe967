"""Reads GitHub: what a change is, who had a hand in it, who said what of which commit, and who may write now.

GraphQL tells a change and all its lists in one question. How new the answer has to be is known from the delivery that
told of the change, or else by asking REST too. If it is older than that, or than what was seen before, nothing of it
is known.
"""

import base64
from collections.abc import Callable, Collection, Mapping
from typing import TypeVar
from urllib.parse import quote

from msgspec import structs

from muniment.errors import ForgeCode, ForgeError
from muniment.facts.maybe import Known, Maybe, Unknown
from muniment.facts.pipeline import ForgeSettings
from muniment.forges import checks, pushed
from muniment.forges.github import app, manifest, moves, parts, protection, queue, settings, shaped, standing, wire
from muniment.forges.github.client import at
from muniment.forges.github.probes import refused_requests
from muniment.forges.http import malformed
from muniment.forges.learning import unlearnt
from muniment.forges.rules import BranchRules, Tip
from muniment.forges.shapes import (
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
    StandingReviews,
    State,
    Vendor,
)
from muniment.http.rate_limits import RateLimit

T = TypeVar("T")


_NEEDED = "the permissions Pull requests, Contents, Checks and Commit statuses: read"


class GitHubReader:
    """Reads as an installation of our App. `read_at` is taken from `now`."""

    def __init__(self, ours: app.Identity, now: Callable[[], str]) -> None:
        self._app = ours
        self._hub = ours.hub
        self._now = now
        self._newest: dict[tuple[str, int], str] = {}

    def about(self) -> About:
        """The forge and our App there."""
        version = self._app.itself.one(wire.Meta, "meta").installed_version
        scopes = tuple(sorted(f"{name}:{level}" for name, level in self._app.permissions().items()))
        return About(Vendor.GITHUB, version, "enterprise-server" if version else "", self._app.account(), scopes)

    def limits(self) -> Mapping[str, RateLimit]:
        """All rate limits of our account as last told, by resource."""
        return self._hub.rest.limits()

    def requests(self) -> Mapping[str, int]:
        """How many were sent so far, by resource."""
        return self._hub.requests()

    def repositories(self) -> tuple[Listed, ...]:
        """Those that the App was installed for."""
        lacking = manifest.missing(self._app.permissions())
        return tuple(Listed(shaped.repo(one), lacking) for one in self._app.repositories())

    def repository(self, path: str) -> Listed:
        """One of them."""
        found = shaped.repo(self._hub.one(wire.Repository, at(path)))
        return Listed(found, manifest.missing(self._app.permissions()))

    def refused_requests(self, repository: Repo | None) -> tuple[RefusedRequest, ...]:
        """By the permissions that the App's token tells, and by trying."""
        return refused_requests(self._app, repository)

    def changes(self, repository: Repo, state: State, since: str = "") -> tuple[Change, ...]:
        """Newest update first; pages are read only as far back as `since`."""
        asked = "open" if state is State.OPEN else "closed"
        path = f"{at(repository)}/pulls"

        def older(pull: wire.Pull) -> bool:
            return shaped.moment(pull.updated_at) < since

        pulls = self._hub.many(wire.Pull, path, until=older, state=asked, sort="updated", direction="desc")
        return tuple(change for change in map(shaped.change, pulls) if change.state is state)

    def change(self, repository: Repo, number: int) -> Change:
        """One of them."""
        return shaped.change(self._pull(repository, number))

    def _pull(self, repository: Repo, number: int) -> wire.Pull:
        return self._hub.one(wire.Pull, f"{at(repository)}/pulls/{number}")

    def read(self, repository: Repo, number: int, since: str = "") -> Reading:
        """One of them completely, and no older than `since`; without that, than what REST tells of it."""
        witness = None if since else self.change(repository, number)
        try:
            told = parts.queried(self._hub, repository.path, number)
            change = shaped.pulled(told.pulled)
        except ForgeError as error:
            why = unlearnt(error, "the reviews, the timeline and the checks of the change", _NEEDED)
            return self._unread(witness or self.change(repository, number), why)
        if self._stale(repository, change, since, witness):
            why = Unknown("GitHub returned an older state of the change than before; it is read again")
            return self._unread(witness or change, why)
        moved = self._moves(repository, change, told)
        given = parts.known(told.reviews, lambda found: parts.reviews(found, _events(told)))
        return Reading(
            change=change,
            read_at=self._now(),
            moves=moved,
            retargets=parts.known(told.events, parts.retargets),
            reviews=given,
            hands=self._hands(repository, change, told, moved),
            own_commits=parts.known(told.commits, self._own_commits),
            writers=parts.known(told.reviews, parts.writers),
            checks=parts.known(told.checks, parts.checks),
            merging=_merging(told),
        )

    def _unread(self, change: Change, why: Unknown) -> Reading:
        return Reading(change, self._now(), why, why, why, why, why, why, why, why)

    def _stale(self, repository: Repo, change: Change, since: str, witness: Change | None) -> bool:
        """Whether it, or what REST tells, is older than it is known to have been, or the two differ."""
        key = (repository.id, change.number)
        before = self._newest.get(key, "")
        known = max(before, since, witness.updated if witness else "")
        self._newest[key] = max(known, change.updated)
        if witness is None:
            return change.updated < known
        same = (witness.head, witness.target) == (change.head, change.target)
        return change.updated < known or witness.updated < before or not same

    def _moves(self, repository: Repo, change: Change, told: parts.Queried) -> Maybe[tuple[Move, ...]]:
        """All moves; Unknown only if force pushes are, for then a past head may be missing.

        A whole chain of known moves stays what it is until the head is another, or the timeline tells that the branch
        may have been elsewhere.
        """
        forced = parts.known(told.events, parts.forced)
        if isinstance(forced, Unknown) or isinstance(told.events, Unknown):
            return Unknown(f"who pushed could not be read: {forced.reason}")
        where = (change.source_repository, change.source, change.head, change.opened)
        elsewhere = parts.of_branch(told.events.value)
        return Known(
            self._hub.kept.once(
                tuple[Move, ...],
                ("moves", repository.id, str(change.number)),
                (where, elsewhere),
                lambda: moves.of_change(change, self._activity(change), forced.value),
                lambda found: all(isinstance(move.who, Known) for move in found),
            )
        )

    def pushes(self, repository: Repo, ref: str, base: str, since: str) -> tuple[Move, ...]:
        """As GitHub's list of a branch's activity has them."""

        def over(one: wire.Activity) -> bool:
            return pushed.over(moves.move(one), base, since)

        listed = self._hub.many(wire.Activity, f"{at(repository)}/activity", until=over, ref=ref)
        return tuple(moves.move(one) for one in reversed(listed) if one.ref == ref)

    def all_pushes(self, repository: Repo | str, since: str) -> tuple[Move, ...]:
        """As GitHub's list of the repository's activity has them."""
        listed = self._hub.many(
            wire.Activity, f"{at(repository)}/activity", until=lambda one: moves.move(one).at < since
        )
        found = ((one.ref, moves.move(one)) for one in reversed(listed) if one.ref.startswith("refs/heads/"))
        return tuple(structs.replace(move, ref=ref) for ref, move in found if move.at >= since)

    def _activity(self, change: Change) -> Maybe[tuple[wire.Activity, ...]]:
        if not change.source_repository:
            return Unknown("the fork is gone, and who pushed with it")
        try:
            path = f"{at(change.source_repository)}/activity"
            return Known(self._hub.many(wire.Activity, path, ref=change.source))
        except ForgeError as error:
            where = change.source_repository
            return Unknown(
                f"who pushed to {where} could not be read: {error.message} (permission Contents: read there)"
            )

    def _hands(
        self, repository: Repo, change: Change, told: parts.Queried, moved: Maybe[tuple[Move, ...]]
    ) -> Maybe[tuple[ForgeHand, ...]]:
        """Who asked a machine that had a hand in it. Suggestions and conflicts need none: their commits say who."""
        if isinstance(moved, Unknown) or isinstance(told.events, Unknown) or isinstance(told.reviews, Unknown):
            return Unknown(
                "who asked a machine to work on it could not be read, for who pushed or reviewed is not known"
            )
        machines = moves.machines(change, moved.value)
        if not machines:
            return Known(parts.asked(machines, told.events.value))
        try:
            said = self._said(repository, self._pull(repository, change.number), told.reviews.value)
        except ForgeError as error:
            return Unknown(f"who asked a machine to work on it could not be read: {error.message}")
        asked = (*parts.asked(machines, told.events.value), *parts.mentioned(machines.values(), said))
        return Known(tuple(dict.fromkeys(asked)))

    def _said(
        self, repository: Repo, pull: wire.Pull, given: tuple[wire.Reviewed, ...]
    ) -> list[tuple[Account, str, str]]:
        """All comments, of both kinds, and the texts of reviews that were sent: by whom, what and when."""
        base = at(repository)
        sent = [(one, one.submitted_at) for one in given if one.submitted_at]
        found = [(shaped.who(one.author), one.body, shaped.moment(moment)) for one, moment in sent]
        for path, count in (
            (f"{base}/issues/{pull.number}/comments", pull.comments),
            (f"{base}/pulls/{pull.number}/comments", pull.review_comments),
        ):
            comments = self._hub.many(wire.Comment, path)
            if len(comments) < count or count < 0:
                raise ForgeError(ForgeCode.TRUNCATED, "the list of comments is not complete", "It is read again.")
            found += [(shaped.account(one.user), one.body or "", shaped.moment(one.created_at)) for one in comments]
        return found

    def _own_commits(self, commits: tuple[wire.Committed, ...]) -> tuple[ForgeCommit, ...]:
        return parts.own_commits(commits, shaped.own_addresses(self._hub.rest.base))

    def tips(self, repository: Repo) -> tuple[Tip, ...]:
        """All branches."""
        return tuple(map(shaped.tip, self._hub.many(wire.Branch, f"{at(repository)}/branches")))

    def tip(self, repository: Repo, ref: str) -> str:
        """Where a branch is now."""
        path = f"{at(repository)}/git/ref/{quote(ref.removeprefix('refs/'), safe='/')}"
        answer = self._hub.rest.get(path)
        found = answer.get("object", {}).get("sha") if isinstance(answer, dict) and answer.get("ref") == ref else None
        if not isinstance(found, str) or not found:
            raise malformed(path)
        return found

    def rules(self, repository: Repo, ref: str) -> BranchRules:
        """How a branch is protected, by rulesets and by the older branch protection together."""
        return protection.rules(self._hub, repository, ref)

    def settings(self, repository: Repo) -> ForgeSettings:
        """What it keeps for jobs, and lets them do."""
        return settings.settings(self._hub, repository)

    def statuses(self, repository: Repo, head: str, until: str = "") -> tuple[Check, ...]:
        """The newest of each name and poster."""
        base = f"{at(repository)}/commits/{quote(head, safe='')}"
        wanted = "all" if until else "latest"
        runs = self._hub.counted(wire.CheckRun, f"{base}/check-runs", "check_runs", filter=wanted)
        found = [shaped.check_run(run, until) for run in runs]
        found += [shaped.status(one) for one in self._hub.many(wire.CommitStatus, f"{base}/statuses")]
        return checks.newest(found, until)

    def may_write(self, repository: Repo, account: Account) -> bool:
        """Whether that account may write now."""
        path = f"{at(repository)}/collaborators/{quote(account.login, safe='')}/permission"
        found = self._hub.one(wire.Permission, path)
        if found.user is None or (account.id and str(found.user.id) != account.id):
            told = f"the login {account.login} belongs to another account now"
            raise ForgeError(ForgeCode.CHANGED_MEANWHILE, told, "It is read again.")
        return found.permission in ("admin", "write")

    def writers(self, repository: Repo) -> frozenset[str]:
        """Every collaborator who may push, by whichever team or organisation."""
        listed = self._hub.many(wire.User, f"{at(repository)}/collaborators", permission="push")
        return frozenset(str(one.id) for one in listed)

    def standing_reviews(self, repository: Repo, numbers: Collection[int]) -> Mapping[int, StandingReviews]:
        """By one question for a hundred changes, which tells who may write too."""
        return standing.reviews(self._hub, repository.path, sorted(numbers))

    def group(self, repository: Repo, target: str, head: str) -> Group:
        """A group of the merge queue, with its members."""
        return queue.group(self._hub, repository, target, head)

    def fetch_header(self) -> Mapping[str, str]:
        """For git over HTTP."""
        word = base64.b64encode(f"x-access-token:{self._app.token()}".encode()).decode()
        return {"Authorization": f"Basic {word}"}

    def change_ref(self, number: int) -> str:
        """Where GitHub keeps a change's head."""
        return f"refs/pull/{number}/head"


def _events(told: parts.Queried) -> tuple[wire.Happening, ...]:
    return told.events.value if isinstance(told.events, Known) else ()


def _merging(told: parts.Queried) -> Maybe[Merging]:
    if isinstance(told.queued, Unknown):
        return told.queued
    entry, automatic = told.queued.value, told.pulled.auto_merge_request
    return Known(
        Merging(
            automatic=automatic is not None,
            asked_by=shaped.known_who(automatic.enabled_by) if automatic else Unknown("it is not merged by itself"),
            method=automatic.merge_method.lower() if automatic else "",
            queued=entry is not None,
            group=entry.head_commit.oid if entry and entry.head_commit else "",
        )
    )
