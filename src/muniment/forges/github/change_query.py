"""A change read by GraphQL, each of its lists whole or Unknown: reviews, force pushes, retargets, checks."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from muniment.errors import ForgeCode, ForgeError
from muniment.facts.change import ContributorRole
from muniment.facts.maybe import Known, Maybe, Unknown
from muniment.forges.forge_client import decode_answer, truncated_error
from muniment.forges.github import conversion, queries
from muniment.forges.github.client import GitHubClient, GraphQLAnswer
from muniment.forges.github.wire import (
    CheckContext,
    GraphQLActor,
    ListPage,
    PullCommit,
    PullNode,
    QueuePosition,
    ReviewNode,
    TimelineEvent,
)
from muniment.forges.shapes import (
    Account,
    Check,
    ForgeCommit,
    ForgeContributor,
    Move,
    Retarget,
    Review,
    ReviewState,
)
from muniment.forges.unknowns import read_or_unknown

T = TypeVar("T")
V = TypeVar("V")

_MOST_QUESTIONS = 50
_MOST_COMMITS = 250  # GitHub lists no more commits of a pull request
_KINDS: Mapping[str, type[ListPage[Any]]] = {
    "commits": ListPage[PullCommit],
    "reviews": ListPage[ReviewNode],
    "events": ListPage[TimelineEvent],
    "checks": ListPage[CheckContext],
}


class QueriedChange(Struct, frozen=True):
    """GraphQL's answer about a change, each list whole. `pulled` is as on the last page."""

    pulled: PullNode
    commits: Maybe[tuple[PullCommit, ...]]
    reviews: Maybe[tuple[ReviewNode, ...]]
    events: Maybe[tuple[TimelineEvent, ...]]
    checks: Maybe[tuple[CheckContext, ...]]
    queued: Maybe[QueuePosition | None]


def query_change(hub: GitHubClient, path: str, number: int) -> QueriedChange:
    """Query all lists of a change to their ends. Raises if the change was updated while it was read."""
    owner, _, name = path.partition("/")
    cursors: dict[str, str | None] = {}
    found: dict[str, list[Any]] = {name: [] for name in queries.CHANGE_LISTS}
    refused: dict[str, str] = {}
    seen: PullNode | None = None
    for _ in range(_MOST_QUESTIONS):
        answer = hub.run_query(queries.CHANGE_QUERY, owner=owner, name=name, number=number, **cursors)
        pull = _find_pull(answer)
        node = decode_answer(PullNode, pull, "graphql")
        if seen not in (None, node):
            raise ForgeError(
                ForgeCode.CHANGED_MEANWHILE, "the change was touched while it was read", "It is read again."
            )
        seen, more = node, False
        for part in queries.CHANGE_LISTS:
            more |= _add_page(part, pull, answer, found[part], refused, cursors)
        if not more:
            return _make_queried(node, pull, answer, found, refused)
    raise truncated_error("graphql", sum(map(len, found.values())))


def _find_pull(answer: GraphQLAnswer) -> dict[str, object]:
    repository = answer.data.get("repository")
    pull = repository.get("pullRequest") if isinstance(repository, dict) else None
    if not isinstance(pull, dict):
        why = next(iter(answer.refused.values()), "it is not there, or hidden from the App")
        raise ForgeError(ForgeCode.NOT_FOUND, f"GitHub's GraphQL does not show the change: {why}", "It is read again.")
    refused = next((why for path, why in answer.refused.items() if path[2:3] and path[2] in _ITSELF), "")
    if refused:
        problem = f"GitHub's GraphQL does not return the change: {refused}"
        raise ForgeError(ForgeCode.FORBIDDEN, problem, "It is read again.")
    return pull


_ITSELF = frozenset(PullNode.__struct_encode_fields__) - {"headRepository"}  # which a fork may hide


def _add_page(
    part: str,
    pull: Mapping[str, object],
    answer: GraphQLAnswer,
    found: list[Any],
    refused: dict[str, str],
    cursors: dict[str, str | None],
) -> bool:
    """Add one page of a list; whether there is another."""
    why = answer.explain_refusal(*_NEEDED_BY[part])
    raw = _find_checks(pull) if part == "checks" else pull.get(part)
    if why or (raw is None and part != "checks"):
        refused[part] = why or "GitHub gave no list"
        return False
    if raw is None:  # nobody said anything of this head
        return False
    try:
        page = msgspec.convert(raw, _KINDS[part])
    except msgspec.ValidationError:
        refused[part] = "GitHub's answer is of another form"
        return False
    found += page.nodes
    cursors[part] = page.page_info.end_cursor or cursors.get(part)
    if not page.page_info.has_next_page and len(found) != page.total_count and part not in refused:
        refused[part] = f"the list is not complete ({len(found)} of {page.total_count})"
    return bool(page.page_info.has_next_page)


_NEEDED_BY = {
    "commits": ("commits",),
    "reviews": ("reviews", "events"),  # only the timeline has the state before a dismissal
    "events": ("events",),
    "checks": ("tip",),
}


def _find_checks(pull: Mapping[str, object]) -> object:
    """List of checks of the head; None if there are none."""
    try:
        tip: Any = pull["tip"]
        commit = tip["nodes"][0]["commit"]
        return commit["statusCheckRollup"]["checks"] if commit["statusCheckRollup"] is not None else None
    except (KeyError, IndexError, TypeError):
        return False


def _make_queried(
    node: PullNode,
    pull: Mapping[str, object],
    answer: GraphQLAnswer,
    found: Mapping[str, list[Any]],
    refused: Mapping[str, str],
) -> QueriedChange:
    def make_part(name: str, what: str) -> Any:
        why = refused.get(name)
        return Unknown(f"{what} could not be read: {why}") if why else Known(tuple(found[name]))

    why = answer.explain_refusal("mergeQueueEntry", "isInMergeQueue")
    try:
        queued: Maybe[QueuePosition | None] = Known(msgspec.convert(pull.get("mergeQueueEntry"), QueuePosition | None))
    except msgspec.ValidationError:
        why = "GitHub's answer is of another form"
        queued = Unknown(why)
    if why:
        queued = Unknown(f"whether it stands in a merge queue could not be read: {why} (permission Merge queues: read)")
    return QueriedChange(
        pulled=node,
        commits=make_part("commits", "the change's commits"),
        reviews=make_part("reviews", "the reviews"),
        events=make_part("events", "the change's timeline"),
        checks=make_part(
            "checks", "the checks and statuses of the head (permissions Checks and Commit statuses: read)"
        ),
        queued=queued,
    )


def convert_part(part: Maybe[tuple[T, ...]], convert: Callable[[tuple[T, ...]], V]) -> Maybe[V]:
    """A converted list; Unknown if it is Unknown, or if its conversion fails."""
    return part if isinstance(part, Unknown) else read_or_unknown(lambda: convert(part.value))


def parse_force_pushes(events: Iterable[TimelineEvent]) -> tuple[Move, ...]:
    """Force pushes. Raises if the replaced commits are missing: a contributor would be lost."""
    found = [event for event in events if event.typename == "HeadRefForcePushedEvent"]
    if not all(event.before_commit and event.after_commit for event in found):
        raise ForgeError(
            ForgeCode.TRUNCATED,
            "GitHub no longer returns the commits that a force push replaced",
            "Close this change and open a new one of the same commits.",
        )
    return tuple(
        Move(
            event.before_commit.oid,
            event.after_commit.oid,
            (),
            forced=True,
            who=conversion.convert_known_actor(event.actor),
            at=conversion.convert_moment(event.created_at),
        )
        for event in found
        if event.before_commit and event.after_commit
    )


def parse_retargets(events: Iterable[TimelineEvent]) -> tuple[Retarget, ...]:
    """Each change of the target branch, oldest first."""
    found = []
    for event in events:
        old, new = event.previous_ref_name or event.old_base, event.current_ref_name or event.new_base
        if event.typename in ("BaseRefChangedEvent", "AutomaticBaseChangeSucceededEvent"):
            who = conversion.convert_known_actor(event.actor)
            found.append(
                Retarget(f"refs/heads/{old}", f"refs/heads/{new}", who, conversion.convert_moment(event.created_at))
            )
    return tuple(sorted(found, key=lambda retarget: retarget.at))


REVIEW_STATES = {"APPROVED": ReviewState.APPROVED, "CHANGES_REQUESTED": ReviewState.CHANGES_REQUESTED}


def parse_reviews(nodes: Iterable[ReviewNode], events: tuple[TimelineEvent, ...]) -> tuple[Review, ...]:
    """Approvals and requests for changes. Raises if the commit or the dismissed state of one is missing."""
    found = []
    for review in nodes:
        ended = _find_dismissal(review, events) if review.state == "DISMISSED" else None
        state = REVIEW_STATES.get(ended.previous_review_state if ended else review.state)
        if state is None:
            continue
        if review.commit is None or not review.submitted_at:
            raise ForgeError(
                ForgeCode.TRUNCATED,
                "GitHub no longer tells which commit "
                f"{conversion.convert_actor(review.author).login or 'somebody'} reviewed",
                "Ask for the review again.",
            )
        at = conversion.convert_moment(review.submitted_at)
        found.append(
            Review(
                id=str(review.full_database_id),
                by=conversion.convert_actor(review.author),
                state=state,
                commit=review.commit.oid,
                at=at,
                dismissed=ended is not None,
                dismissed_by=conversion.convert_known_actor(ended.actor) if ended else Unknown("it was not dismissed"),
                dismissed_at=conversion.convert_moment(ended.created_at) if ended else "",
                asked_again=_find_rerequest(review.author, at, events),
            )
        )
    return tuple(found)


def parse_writers(nodes: Iterable[ReviewNode]) -> dict[str, bool]:
    """Whether each reviewer may write now, by id."""
    found: dict[str, bool] = {}
    for review in nodes:
        by = conversion.convert_actor(review.author)
        if by.id and not by.machine:
            found[by.id] = review.author_can_push_to_repository and found.get(by.id, True)
    return found


def _find_dismissal(review: ReviewNode, events: Iterable[TimelineEvent]) -> TimelineEvent:
    for event in events:
        if event.typename == "ReviewDismissedEvent" and event.review and event.review.id == review.id:
            return event
    raise ForgeError(ForgeCode.TRUNCATED, "GitHub does not return the state of a dismissed review", "It is read again.")


def _find_rerequest(author: GraphQLActor | None, at: str, events: Iterable[TimelineEvent]) -> str:
    asked = [
        conversion.convert_moment(event.created_at)
        for event in events
        if event.typename == "ReviewRequestedEvent"
        and author is not None
        and event.requested_reviewer is not None
        and event.requested_reviewer.database_id == author.database_id
    ]
    return min((moment for moment in asked if moment > at), default="")


def parse_own_commits(commits: tuple[PullCommit, ...], addresses: Iterable[str]) -> tuple[ForgeCommit, ...]:
    """Commits that GitHub made itself. Raises if there are more than it lists.

    Its signature alone is not enough: it also signs what people commit in a codespace, in their own name.
    """
    if len(commits) >= _MOST_COMMITS:
        raise truncated_error("commits", len(commits))
    return tuple(
        ForgeCommit(one.commit.oid, address)
        for one in commits
        for address in addresses
        if _is_signed_by_github(one.commit) and one.commit.committer and one.commit.committer.email == address
    )


def _is_signed_by_github(commit: PullCommit.Commit) -> bool:
    signature = commit.signature
    return signature is not None and signature.is_valid and signature.was_signed_by_git_hub


def convert_checks(contexts: Iterable[CheckContext]) -> tuple[Check, ...]:
    """Checks and statuses of the head, by every system."""
    return tuple(map(conversion.convert_context, contexts))


_OF_BRANCHES = (
    "HeadRefForcePushedEvent",
    "ClosedEvent",
    "ReopenedEvent",
    "HeadRefDeletedEvent",
    "HeadRefRestoredEvent",
)


def select_branch_events(events: Iterable[TimelineEvent]) -> tuple[TimelineEvent, ...]:
    """Events after which a branch may have been elsewhere and is back.

    No other event leads away from a head and back.
    """
    return tuple(event for event in events if event.typename in _OF_BRANCHES)


def find_assignments(machines: Mapping[str, Account], events: Iterable[TimelineEvent]) -> tuple[ForgeContributor, ...]:
    """Assignments of the change: to one of `machines`, or to an account that people.toml may declare a machine."""
    return tuple(
        ForgeContributor(
            "",
            conversion.convert_actor(event.actor),
            ContributorRole.REQUESTER,
            _find_machine(machines, event.assignee),
        )
        for event in events
        if event.typename == "AssignedEvent"
        and event.assignee is not None
        and event.actor is not None
        and event.actor.typename == "User"
    )


_MENTION_NAMES = {"copilot-swe-agent": "copilot"}  # what people write, where it is not the account's name


def find_mentions(
    machines: Iterable[Account], comments: Iterable[tuple[Account, str, str]]
) -> tuple[ForgeContributor, ...]:
    """Comments that mention one of the machines (`@name ...`). `comments`: author, text and moment."""
    return tuple(
        ForgeContributor("", by, ContributorRole.REQUESTER, machine, at)
        for by, text, at in comments
        if not by.machine and by.login
        for machine in machines
        if any(f"@{name}" in text.casefold() for name in _list_names(machine))
    )


def _list_names(machine: Account) -> tuple[str, ...]:
    login = machine.login.removesuffix("[bot]").casefold()
    return (login, _MENTION_NAMES[login]) if login in _MENTION_NAMES else (login,)


def _find_machine(machines: Mapping[str, Account], who: GraphQLActor) -> Account:
    found = conversion.convert_actor(who)
    return machines.get(found.id, found)
