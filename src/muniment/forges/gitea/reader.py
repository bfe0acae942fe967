"""Reads Gitea and Forgejo: each part of a change by the request that returns it whole, or Unknown with the reason.

The change, its timeline and write access are read each time; parts that these show to be unchanged are not read again.
"""

from collections.abc import Callable, Collection, Mapping

from muniment.errors import ForgeCode, ForgeError
from muniment.facts import moments
from muniment.facts.maybe import Known, Maybe, Unknown
from muniment.facts.pipeline import ForgeSettings
from muniment.forges import push_history
from muniment.forges.branch_rules import BranchRules, BranchTip
from muniment.forges.forge_client import CONNECTION_ERRORS, CompletenessProof, malformed_error, moved_repository_error
from muniment.forges.gitea import moves, timeline, wire
from muniment.forges.gitea.client import (
    GiteaClient,
    api_path,
    branch_name,
    convert_change,
    convert_repository,
    convert_status,
    full_branch_ref,
)
from muniment.forges.gitea.commits import ChangeCommits, collect_commits
from muniment.forges.gitea.job_settings import collect_job_settings
from muniment.forges.gitea.probes import list_probes
from muniment.forges.gitea.rules import read_effective_rule
from muniment.forges.gitea.teams import can_write_by_team, list_assignees
from muniment.forges.permission_checks import try_probes
from muniment.forges.reviews import is_approving, summarize_standing
from muniment.forges.shapes import (
    NOT_READ,
    Ability,
    Account,
    Change,
    ChangeState,
    Check,
    ForgeContributor,
    ForgeDescription,
    ForgeRepository,
    ListedRepository,
    MergeGroup,
    Move,
    PendingMerge,
    Reading,
    RefusedRequest,
    Retarget,
    Review,
    StandingReviews,
)
from muniment.forges.shared_answers import read_shared
from muniment.forges.unknowns import read_or_unknown, require_known
from muniment.http.rate_limits import RateLimit

Timeline = tuple[wire.TimelineEvent, ...]

_FEED_MINUTES = 1  # after which the feed surely has what happened
_MOST_ASSIGNEES = 200
_WRITES = ("write", "admin", "owner")
_NEEDS: Mapping[Ability, Callable[[wire.Permissions], bool]] = {  # what each takes on the repository
    Ability.READ: lambda may: may.pull,
    Ability.PERMISSIONS: lambda may: may.admin,
    Ability.RULES: lambda may: may.admin,
    Ability.STATUS: lambda may: may.push,
    Ability.COMMENT: lambda may: may.pull,
    Ability.PROTECT: lambda may: may.admin,
    Ability.HOOKS: lambda may: may.admin,
    Ability.PROPOSE: lambda may: may.push,
}


class GiteaReader:
    """See `forges.forge.Reader`. `now` gives the moment of a reading."""

    def __init__(self, gitea: GiteaClient, now: Callable[[], str]) -> None:
        self._gitea = gitea
        self._client = gitea.client
        self._now = now

    def describe_forge(self) -> ForgeDescription:
        return ForgeDescription(self._gitea.vendor, self._gitea.version, "", self._gitea.our_account)

    def get_rate_limits(self) -> Mapping[str, RateLimit]:
        return self._client.get_rate_limits()

    def count_requests(self) -> Mapping[str, int]:
        return {self._client.resource: self._client.asked}

    def list_repositories(self) -> tuple[ListedRepository, ...]:
        return tuple(
            _convert_visible(row)
            for row in self._client.list_all_items(wire.Repository, "user/repos", CompletenessProof.TOTAL)
        )

    def read_repository(self, path: str) -> ListedRepository:
        return _convert_visible(self._client.read_one(wire.Repository, api_path(path)))

    def find_refused_requests(self, repository: ForgeRepository | None) -> tuple[RefusedRequest, ...]:
        return try_probes(list_probes(self._gitea, repository))

    def list_changes(self, repository: ForgeRepository, state: ChangeState, since: str = "") -> tuple[Change, ...]:
        where = api_path(repository.path, "pulls")
        rows = self._client.list_all_items(
            wire.PullRequest,
            where,
            CompletenessProof.TOTAL,
            state="open" if state is ChangeState.OPEN else "closed",
            sort="recentupdate",
            until=lambda row: bool(since) and convert_change(row, where).updated < since,
        )
        found = (convert_change(row, where) for row in rows)
        return tuple(one for one in found if one.state is state and one.updated >= since)

    def read_change(self, repository: ForgeRepository, number: int) -> Change:
        where, row = self._read_pull(repository, number)
        return convert_change(row, where)

    def _read_pull(self, repository: ForgeRepository, number: int) -> tuple[str, wire.PullRequest]:
        """The API's answer about a change, and its path. Raises REDIRECTED if it is a change of another repository."""
        where = api_path(repository.path, "pulls", number)
        row = self._client.read_one(wire.PullRequest, where)
        if row.base.repo is None:
            raise malformed_error(where)
        if str(row.base.repo.id) != repository.id:
            raise moved_repository_error(repository.path)
        return where, row

    def read_full_change(self, repository: ForgeRepository, number: int, since: str = "") -> Reading:
        now = self._now()
        where, row = self._read_pull(repository, number)
        found = convert_change(row, where)
        if found.updated < since:
            problem = "the forge returned an older state of the change than before"
            raise ForgeError(ForgeCode.CHANGED_MEANWHILE, problem, "It is read again.")
        events = read_or_unknown(lambda: self._read_timeline(repository, number))
        given = read_or_unknown(lambda: self._read_reviews(repository, found, require_known(events)))
        made = read_or_unknown(lambda: self._read_commits_once(repository, found, row.merge_base))
        return Reading(
            change=found,
            read_at=now,
            moves=read_or_unknown(lambda: self._read_moves(repository, found, events)),
            retargets=read_or_unknown(lambda: self._read_retargets(repository, found, events, given, now)),
            reviews=given,
            contributors=read_or_unknown(lambda: self._read_requests(repository, number, events)),
            own_commits=read_or_unknown(lambda: require_known(made).own),
            writers=read_or_unknown(lambda: self._read_writers(repository, require_known(given))),
            checks=NOT_READ,
            merging=read_or_unknown(lambda: self._read_pending_merge(events)),
            addresses=read_or_unknown(lambda: require_known(made).addresses),
        )

    def list_branches(self, repository: ForgeRepository) -> tuple[BranchTip, ...]:
        where = api_path(repository.path, "branches")
        return tuple(map(_convert_branch, self._client.list_all_items(wire.Branch, where, CompletenessProof.TOTAL)))

    def list_pushes(self, repository: ForgeRepository, ref: str, base: str, since: str) -> tuple[Move, ...]:
        where = api_path(repository.path, "activities", "feeds")
        rows = self._client.list_all_items(
            wire.FeedRow,
            where,
            CompletenessProof.TOTAL,
            until=lambda row: moves.is_feed_past_end(row, ref, base, since, where),
        )
        return tuple(
            move for move in moves.parse_moves(rows, ref, where) if not push_history.is_past_end(move, base, since)
        )

    def list_all_pushes(self, repository: ForgeRepository | str, since: str) -> tuple[Move, ...]:
        path = repository if isinstance(repository, str) else repository.path
        where = api_path(path, "activities", "feeds")
        rows = self._client.list_all_items(
            wire.FeedRow, where, CompletenessProof.TOTAL, until=lambda row: moves.is_before(row, since, where)
        )
        return moves.collect_moves_of_all_branches(rows, since, where)

    def read_branch_tip(self, repository: ForgeRepository, ref: str) -> str:
        where = api_path(repository.path, "branches", branch_name(ref))
        return self._client.read_one(wire.Branch, where).commit.id

    def read_branch_rules(self, repository: ForgeRepository, ref: str) -> BranchRules:
        return read_effective_rule(self._gitea, repository, ref)[1]

    def read_job_settings(self, repository: ForgeRepository) -> ForgeSettings:
        return collect_job_settings(self._gitea, repository)

    def list_statuses(self, repository: ForgeRepository, head: str, until: str = "") -> tuple[Check, ...]:
        where = api_path(repository.path, "commits", head, "statuses")
        rows = self._client.list_all_items(wire.CommitStatus, where, CompletenessProof.TOTAL, sort="recentupdate")
        newest: dict[tuple[str, str], Check] = {}
        for row in sorted(rows, key=lambda row: -row.id):
            found = convert_status(row, where)
            if not until or found.at <= until:
                newest.setdefault((found.context, found.by.id), found)
        return tuple(newest.values())

    def can_write(self, repository: ForgeRepository, account: Account) -> bool:
        if account.id.startswith("-") or account.id == "0":  # deleted, or no user at all
            return False
        where = api_path(repository.path, "collaborators", account.login, "permission")
        found = read_shared((self._client, where), lambda: self._client.read_one(wire.AccountPermission, where))
        if account.id and str(found.user.id) != account.id:
            raise malformed_error(where)  # the login has another owner meanwhile
        if found.permission in _WRITES:
            return True
        return can_write_by_team(self._client, repository, account)

    def list_writers(self, repository: ForgeRepository) -> frozenset[str]:
        """Raises UNSUPPORTED: Gitea lists direct collaborators only, not the members of teams."""
        problem = f"who may write to {repository.path} is not listed by this forge"
        raise ForgeError(ForgeCode.UNSUPPORTED, problem, "Each account is asked about.")

    def list_writer_accounts(self, repository: ForgeRepository) -> tuple[Account, ...]:
        """Asks about each account that may be assigned; raises UNSUPPORTED if there are many."""
        listed = list_assignees(self._client, repository)
        if len(listed) > _MOST_ASSIGNEES:
            problem = f"{len(listed)} accounts may be assigned in {repository.path}: too many to ask about each"
            raise ForgeError(ForgeCode.UNSUPPORTED, problem, "Each account is asked about when it takes part.")
        return tuple(one for one in listed if self.can_write(repository, one))

    def list_standing_reviews(
        self, repository: ForgeRepository, numbers: Collection[int]
    ) -> Mapping[int, StandingReviews]:
        found: dict[int, StandingReviews] = {}
        for number in numbers:
            where = api_path(repository.path, "pulls", number, "reviews")
            try:
                rows = self._client.list_all_items(wire.Review, where, CompletenessProof.TOTAL)
                found[number] = StandingReviews(summarize_standing(timeline.parse_reviews(rows, (), where)))
            except ForgeError as error:
                if error.code in CONNECTION_ERRORS:
                    raise
        return found

    def read_merge_group(self, repository: ForgeRepository, target: str, head: str) -> MergeGroup:
        problem = f"{target} of {repository.path} has no merge queue, and {head[:12]} is no group of one"
        raise ForgeError(ForgeCode.UNSUPPORTED, problem, "Nothing has to be done.")

    def fetch_header(self) -> Mapping[str, str]:
        return self._gitea.make_header()

    def change_ref(self, number: int) -> str:
        return f"refs/pull/{number}/head"

    def _read_timeline(self, repository: ForgeRepository, number: int) -> Timeline:
        where = api_path(repository.path, "issues", number, "timeline")
        return self._client.list_all_items(wire.TimelineEvent, where, CompletenessProof.WHOLE)

    def _read_reviews(self, repository: ForgeRepository, found: Change, events: Timeline) -> tuple[Review, ...]:
        """Reviews, read each time: not every change of a review leaves an entry in the timeline."""
        where = api_path(repository.path, "pulls", found.number, "reviews")
        rows = self._client.list_all_items(wire.Review, where, CompletenessProof.TOTAL)
        return timeline.parse_reviews(rows, events, where)

    def _read_retargets(
        self,
        repository: ForgeRepository,
        found: Change,
        events: Maybe[Timeline],
        given: Maybe[tuple[Review, ...]],
        now: str,
    ) -> tuple[Retarget, ...]:
        """Changes of target: those that the timeline names, and new names of the branch. Only approvals need them."""
        rows = require_known(events)
        listed = timeline.parse_retargets(rows, api_path(repository.path, "issues", found.number, "timeline"))
        if isinstance(given, Known) and not any(map(is_approving, given.value)):
            return listed
        creations = self._read_target_creations(repository, found, now)
        return tuple(sorted((*listed, *creations), key=lambda retarget: retarget.at))

    def _read_target_creations(self, repository: ForgeRepository, found: Change, now: str) -> tuple[Retarget, ...]:
        """Creations of the target branch since the change was opened: by another name, it was another target.

        Cached for a target once it was read a minute before: the feed tells of a new name a moment after it is there.
        """
        place = ("target", repository.id, str(found.number))
        target, cache = (found.target, found.opened), self._gitea.answer_cache
        first = cache.read_once(str, (*place, "first reading"), target, lambda: now, bool)
        settled = moments.add_time(first, minutes=_FEED_MINUTES)
        return cache.read_once(
            tuple[Retarget, ...],
            place,
            target,
            lambda: self._find_target_creations(repository, found),
            lambda _: now >= settled,
        )

    def _find_target_creations(self, repository: ForgeRepository, found: Change) -> tuple[Retarget, ...]:
        where = api_path(repository.path, "activities", "feeds")
        rows = self._client.list_all_items(
            wire.FeedRow, where, CompletenessProof.TOTAL, until=lambda row: moves.is_before(row, found.opened, where)
        )
        return tuple(one for one in moves.find_creations(rows, found.target, where) if one.at >= found.opened)

    def _read_requests(
        self, repository: ForgeRepository, number: int, events: Maybe[Timeline]
    ) -> tuple[ForgeContributor, ...]:
        rows = require_known(events)
        return timeline.parse_work_requests(rows, api_path(repository.path, "issues", number, "timeline"))

    def _read_pending_merge(self, events: Maybe[Timeline]) -> PendingMerge:
        rows = require_known(events)
        return timeline.parse_pending_merge(rows)

    def _read_moves(self, repository: ForgeRepository, found: Change, events: Maybe[Timeline]) -> tuple[Move, ...]:
        """Read all pushes. A whole chain is cached while the head and the branch's timeline entries are unchanged."""
        if isinstance(events, Unknown):
            return self._read_pushes(found)
        return self._gitea.answer_cache.read_once(
            tuple[Move, ...],
            ("moves", repository.id, str(found.number)),
            (
                found.source_repository,
                found.source,
                found.head,
                found.opened,
                timeline.select_branch_events(events.value),
            ),
            lambda: self._read_pushes(found),
            lambda found: all(isinstance(move.who, Known) for move in found),
        )

    def _read_pushes(self, found: Change) -> tuple[Move, ...]:
        source = found.source_repository
        if not source:
            raise ForgeError(
                ForgeCode.NOT_FOUND,
                "the repository that the change comes from is gone, and with it who pushed",
                "Have somebody with the security role attest who it was.",
            )
        if not found.source.startswith("refs/heads/"):
            return (moves.make_branchless_move(found),)
        where = api_path(source, "activities", "feeds")
        older = moves.FeedEnd(found.source, found.opened, where)
        rows = self._client.list_all_items(wire.FeedRow, where, CompletenessProof.TOTAL, until=older)
        return moves.collect_moves(rows, found.source, found.head, where)

    def _read_commits_once(self, repository: ForgeRepository, found: Change, base: str | None) -> ChangeCommits:
        """Commits since `base`, cached once every address has an owner."""
        return self._gitea.answer_cache.read_once(
            ChangeCommits,
            ("commits", repository.id, str(found.number)),
            (found.target, base, found.head),
            lambda: self._read_commits(repository, found),
            lambda made: bool(base) and made.settled,
        )

    def _read_commits(self, repository: ForgeRepository, found: Change) -> ChangeCommits:
        where = api_path(repository.path, "pulls", found.number, "commits")
        keys = self._gitea.signing_keys
        rows = self._client.list_all_items(
            wire.ListedCommit, where, CompletenessProof.TOTAL, verification=any(keys), files=False
        )
        return collect_commits(rows, found.head, keys)

    def _read_writers(self, repository: ForgeRepository, given: tuple[Review, ...]) -> dict[str, bool]:
        accounts = {review.by.id: review.by for review in given}
        return {one.id: self.can_write(repository, one) for one in accounts.values()}


def _convert_visible(found: wire.Repository) -> ListedRepository:
    may = found.permissions or wire.Permissions()
    missing = tuple(ability for ability, needs in _NEEDS.items() if not needs(may))
    return ListedRepository(convert_repository(found), missing, found.topics or (), found.archived)


def _convert_branch(found: wire.Branch) -> BranchTip:
    return BranchTip(full_branch_ref(found.name), found.commit.id, found.protected)
