"""Reads GitLab: each part of a merge request by the call that tells it whole, or Unknown with what is missing.

The request, its notes, its approvals and whoever may write are read each time; what these show to be as it was is not
asked again.
"""

import base64
import time
from collections.abc import Callable, Mapping
from typing import TypeVar
from urllib.parse import quote

from msgspec import Struct

from muniment.errors import ForgeCode, ForgeError
from muniment.facts import moments
from muniment.facts.change import Because
from muniment.facts.maybe import Known, Maybe, Unknown
from muniment.facts.pipeline import ForgeSettings
from muniment.forges import checks
from muniment.forges.gitlab import moves, notes, protection, settings, wire
from muniment.forges.gitlab.client import DEVELOPER, Lab, account, at, change, check, known, repo, short
from muniment.forges.learning import learnt, value
from muniment.forges.limits import Limits
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
    Member,
    Merging,
    Move,
    Reading,
    Repo,
    Review,
    State,
    Vendor,
)

T = TypeVar("T")

_NEEDS = {  # the least access for each
    Ability.READ: 20,
    Ability.PERMISSIONS: 20,
    Ability.RULES: 40,
    Ability.STATUS: 30,
    Ability.COMMENT: 20,
    Ability.PROTECT: 40,
    Ability.HOOKS: 40,
    Ability.PROPOSE: 30,
}
_NEEDED = "the role Reporter and the scope read_api"
_ASKED_STATES = {State.OPEN: "opened", State.MERGED: "merged", State.CLOSED: "closed"}
_SETTINGS_SECONDS = 300
_DAYS_BEFORE = 30  # how long before a change was opened its first push is looked for


class Made(Struct, frozen=True):
    """GitLab's own commits in a change. `settled`: no other one claims to be, and the head is among the commits."""

    own: tuple[ForgeCommit, ...]
    settled: bool


class GitLabReader:
    """See `forges.forge.Reader`."""

    def __init__(self, lab: Lab, now: Callable[[], str]) -> None:
        self._lab = lab
        self._now = now
        self._newest: dict[tuple[str, int], str] = {}
        self._noted: dict[tuple[str, int], int] = {}
        self._projects: dict[str, tuple[float, wire.Project]] = {}

    def about(self) -> About:
        """The installation and our account; what the tier has shows project by project."""
        found = self._lab.one(wire.Metadata, "metadata")
        us = account(self._lab.one(wire.User, "user"))
        tier = "" if found.enterprise else "free"
        return About(Vendor.GITLAB, found.version, tier, us, self._scopes())

    def _scopes(self) -> tuple[str, ...]:
        """A group's token and an OAuth application's tell their scopes at different places."""
        own = self._lab.where_it_exists(
            lambda: self._lab.one(wire.TokenInfo, "personal_access_tokens/self"), wire.TokenInfo()
        )
        return tuple(sorted(own.scopes))

    def limits(self) -> Limits:
        """The rate limit as last heard."""
        return self._lab.rest.limits

    def repositories(self) -> tuple[Listed, ...]:
        """Those that our account is a member of."""
        return tuple(map(_listed, self._lab.many(wire.Project, "projects", membership=True, archived=False)))

    def repository(self, path: str) -> Listed:
        """One of them."""
        return _listed(self._lab.one(wire.Project, at(path)))

    def changes(self, repository: Repo, state: State, since: str = "") -> tuple[Change, ...]:
        """Newest update first."""
        found = self._lab.many(
            wire.MergeRequest,
            f"{at(repository)}/merge_requests",
            state=_ASKED_STATES[state],
            order_by="updated_at",
            sort="desc",
            updated_after=since,
        )
        return tuple(map(change, found))

    def change(self, repository: Repo, number: int) -> Change:
        """One of them."""
        return change(self._request(repository, number))

    def _request(self, repository: Repo, number: int) -> wire.MergeRequest:
        return self._lab.one(wire.MergeRequest, f"{at(repository)}/merge_requests/{number}")

    def read(self, repository: Repo, number: int, since: str = "") -> Reading:
        """One of them completely."""
        now = self._now()
        request = self._request(repository, number)
        found = change(request)
        stale = self._stale(repository, found, since)
        base = f"{at(repository)}/merge_requests/{number}"
        said = learnt(
            lambda: self._lab.many(wire.Note, f"{base}/notes", sort="asc", order_by="created_at"),
            "the notes on the change",
            _NEEDED,
        )
        own = learnt(lambda: self._own_notes(repository, number, value(said)))
        versions = learnt(
            lambda: self._versions(repository, found, value(own), stale), "the versions of the change", _NEEDED
        )
        moved = learnt(lambda: self._moves(repository, found, value(versions), value(own)))
        given = learnt(lambda: self._reviews(base, request, value(versions), value(own)), "the approvals", _NEEDED)
        reading = Reading(
            change=found,
            read_at=now,
            moves=moved,
            retargets=learnt(lambda: notes.retargets(value(own))),
            reviews=given,
            hands=learnt(lambda: _hands(found, value(said), value(moved))),
            own_commits=learnt(lambda: self._own_commits(repository, request), "the commits of the change", _NEEDED),
            writers=learnt(lambda: self._writers(repository, value(given)), "who may write", _NEEDED),
            checks=NOT_ASKED,
            merging=learnt(lambda: self._merging(repository, request), "how it is to be merged", _NEEDED),
        )
        return self._unmoved(repository, reading)

    def _own_notes(self, repository: Repo, number: int, said: tuple[wire.Note, ...]) -> tuple[wire.Note, ...]:
        """GitLab's own notes, of which there are never fewer than there were."""
        own, key = notes.own(said), (repository.id, number)
        if len(own) < self._noted.get(key, 0):
            raise ForgeError(
                ForgeCode.CHANGED_MEANWHILE, "GitLab tells of less activity than before", "It is read again."
            )
        self._noted[key] = len(own)
        return own

    def _stale(self, repository: Repo, found: Change, since: str = "") -> str:
        key = (repository.id, found.number)
        before = max(self._newest.get(key, ""), since)
        self._newest[key] = max(before, found.updated)
        return "GitLab tells of an older state of the change than before" if found.updated < before else ""

    def _unmoved(self, repository: Repo, reading: Reading) -> Reading:
        """The reading, if nothing was touched while it was read; else nothing of it is known."""
        try:
            after = self.change(repository, reading.change.number)
        except ForgeError as error:
            return _unknown(reading, error.message)
        if after != reading.change or self._stale(repository, after):
            return _unknown(reading, "the change was touched while it was read; it is read again")
        return reading

    def _versions(
        self, repository: Repo, found: Change, own: tuple[wire.Note, ...], stale: str
    ) -> tuple[wire.Version, ...]:
        """All versions, oldest first; the newest has to be the head. There are no others until a note tells so."""
        listed = self._lab.kept.once(
            tuple[wire.Version, ...],
            ("versions", repository.id, str(found.number)),
            (found.head, notes.of_branch(own)),
            lambda: self._lab.many(wire.Version, f"{at(repository)}/merge_requests/{found.number}/versions"),
            lambda told: not stale and any(one.head_commit_sha == found.head for one in told),
        )
        ordered = tuple(sorted(listed, key=lambda version: version.id))
        if stale or not ordered or ordered[-1].head_commit_sha != found.head:
            raise ForgeError(
                ForgeCode.CHANGED_MEANWHILE,
                stale or "GitLab has not made a version of the head yet",
                "It is read again.",
            )
        return ordered

    def _moves(
        self, repository: Repo, found: Change, versions: tuple[wire.Version, ...], own: tuple[wire.Note, ...]
    ) -> tuple[Move, ...]:
        """All pushes. A whole chain stays what it is while the head, the versions and the notes on pushes do."""
        return self._lab.kept.once(
            tuple[Move, ...],
            ("moves", repository.id, str(found.number)),
            (found.source_repository, found.source, found.head, found.opened, versions, notes.of_branch(own)),
            lambda: moves.of_change(found, self._events(found), versions, notes.pushers(own)),
            lambda told: all(isinstance(move.who, Known) for move in told),
        )

    def _events(self, found: Change) -> Maybe[tuple[wire.Event, ...]]:
        if not found.source_repository:
            return Unknown("the fork is gone, and who pushed with it")
        day = moments.day(moments.later(found.opened, days=-_DAYS_BEFORE)).isoformat()
        try:
            listed = self._lab.many(
                wire.Event,
                f"{at(found.source_repository)}/events",
                until=lambda event: moves.created(event, found),
                action="pushed",
                sort="desc",
                after=day,
            )
        except ForgeError as error:
            return Unknown(f"who pushed could not be read: {error.message} (Reporter in the source project)")
        return Known(listed)

    def _reviews(
        self,
        base: str,
        request: wire.MergeRequest,
        versions: tuple[wire.Version, ...],
        own: tuple[wire.Note, ...],
    ) -> tuple[Review, ...]:
        """How each reviewer stands is asked only if the request has any."""
        approvals = self._lab.one(wire.Approvals, f"{base}/approvals")
        nobody = request.reviewers == []
        reviewers = () if nobody else self._lab.many(wire.Reviewer, f"{base}/reviewers")
        return notes.reviews(approvals, reviewers, own, versions)

    def _own_commits(self, repository: Repo, request: wire.MergeRequest) -> tuple[ForgeCommit, ...]:
        """Commits with GitLab's own address, where its own signature is on them: they stay so if all of them are."""
        since = request.diff_refs.base_sha if request.diff_refs else None
        made = self._lab.kept.once(
            Made,
            ("commits", repository.id, str(request.iid)),
            (request.target_branch, since, request.sha),
            lambda: self._commits(repository, request),
            lambda made: bool(since) and made.settled,
        )
        return made.own

    def _commits(self, repository: Repo, request: wire.MergeRequest) -> "Made":
        ours = [f"noreply@{host}" for host in (self._lab.host, "gitlab.com")]
        listed = self._lab.many(wire.Commit, f"{at(repository)}/merge_requests/{request.iid}/commits")
        claimed = [ForgeCommit(one.id, one.committer_email) for one in listed if one.committer_email in ours]
        own = tuple(one for one in claimed if self._signed_by_gitlab(repository, one.id))
        return Made(own, len(own) == len(claimed) and any(one.id == request.sha for one in listed))

    def _signed_by_gitlab(self, repository: Repo, commit: str) -> bool:
        path = f"{at(repository)}/repository/commits/{commit}/signature"
        signed = self._lab.where_it_exists(lambda: self._lab.one(wire.Signed, path), wire.Signed())
        return signed.verification_status == "verified_system"

    def _members(self, repository: Repo) -> dict[str, wire.Member]:
        """Everybody with access, by id: who is not in the whole list has none."""
        found = self._lab.many(wire.Member, f"{at(repository)}/members/all")
        return {str(member.id): member for member in found}

    def _writers(self, repository: Repo, given: tuple[Review, ...]) -> dict[str, bool]:
        if not given:
            return {}
        members = self._members(repository)
        return {review.by.id: _writes(members.get(review.by.id)) for review in given if review.by.id}

    def may_write(self, repository: Repo, account: Account) -> bool:
        """Whether that account is a developer or more now."""
        return _writes(self._members(repository).get(account.id))

    def _merging(self, repository: Repo, request: wire.MergeRequest) -> Merging:
        project = self._project(repository)
        cars = self._train(repository, f"refs/heads/{request.target_branch}") if project.merge_trains_enabled else ()
        car = next((one for one in cars if one.merge_request.iid == request.iid), None)
        automatic = request.merge_when_pipeline_succeeds
        return Merging(
            automatic=automatic,
            asked_by=known(request.merge_user) if automatic else Unknown("it is not merged by itself"),
            method="squash" if request.squash else project.merge_method,
            queued=car is not None,
            group=car.pipeline.sha if car and car.pipeline else "",
        )

    def _project(self, repository: Repo) -> wire.Project:
        """How the project merges, which decides nothing of a change: as it was read some minutes ago at most."""
        until, known = self._projects.get(repository.id, (0.0, None))
        if known is None or time.monotonic() > until:
            known = self._lab.one(wire.Project, at(repository))
            self._projects[repository.id] = time.monotonic() + _SETTINGS_SECONDS, known
        return known

    def _train(self, repository: Repo, target: str) -> tuple[wire.Car, ...]:
        path = f"{at(repository)}/merge_trains/{quote(short(target), safe='')}"
        return self._lab.many(wire.Car, path, scope="active", sort="asc")

    def group(self, repository: Repo, target: str, head: str) -> Group:
        """The part of a merge train up to the place whose pipeline runs on `head`."""
        members: list[Member] = []
        for car in self._train(repository, target):
            number = car.merge_request.iid
            members.append(Member(number, self.change(repository, number).head))
            if car.pipeline and car.pipeline.sha == head:
                return Group(target, self.tip(repository, target), head, tuple(members))
        raise ForgeError(
            ForgeCode.CHANGED_MEANWHILE,
            "the merge train has no such place any more",
            "A new one is judged when it comes.",
        )

    def tips(self, repository: Repo) -> tuple[Tip, ...]:
        """All branches."""
        found = self._lab.many(wire.Tip, f"{at(repository)}/repository/branches")
        return tuple(Tip(f"refs/heads/{one.name}", one.commit.id, one.protected) for one in found)

    def tip(self, repository: Repo, ref: str) -> str:
        """Where a branch is now."""
        return self._lab.one(wire.Tip, f"{at(repository)}/repository/branches/{quote(short(ref), safe='')}").commit.id

    def rules(self, repository: Repo, ref: str) -> BranchRules:
        """How a branch is protected, by every rule and pattern that fits it."""
        return protection.rules(self._lab, repository, ref)

    def settings(self, repository: Repo) -> ForgeSettings:
        """What it keeps for jobs, and lets them do."""
        return settings.settings(self._lab, repository)

    def statuses(self, repository: Repo, head: str) -> tuple[Check, ...]:
        """The newest of each name and poster."""
        path = f"{at(repository)}/repository/commits/{quote(head, safe='')}/statuses"
        return checks.newest(map(check, self._lab.many(wire.CommitStatus, path)))

    def fetch_header(self) -> Mapping[str, str]:
        """For git over HTTP: any name, and the token as password."""
        word = base64.b64encode(f"oauth2:{self._lab.token()}".encode()).decode()
        return {"Authorization": f"Basic {word}"}

    def change_ref(self, number: int) -> str:
        """Where GitLab keeps a change's head."""
        return f"refs/merge-requests/{number}/head"


def _writes(member: wire.Member | None) -> bool:
    return member is not None and member.access_level >= DEVELOPER and member.state == "active"


def _listed(project: wire.Project) -> Listed:
    given = project.permissions or wire.Permissions()
    level = max((one.access_level for one in (given.project_access, given.group_access) if one), default=0)
    return Listed(repo(project), tuple(ability for ability, least in _NEEDS.items() if level < least))


def _hands(found: Change, said: tuple[wire.Note, ...], moved: tuple[Move, ...]) -> tuple[ForgeHand, ...]:
    """Who asked a machine that had a hand in it: told it so in a comment, assigned it, or asked it to review."""
    hands = [found.opener, *(move.who.value for move in moved if isinstance(move.who, Known))]
    names = [f"@{one.login}".casefold() for one in hands if one.machine]
    return tuple(
        dict.fromkeys(
            ForgeHand("", account(note.author), Because.ASKED)
            for note in said
            if note.author and not account(note.author).machine and any(name in note.body.casefold() for name in names)
        )
    )


def _unknown(reading: Reading, why: str) -> Reading:
    no = Unknown(why)
    return Reading(reading.change, reading.read_at, no, no, no, no, no, no, no, no)
