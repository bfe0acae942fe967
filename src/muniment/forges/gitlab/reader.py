"""Reads GitLab. `merge_request_reader` reads one merge request completely; the rest is lists and single answers."""

import base64
import time
from collections.abc import Callable, Collection, Mapping
from urllib.parse import quote

from muniment.errors import ForgeCode, ForgeError
from muniment.facts import moments
from muniment.facts.pipeline import ForgeSettings
from muniment.forges import checks, push_history
from muniment.forges.branch_rules import BranchRules, BranchTip
from muniment.forges.gitlab import job_settings, merge_request_source, merge_trains, moves, protection, wire
from muniment.forges.gitlab.client import (
    GitLabClient,
    convert_account,
    convert_change,
    convert_repository,
    convert_status,
    project_path,
    read_branch_tip,
    read_merge_request,
)
from muniment.forges.gitlab.merge_request_reader import MergeRequestReader
from muniment.forges.gitlab.probes import list_probes
from muniment.forges.permission_checks import try_probes
from muniment.forges.shapes import (
    Ability,
    Account,
    Change,
    ChangeState,
    Check,
    ForgeDescription,
    ForgeRepository,
    ListedRepository,
    MergeGroup,
    Move,
    Reading,
    RefusedRequest,
    StandingReviews,
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
_ASKED_STATES = {ChangeState.OPEN: "opened", ChangeState.MERGED: "merged", ChangeState.CLOSED: "closed"}


class GitLabReader:
    """Reads with one token; see `forges.forge.Reader`."""

    def __init__(self, lab: GitLabClient, now: Callable[[], str], clock: Callable[[], float] = time.monotonic) -> None:
        self._lab = lab
        self._readings = MergeRequestReader(lab, now, clock)

    def describe_forge(self) -> ForgeDescription:
        """The installation and our account; the tier shows only project by project."""
        found = self._lab.read_one(wire.Metadata, "metadata")
        us = convert_account(self._lab.read_one(wire.User, "user"))
        tier = "" if found.enterprise else "free"
        return ForgeDescription(Vendor.GITLAB, found.version, tier, us, self._read_scopes())

    def _read_scopes(self) -> tuple[str, ...]:
        """Scopes of the token. A group's token and an OAuth application's have them at different addresses."""
        own = self._lab.read_or_default(
            lambda: self._lab.read_one(wire.TokenInfo, "personal_access_tokens/self"), wire.TokenInfo()
        )
        return tuple(sorted(own.scopes))

    def get_rate_limits(self) -> Mapping[str, RateLimit]:
        return self._lab.rest.get_rate_limits()

    def count_requests(self) -> Mapping[str, int]:
        return {self._lab.rest.resource: self._lab.rest.asked}

    def list_repositories(self) -> tuple[ListedRepository, ...]:
        """Projects that our account is a member of."""
        return tuple(
            map(_convert_visible, self._lab.read_list(wire.Project, "projects", membership=True, archived=False))
        )

    def read_repository(self, path: str) -> ListedRepository:
        return _convert_visible(self._lab.read_one(wire.Project, project_path(path)))

    def find_refused_requests(self, repository: ForgeRepository | None) -> tuple[RefusedRequest, ...]:
        """Requests refused when tried, with the missing scope if the token lists its scopes."""
        return try_probes(list_probes(self._lab, self._read_scopes(), repository))

    def list_changes(self, repository: ForgeRepository, state: ChangeState, since: str = "") -> tuple[Change, ...]:
        """Changes, newest update first."""
        found = self._lab.read_list(
            wire.MergeRequest,
            f"{project_path(repository)}/merge_requests",
            state=_ASKED_STATES[state],
            order_by="updated_at",
            sort="desc",
            updated_after=since,
        )
        return tuple(map(convert_change, found))

    def read_change(self, repository: ForgeRepository, number: int) -> Change:
        return convert_change(read_merge_request(self._lab, repository, number))

    def read_full_change(self, repository: ForgeRepository, number: int, since: str = "") -> Reading:
        return self._readings.read_full_change(repository, number, since)

    def can_write(self, repository: ForgeRepository, account: Account) -> bool:
        """Whether an account is a developer or more now."""
        ids = [account.id] if account.id else [str(user.id) for user in self._find_users(account.login)]
        return len(ids) == 1 and merge_request_source.can_member_write(
            merge_request_source.read_member(self._lab, repository, ids[0])
        )

    def list_writers(self, repository: ForgeRepository) -> frozenset[str]:
        """Ids of all members who are developers or more."""
        return frozenset(account.id for account in self.list_writer_accounts(repository))

    def list_writer_accounts(self, repository: ForgeRepository) -> tuple[Account, ...]:
        """Accounts of all members who are developers or more."""
        listed = self._lab.read_list(wire.ProjectMember, f"{project_path(repository)}/members/all")
        members = [one for one in listed if merge_request_source.can_member_write(one)]
        return tuple(convert_account(wire.User(id=one.id, username=one.username)) for one in members)

    def _find_users(self, login: str) -> tuple[wire.User, ...]:
        return self._lab.read_list(wire.User, "users", username=login)

    def list_standing_reviews(
        self, repository: ForgeRepository, numbers: Collection[int]
    ) -> Mapping[int, StandingReviews]:
        """Raises UNSUPPORTED: GitLab sends an event for each."""
        problem = f"GitLab tells of an approval that ends by an event ({len(numbers)} changes of {repository.path})"
        raise ForgeError(ForgeCode.UNSUPPORTED, problem, "Nothing has to be done.")

    def read_merge_group(self, repository: ForgeRepository, target: str, head: str) -> MergeGroup:
        """The part of a merge train up to the place whose pipeline runs on `head`."""
        return merge_trains.find_merge_group(self._lab, repository, target, head)

    def list_branches(self, repository: ForgeRepository) -> tuple[BranchTip, ...]:
        found = self._lab.read_list(wire.ListedBranch, f"{project_path(repository)}/repository/branches")
        return tuple(BranchTip(f"refs/heads/{one.name}", one.commit.id, one.protected) for one in found)

    def list_pushes(self, repository: ForgeRepository, ref: str, base: str, since: str) -> tuple[Move, ...]:
        """Pushes in the push events of the project; one push of many branches names none of them."""
        listed = self._lab.read_list(
            wire.ProjectEvent,
            f"{project_path(repository)}/events",
            until=lambda event: any(
                push_history.is_past_end(move, base, since) for move in moves.convert_event_of(event, ref)
            ),
            action="pushed",
            sort="desc",
            after=moments.utc_date(
                moments.add_time(since, days=-1)
            ).isoformat(),  # GitLab tells what came after that day
        )
        found = (move for event in reversed(listed) for move in moves.convert_event_of(event, ref))
        return tuple(move for move in found if not push_history.is_past_end(move, base, since))

    def list_all_pushes(self, repository: ForgeRepository | str, since: str) -> tuple[Move, ...]:
        """Pushes in the push events of the project; one push of many branches names only the account that pushed."""
        after = moments.utc_date(moments.add_time(since, days=-1)).isoformat() if since else None
        listed = self._lab.read_list(
            wire.ProjectEvent, f"{project_path(repository)}/events", action="pushed", sort="desc", after=after
        )
        found = (move for event in reversed(listed) for move in moves.convert_event(event))
        return tuple(move for move in found if move.at >= since)

    def read_branch_tip(self, repository: ForgeRepository, ref: str) -> str:
        return read_branch_tip(self._lab, repository, ref)

    def read_branch_rules(self, repository: ForgeRepository, ref: str) -> BranchRules:
        """Rules of every rule and pattern that fits the branch."""
        return protection.read_rules(self._lab, repository, ref)

    def read_job_settings(self, repository: ForgeRepository) -> ForgeSettings:
        return job_settings.collect_job_settings(self._lab, repository)

    def list_statuses(self, repository: ForgeRepository, head: str, until: str = "") -> tuple[Check, ...]:
        path = f"{project_path(repository)}/repository/commits/{quote(head, safe='')}/statuses"
        listed = self._lab.read_list(wire.CommitStatus, path, all="true" if until else None)
        return checks.select_newest((convert_status(one, until) for one in listed), until)

    def fetch_header(self) -> Mapping[str, str]:
        """Header for git over HTTP: any name, and the token as password; none without a token."""
        token = self._lab.token()
        if not token:
            return {}
        word = base64.b64encode(f"oauth2:{token}".encode()).decode()
        return {"Authorization": f"Basic {word}"}

    def change_ref(self, number: int) -> str:
        return f"refs/merge-requests/{number}/head"


def _convert_visible(project: wire.Project) -> ListedRepository:
    given = project.permissions or wire.Permissions()
    level = max((one.access_level for one in (given.project_access, given.group_access) if one), default=0)
    missing = tuple(ability for ability, least in _NEEDS.items() if level < least)
    return ListedRepository(convert_repository(project), missing, project.topics, project.archived)
