"""Reads GitLab. What it takes to know one merge request is in `reading`; the rest is lists and single answers."""

import base64
import time
from collections.abc import Callable, Collection, Mapping
from typing import Any
from urllib.parse import quote

from muniment.errors import ForgeCode, ForgeError
from muniment.facts import moments
from muniment.facts.pipeline import ForgeSettings
from muniment.forges import checks, pushed
from muniment.forges.gitlab import merging, moves, protection, settings, telling, wire
from muniment.forges.gitlab.client import Lab, account, at, change, check, repo, request, tip
from muniment.forges.gitlab.probes import probes
from muniment.forges.gitlab.reading import Readings
from muniment.forges.permission_checks import find_refused_requests
from muniment.forges.rules import BranchRules, Tip
from muniment.forges.shapes import (
    Ability,
    About,
    Account,
    Change,
    Check,
    Group,
    Listed,
    Move,
    Reading,
    RefusedRequest,
    Repo,
    StandingReviews,
    State,
    Vendor,
)
from muniment.http.rate_limits import RateLimit

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
_ASKED_STATES = {State.OPEN: "opened", State.MERGED: "merged", State.CLOSED: "closed"}


class GitLabReader:
    """See `forges.forge.Reader`."""

    def __init__(self, lab: Lab, now: Callable[[], str], clock: Callable[[], float] = time.monotonic) -> None:
        self._lab = lab
        self._readings = Readings(lab, now, clock)

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

    def limits(self) -> Mapping[str, RateLimit]:
        """All rate limits of our account as last told, by resource."""
        return self._lab.rest.limits()

    def requests(self) -> Mapping[str, int]:
        """How many were sent so far."""
        return {self._lab.rest.resource: self._lab.rest.asked}

    def repositories(self) -> tuple[Listed, ...]:
        """Those that our account is a member of."""
        return tuple(map(_listed, self._lab.many(wire.Project, "projects", membership=True, archived=False)))

    def repository(self, path: str) -> Listed:
        """One of them."""
        return _listed(self._lab.one(wire.Project, at(path)))

    def refused_requests(self, repository: Repo | None) -> tuple[RefusedRequest, ...]:
        """By trying each, and by the scopes that the token tells."""
        return find_refused_requests(probes(self._lab, self._scopes(), repository))

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
        return change(request(self._lab, repository, number))

    def read(self, repository: Repo, number: int, since: str = "") -> Reading:
        """One of them completely."""
        return self._readings.read(repository, number, since)

    def may_write(self, repository: Repo, account: Account) -> bool:
        """Whether that account is a developer or more now."""
        ids = [account.id] if account.id else [str(user.id) for user in self._called(account.login)]
        return len(ids) == 1 and telling.writes(telling.member(self._lab, repository, ids[0]))

    def writers(self, repository: Repo) -> frozenset[str]:
        """Every member who is a developer or more."""
        listed = self._lab.many(wire.Member, f"{at(repository)}/members/all")
        return frozenset(str(one.id) for one in listed if telling.writes(one))

    def _called(self, login: str) -> tuple[wire.User, ...]:
        return self._lab.many(wire.User, "users", username=login)

    def standing_reviews(self, repository: Repo, numbers: Collection[int]) -> Mapping[int, StandingReviews]:
        """GitLab tells of each by an event."""
        told = f"GitLab tells of an approval that ends by an event ({len(numbers)} changes of {repository.path})"
        raise ForgeError(ForgeCode.UNSUPPORTED, told, "Nothing has to be done.")

    def group(self, repository: Repo, target: str, head: str) -> Group:
        """The part of a merge train up to the place whose pipeline runs on `head`."""
        return merging.group(self._lab, repository, target, head)

    def tips(self, repository: Repo) -> tuple[Tip, ...]:
        """All branches."""
        found = self._lab.many(wire.Tip, f"{at(repository)}/repository/branches")
        return tuple(Tip(f"refs/heads/{one.name}", one.commit.id, one.protected) for one in found)

    def pushes(self, repository: Repo, ref: str, base: str, since: str) -> tuple[Move, ...]:
        """As the project's push events have them; one push of many branches names none of them."""
        listed = self._lab.many(
            wire.Event,
            f"{at(repository)}/events",
            until=lambda event: any(pushed.over(move, base, since) for move in moves.of_event(event, ref)),
            action="pushed",
            sort="desc",
            after=moments.day(moments.later(since, days=-1)).isoformat(),  # GitLab tells what came after that day
        )
        found = (move for event in reversed(listed) for move in moves.of_event(event, ref))
        return tuple(move for move in found if not pushed.over(move, base, since))

    def all_pushes(self, repository: Repo | str, since: str) -> tuple[Move, ...]:
        """As the project's push events have them; of one push of many branches only who pushed is told."""
        after: dict[str, Any] = {"after": moments.day(moments.later(since, days=-1)).isoformat()} if since else {}
        listed = self._lab.many(wire.Event, f"{at(repository)}/events", action="pushed", sort="desc", **after)
        found = (move for event in reversed(listed) for move in moves.of_any_branch(event))
        return tuple(move for move in found if move.at >= since)

    def tip(self, repository: Repo, ref: str) -> str:
        """Where a branch is now."""
        return tip(self._lab, repository, ref)

    def rules(self, repository: Repo, ref: str) -> BranchRules:
        """How a branch is protected, by every rule and pattern that fits it."""
        return protection.rules(self._lab, repository, ref)

    def settings(self, repository: Repo) -> ForgeSettings:
        """What it keeps for jobs, and lets them do."""
        return settings.settings(self._lab, repository)

    def statuses(self, repository: Repo, head: str, until: str = "") -> tuple[Check, ...]:
        """The newest of each name and poster."""
        path = f"{at(repository)}/repository/commits/{quote(head, safe='')}/statuses"
        every: dict[str, Any] = {"all": "true"} if until else {}
        listed = self._lab.many(wire.CommitStatus, path, **every)
        return checks.newest((check(one, until) for one in listed), until)

    def fetch_header(self) -> Mapping[str, str]:
        """For git over HTTP: any name, and the token as password."""
        word = base64.b64encode(f"oauth2:{self._lab.token()}".encode()).decode()
        return {"Authorization": f"Basic {word}"}

    def change_ref(self, number: int) -> str:
        """Where GitLab keeps a change's head."""
        return f"refs/merge-requests/{number}/head"


def _listed(project: wire.Project) -> Listed:
    given = project.permissions or wire.Permissions()
    level = max((one.access_level for one in (given.project_access, given.group_access) if one), default=0)
    return Listed(repo(project), tuple(ability for ability, least in _NEEDS.items() if level < least))
