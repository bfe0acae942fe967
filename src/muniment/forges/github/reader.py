"""Reads GitHub: changes, their contributors and reviews, and current write access.

GraphQL returns a change and all its lists by one query. The required age of the answer is known from the delivery about
the change, or else by reading REST too. If the answer is older, or older than a known state, all of its parts are
Unknown.
"""

import base64
from collections.abc import Callable, Collection, Mapping
from typing import TypeVar
from urllib.parse import quote

from msgspec import structs

from muniment.errors import ForgeCode, ForgeError
from muniment.facts.maybe import Known, Maybe, Unknown
from muniment.facts.pipeline import ForgeSettings
from muniment.forges import checks, push_history
from muniment.forges.branch_rules import BranchRules, BranchTip
from muniment.forges.forge_client import malformed_error
from muniment.forges.github import (
    app,
    change_query,
    conversion,
    job_settings,
    manifest,
    merge_queue,
    moves,
    protection,
    standing_query,
    wire,
)
from muniment.forges.github.client import repository_path
from muniment.forges.github.probes import find_missing_permissions
from muniment.forges.shapes import (
    Account,
    Change,
    ChangeState,
    Check,
    ForgeCommit,
    ForgeContributor,
    ForgeDescription,
    ForgeRepository,
    ListedRepository,
    MergeGroup,
    Move,
    PendingMerge,
    Reading,
    RefusedRequest,
    StandingReviews,
    Vendor,
)
from muniment.forges.unknowns import unknown_from_error
from muniment.http.rate_limits import RateLimit

T = TypeVar("T")


_NEEDED = "the permissions Pull requests, Contents, Checks and Commit statuses: read"


class GitHubReader:
    """Reads as an installation of our App. `read_at` is taken from `now`."""

    def __init__(self, identity: app.GitHubIdentity, now: Callable[[], str]) -> None:
        self._app = identity
        self._hub = identity.hub
        self._now = now
        self._newest: dict[tuple[str, int], str] = {}

    def describe_forge(self) -> ForgeDescription:
        version = self._app.account_client.read_one(wire.Meta, "meta").installed_version
        scopes = tuple(sorted(f"{name}:{level}" for name, level in self._app.get_permissions().items()))
        return ForgeDescription(
            Vendor.GITHUB, version, "enterprise-server" if version else "", self._app.read_account(), scopes
        )

    def get_rate_limits(self) -> Mapping[str, RateLimit]:
        return self._hub.rest.get_rate_limits()

    def count_requests(self) -> Mapping[str, int]:
        return self._hub.count_requests()

    def list_repositories(self) -> tuple[ListedRepository, ...]:
        """Repositories that the App is installed for."""
        lacking = manifest.find_missing_abilities(self._app.get_permissions())
        return tuple(
            ListedRepository(conversion.convert_repository(one), lacking, one.topics, one.archived)
            for one in self._app.list_repositories()
        )

    def read_repository(self, path: str) -> ListedRepository:
        found = conversion.convert_repository(self._hub.read_one(wire.RepositoryAnswer, repository_path(path)))
        return ListedRepository(found, manifest.find_missing_abilities(self._app.get_permissions()))

    def find_refused_requests(self, repository: ForgeRepository | None) -> tuple[RefusedRequest, ...]:
        """Requests refused by the permissions of the token of the App, and those refused when tried."""
        return find_missing_permissions(self._app, repository)

    def list_changes(self, repository: ForgeRepository, state: ChangeState, since: str = "") -> tuple[Change, ...]:
        """Changes, newest update first; pages are read only as far back as `since`."""
        asked = "open" if state is ChangeState.OPEN else "closed"
        path = f"{repository_path(repository)}/pulls"

        def is_older(pull: wire.Pull) -> bool:
            return conversion.convert_moment(pull.updated_at) < since

        pulls = self._hub.read_list(wire.Pull, path, until=is_older, state=asked, sort="updated", direction="desc")
        return tuple(change for change in map(conversion.convert_change, pulls) if change.state is state)

    def read_change(self, repository: ForgeRepository, number: int) -> Change:
        return conversion.convert_change(self._read_pull(repository, number))

    def _read_pull(self, repository: ForgeRepository, number: int) -> wire.Pull:
        return self._hub.read_one(wire.Pull, f"{repository_path(repository)}/pulls/{number}")

    def read_full_change(self, repository: ForgeRepository, number: int, since: str = "") -> Reading:
        """Read one change completely, no older than the answer of REST, nor than `since`."""
        witness = self.read_change(repository, number)  # whatever a delivery says: the web stores those
        try:
            queried = change_query.query_change(self._hub, repository.path, number)
            change = conversion.convert_queried_change(queried.pulled)
        except ForgeError as error:
            why = unknown_from_error(error, "the reviews, the timeline and the checks of the change", _NEEDED)
            return self._make_unread(witness, why)
        if self._is_stale(repository, change, since, witness):
            why = Unknown("GitHub returned an older state of the change than before; it is read again")
            return self._make_unread(witness, why)
        moved = self._read_moves(repository, change, queried)
        given = change_query.convert_part(
            queried.reviews, lambda found: change_query.parse_reviews(found, _list_events(queried))
        )
        return Reading(
            change=change,
            read_at=self._now(),
            moves=moved,
            retargets=change_query.convert_part(queried.events, change_query.parse_retargets),
            reviews=given,
            contributors=self._read_contributors(repository, change, queried, moved),
            own_commits=change_query.convert_part(queried.commits, self._find_own_commits),
            writers=change_query.convert_part(queried.reviews, change_query.parse_writers),
            checks=change_query.convert_part(queried.checks, change_query.convert_checks),
            merging=_convert_pending_merge(queried),
        )

    def _make_unread(self, change: Change, why: Unknown) -> Reading:
        return Reading(change, self._now(), why, why, why, why, why, why, why, why)

    def _is_stale(self, repository: ForgeRepository, change: Change, since: str, rest_change: Change) -> bool:
        """Whether the answer, or that of REST, is older than a known state, or the two differ.

        Known is only what was read: a wrong `since` denies this reading, and no later one.
        """
        key = (repository.id, change.number)
        before = self._newest.get(key, "")
        known = max(before, rest_change.updated)
        self._newest[key] = max(known, change.updated)
        same = (rest_change.head, rest_change.target) == (change.head, change.target)
        return change.updated < max(known, since) or rest_change.updated < before or not same

    def _read_moves(
        self, repository: ForgeRepository, change: Change, queried: change_query.QueriedChange
    ) -> Maybe[tuple[Move, ...]]:
        """Read all moves; Unknown only if force pushes are, because a past head may then be missing.

        A whole chain of known moves stays valid until the head is another, or an event shows that the branch may have
        been elsewhere.
        """
        forced = change_query.convert_part(queried.events, change_query.parse_force_pushes)
        if isinstance(queried.events, Unknown):
            return Unknown(f"who pushed could not be read: {queried.events.reason}")
        if isinstance(forced, Unknown):
            return Unknown(f"who pushed could not be read: {forced.reason}")
        where = (change.source_repository, change.source, change.head, change.opened)
        elsewhere = change_query.select_branch_events(queried.events.value)
        return Known(
            self._hub.answer_cache.read_once(
                tuple[Move, ...],
                ("moves", repository.id, str(change.number)),
                (where, elsewhere),
                lambda: moves.collect_moves(change, self._read_activity(change), forced.value),
                lambda found: all(isinstance(move.who, Known) for move in found),
            )
        )

    def list_pushes(self, repository: ForgeRepository, ref: str, base: str, since: str) -> tuple[Move, ...]:
        """Pushes in the list of the branch activity of GitHub."""

        def is_end(one: wire.Activity) -> bool:
            return push_history.is_past_end(moves.convert_activity(one), base, since)

        listed = self._hub.read_list(wire.Activity, f"{repository_path(repository)}/activity", until=is_end, ref=ref)
        return tuple(moves.convert_activity(one) for one in reversed(listed) if one.ref == ref)

    def list_all_pushes(self, repository: ForgeRepository | str, since: str) -> tuple[Move, ...]:
        """Pushes in the list of the repository activity of GitHub."""
        listed = self._hub.read_list(
            wire.Activity,
            f"{repository_path(repository)}/activity",
            until=lambda one: moves.convert_activity(one).at < since,
        )
        found = (
            (one.ref, moves.convert_activity(one)) for one in reversed(listed) if one.ref.startswith("refs/heads/")
        )
        return tuple(structs.replace(move, ref=ref) for ref, move in found if move.at >= since)

    def _read_activity(self, change: Change) -> Maybe[tuple[wire.Activity, ...]]:
        if not change.source_repository:
            return Unknown("the fork is gone, and who pushed with it")
        try:
            path = f"{repository_path(change.source_repository)}/activity"
            return Known(self._hub.read_list(wire.Activity, path, ref=change.source))
        except ForgeError as error:
            where = change.source_repository
            return Unknown(
                f"who pushed to {where} could not be read: {error.message} (permission Contents: read there)"
            )

    def _read_contributors(
        self,
        repository: ForgeRepository,
        change: Change,
        queried: change_query.QueriedChange,
        moved: Maybe[tuple[Move, ...]],
    ) -> Maybe[tuple[ForgeContributor, ...]]:
        """Requests for work to machines that contributed.

        The commits of suggestions and conflicts name their authors.
        """
        if isinstance(moved, Unknown) or isinstance(queried.events, Unknown) or isinstance(queried.reviews, Unknown):
            return Unknown(
                "who asked a machine to work on it could not be read, for who pushed or reviewed is not known"
            )
        machines = moves.find_machines(change, moved.value)
        if not machines:
            return Known(change_query.find_assignments(machines, queried.events.value))
        try:
            comments = self._read_comments(
                repository, self._read_pull(repository, change.number), queried.reviews.value
            )
        except ForgeError as error:
            return Unknown(f"who asked a machine to work on it could not be read: {error.message}")
        asked = (
            *change_query.find_assignments(machines, queried.events.value),
            *change_query.find_mentions(machines.values(), comments),
        )
        return Known(tuple(dict.fromkeys(asked)))

    def _read_comments(
        self, repository: ForgeRepository, pull: wire.Pull, given: tuple[wire.ReviewNode, ...]
    ) -> list[tuple[Account, str, str]]:
        """Read all comments, of both kinds, and the texts of submitted reviews: author, text and moment."""
        base = repository_path(repository)
        sent = [(one, one.submitted_at) for one in given if one.submitted_at]
        found = [
            (conversion.convert_actor(one.author), one.body, conversion.convert_moment(moment)) for one, moment in sent
        ]
        for path, count in (
            (f"{base}/issues/{pull.number}/comments", pull.comments),
            (f"{base}/pulls/{pull.number}/comments", pull.review_comments),
        ):
            comments = self._hub.read_list(wire.Comment, path)
            if len(comments) < count or count < 0:
                raise ForgeError(ForgeCode.TRUNCATED, "the list of comments is not complete", "It is read again.")
            found += [
                (conversion.convert_account(one.user), one.body or "", conversion.convert_moment(one.created_at))
                for one in comments
            ]
        return found

    def _find_own_commits(self, commits: tuple[wire.PullCommit, ...]) -> tuple[ForgeCommit, ...]:
        return change_query.parse_own_commits(commits, conversion.list_own_addresses(self._hub.rest.base))

    def list_branches(self, repository: ForgeRepository) -> tuple[BranchTip, ...]:
        return tuple(
            map(conversion.convert_branch, self._hub.read_list(wire.Branch, f"{repository_path(repository)}/branches"))
        )

    def read_branch_tip(self, repository: ForgeRepository, ref: str) -> str:
        path = f"{repository_path(repository)}/git/ref/{quote(ref.removeprefix('refs/'), safe='/')}"
        answer = self._hub.rest.get_json(path)
        found = answer.get("object", {}).get("sha") if isinstance(answer, dict) and answer.get("ref") == ref else None
        if not isinstance(found, str) or not found:
            raise malformed_error(path)
        return found

    def read_branch_rules(self, repository: ForgeRepository, ref: str) -> BranchRules:
        """Rules of rulesets and of the older branch protection together."""
        return protection.read_rules(self._hub, repository, ref)

    def read_job_settings(self, repository: ForgeRepository) -> ForgeSettings:
        return job_settings.collect_job_settings(self._hub, repository)

    def list_statuses(self, repository: ForgeRepository, head: str, until: str = "") -> tuple[Check, ...]:
        base = f"{repository_path(repository)}/commits/{quote(head, safe='')}"
        wanted = "all" if until else "latest"
        runs = self._hub.read_counted_list(wire.CheckRun, f"{base}/check-runs", "check_runs", filter=wanted)
        found = [conversion.convert_check_run(run, until) for run in runs]
        found += [conversion.convert_status(one) for one in self._hub.read_list(wire.CommitStatus, f"{base}/statuses")]
        return checks.select_newest(found, until)

    def can_write(self, repository: ForgeRepository, account: Account) -> bool:
        path = f"{repository_path(repository)}/collaborators/{quote(account.login, safe='')}/permission"
        found = self._hub.read_one(wire.RepositoryPermission, path)
        if found.user is None or (account.id and str(found.user.id) != account.id):
            problem = f"the login {account.login} belongs to another account now"
            raise ForgeError(ForgeCode.CHANGED_MEANWHILE, problem, "It is read again.")
        return found.permission in ("admin", "write")

    def list_writers(self, repository: ForgeRepository) -> frozenset[str]:
        """Ids of all collaborators who may push, by any team or organisation."""
        return frozenset(account.id for account in self.list_writer_accounts(repository))

    def list_writer_accounts(self, repository: ForgeRepository) -> tuple[Account, ...]:
        """Accounts of all collaborators who may push, by any team or organisation."""
        listed = self._hub.read_list(wire.User, f"{repository_path(repository)}/collaborators", permission="push")
        return tuple(map(conversion.convert_account, listed))

    def list_standing_reviews(
        self, repository: ForgeRepository, numbers: Collection[int]
    ) -> Mapping[int, StandingReviews]:
        """Standing reviews, by one query for a hundred changes, which also returns write access."""
        return standing_query.read_standing_reviews(self._hub, repository.path, sorted(numbers))

    def read_merge_group(self, repository: ForgeRepository, target: str, head: str) -> MergeGroup:
        return merge_queue.find_merge_group(self._hub, repository, target, head)

    def fetch_header(self) -> Mapping[str, str]:
        """Header for git over HTTP; none without a token."""
        token = self._app.get_token()
        if not token:
            return {}
        word = base64.b64encode(f"x-access-token:{token}".encode()).decode()
        return {"Authorization": f"Basic {word}"}

    def change_ref(self, number: int) -> str:
        return f"refs/pull/{number}/head"


def _list_events(queried: change_query.QueriedChange) -> tuple[wire.TimelineEvent, ...]:
    return queried.events.value if isinstance(queried.events, Known) else ()


def _convert_pending_merge(queried: change_query.QueriedChange) -> Maybe[PendingMerge]:
    if isinstance(queried.queued, Unknown):
        return queried.queued
    entry, automatic = queried.queued.value, queried.pulled.auto_merge_request
    return Known(
        PendingMerge(
            automatic=automatic is not None,
            asked_by=conversion.convert_known_actor(automatic.enabled_by)
            if automatic
            else Unknown("it is not merged by itself"),
            method=automatic.merge_method.lower() if automatic else "",
            queued=entry is not None,
            group=entry.head_commit.oid if entry and entry.head_commit else "",
        )
    )
