"""What GraphQL tells: a change, and each of its lists whole or Unknown: reviews, force pushes, retargets, checks."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from muniment.errors import ForgeCode, ForgeError
from muniment.facts.change import ContributorRole
from muniment.facts.maybe import Known, Maybe, Unknown
from muniment.forges.github import queries, shaped
from muniment.forges.github.client import Answered, Hub
from muniment.forges.github.wire import Committed, Context, Happening, Part, Pulled, Queued, Reviewed, Who, decoded
from muniment.forges.http import truncated
from muniment.forges.learning import learnt
from muniment.forges.shapes import (
    Account,
    Check,
    ForgeCommit,
    ForgeHand,
    Move,
    Retarget,
    Review,
    Said,
)

T = TypeVar("T")

_MOST_QUESTIONS = 50
_LISTED = 250  # GitHub lists no more commits of a pull request
_KINDS: Mapping[str, Any] = {
    "commits": Part[Committed],
    "reviews": Part[Reviewed],
    "events": Part[Happening],
    "checks": Part[Context],
}


class Queried(Struct, frozen=True):
    """What GraphQL told of a change, each list whole. `pulled` is as the last page told of it."""

    pulled: Pulled
    commits: Maybe[tuple[Committed, ...]]
    reviews: Maybe[tuple[Reviewed, ...]]
    events: Maybe[tuple[Happening, ...]]
    checks: Maybe[tuple[Context, ...]]
    queued: Maybe[Queued | None]


def queried(hub: Hub, path: str, number: int) -> Queried:
    """All lists of a change to their ends. Raises if the change was touched while it was read."""
    owner, _, name = path.partition("/")
    cursors: dict[str, str | None] = {}
    found: dict[str, list[Any]] = {name: [] for name in queries.LISTS}
    refused: dict[str, str] = {}
    seen: Pulled | None = None
    for _ in range(_MOST_QUESTIONS):
        answer = hub.query(queries.CHANGE, owner=owner, name=name, number=number, **cursors)
        pull = _pull(answer)
        told = decoded(Pulled, pull, "graphql")
        if seen not in (None, told):
            raise ForgeError(
                ForgeCode.CHANGED_MEANWHILE, "the change was touched while it was read", "It is read again."
            )
        seen, more = told, False
        for part in queries.LISTS:
            more |= _take(part, pull, answer, found[part], refused, cursors)
        if not more:
            return _queried(told, pull, answer, found, refused)
    raise truncated("graphql", sum(map(len, found.values())))


def _pull(answer: Answered) -> dict[str, Any]:
    repository = answer.data.get("repository")
    pull = repository.get("pullRequest") if isinstance(repository, dict) else None
    if not isinstance(pull, dict):
        why = next(iter(answer.refused.values()), "it is not there, or hidden from the App")
        raise ForgeError(ForgeCode.NOT_FOUND, f"GitHub's GraphQL does not show the change: {why}", "It is read again.")
    refused = next((why for path, why in answer.refused.items() if path[2:3] and path[2] in _ITSELF), "")
    if refused:
        told = f"GitHub's GraphQL does not return the change: {refused}"
        raise ForgeError(ForgeCode.FORBIDDEN, told, "It is read again.")
    return pull


_ITSELF = frozenset(Pulled.__struct_encode_fields__) - {"headRepository"}  # which a fork may hide


def _take(
    part: str,
    pull: Mapping[str, Any],
    answer: Answered,
    found: list[Any],
    refused: dict[str, str],
    cursors: dict[str, str | None],
) -> bool:
    """Take one page of a list; whether there is another."""
    why = answer.why_not(*_NEEDED_BY[part])
    raw = _checks(pull) if part == "checks" else pull.get(part)
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
    "reviews": ("reviews", "events"),  # what a dismissed one said is told by the timeline
    "events": ("events",),
    "checks": ("tip",),
}


def _checks(pull: Mapping[str, Any]) -> Any:
    """The list of checks of the head; None if there are none."""
    try:
        commit = pull["tip"]["nodes"][0]["commit"]
        return commit["statusCheckRollup"]["checks"] if commit["statusCheckRollup"] is not None else None
    except (KeyError, IndexError, TypeError):
        return False


def _queried(
    told: Pulled,
    pull: Mapping[str, Any],
    answer: Answered,
    found: Mapping[str, list[Any]],
    refused: Mapping[str, str],
) -> Queried:
    def part(name: str, what: str) -> Any:
        why = refused.get(name)
        return Unknown(f"{what} could not be read: {why}") if why else Known(tuple(found[name]))

    why = answer.why_not("mergeQueueEntry", "isInMergeQueue")
    try:
        queued: Maybe[Queued | None] = Known(msgspec.convert(pull.get("mergeQueueEntry"), Queued | None))
    except msgspec.ValidationError:
        why = "GitHub's answer is of another form"
        queued = Unknown(why)
    if why:
        queued = Unknown(f"whether it stands in a merge queue could not be read: {why} (permission Merge queues: read)")
    return Queried(
        pulled=told,
        commits=part("commits", "the change's commits"),
        reviews=part("reviews", "the reviews"),
        events=part("events", "the change's timeline"),
        checks=part("checks", "the checks and statuses of the head (permissions Checks and Commit statuses: read)"),
        queued=queued,
    )


def known(part: Maybe[tuple[T, ...]], shape: Callable[[tuple[T, ...]], Any]) -> Any:
    """What a list becomes; Unknown if it is, or if what it says does not fit together."""
    return part if isinstance(part, Unknown) else learnt(lambda: shape(part.value))


def forced(events: Iterable[Happening]) -> tuple[Move, ...]:
    """The force pushes. Raises if what was pushed over is no longer told: somebody's hand would be lost."""
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
            who=shaped.known_who(event.actor),
            at=shaped.moment(event.created_at),
        )
        for event in found
        if event.before_commit and event.after_commit
    )


def retargets(events: Iterable[Happening]) -> tuple[Retarget, ...]:
    """Each time that the change was pointed elsewhere."""
    found = []
    for event in events:
        old, new = event.previous_ref_name or event.old_base, event.current_ref_name or event.new_base
        if event.typename in ("BaseRefChangedEvent", "AutomaticBaseChangeSucceededEvent"):
            who = shaped.known_who(event.actor)
            found.append(Retarget(f"refs/heads/{old}", f"refs/heads/{new}", who, shaped.moment(event.created_at)))
    return tuple(sorted(found, key=lambda retarget: retarget.at))


SAID = {"APPROVED": Said.APPROVED, "CHANGES_REQUESTED": Said.CHANGES_REQUESTED}


def reviews(given: Iterable[Reviewed], events: tuple[Happening, ...]) -> tuple[Review, ...]:
    """The reviews that say something. Raises if one cannot be bound to its commit, or what it said is not told."""
    found = []
    for review in given:
        ended = _dismissal(review, events) if review.state == "DISMISSED" else None
        said = SAID.get(ended.previous_review_state if ended else review.state)
        if said is None:
            continue
        if review.commit is None or not review.submitted_at:
            raise ForgeError(
                ForgeCode.TRUNCATED,
                f"GitHub no longer tells which commit {shaped.who(review.author).login or 'somebody'} reviewed",
                "Ask for the review again.",
            )
        at = shaped.moment(review.submitted_at)
        found.append(
            Review(
                id=str(review.full_database_id),
                by=shaped.who(review.author),
                said=said,
                commit=review.commit.oid,
                at=at,
                dismissed=ended is not None,
                dismissed_by=shaped.known_who(ended.actor) if ended else Unknown("it was not dismissed"),
                dismissed_at=shaped.moment(ended.created_at) if ended else "",
                asked_again=_asked_again(review.author, at, events),
            )
        )
    return tuple(found)


def writers(given: Iterable[Reviewed]) -> dict[str, bool]:
    """Whether each person who reviewed may write now."""
    found: dict[str, bool] = {}
    for review in given:
        by = shaped.who(review.author)
        if by.id and not by.machine:
            found[by.id] = review.author_can_push_to_repository and found.get(by.id, True)
    return found


def _dismissal(review: Reviewed, events: Iterable[Happening]) -> Happening:
    for event in events:
        if event.typename == "ReviewDismissedEvent" and event.review and event.review.id == review.id:
            return event
    raise ForgeError(ForgeCode.TRUNCATED, "GitHub does not return the state of a dismissed review", "It is read again.")


def _asked_again(author: Who | None, at: str, events: Iterable[Happening]) -> str:
    asked = [
        shaped.moment(event.created_at)
        for event in events
        if event.typename == "ReviewRequestedEvent"
        and author is not None
        and event.requested_reviewer is not None
        and event.requested_reviewer.database_id == author.database_id
    ]
    return min((moment for moment in asked if moment > at), default="")


def own_commits(commits: tuple[Committed, ...], addresses: Iterable[str]) -> tuple[ForgeCommit, ...]:
    """The commits that GitHub made itself. Raises if there are more than it lists.

    Its signature alone is not enough: it also signs what people commit in a codespace, in their own name.
    """
    if len(commits) >= _LISTED:
        raise truncated("commits", len(commits))
    return tuple(
        ForgeCommit(one.commit.oid, address)
        for one in commits
        for address in addresses
        if _by_github(one.commit) and one.commit.committer and one.commit.committer.email == address
    )


def _by_github(commit: Committed.Commit) -> bool:
    signature = commit.signature
    return signature is not None and signature.is_valid and signature.was_signed_by_git_hub


def checks(found: Iterable[Context]) -> tuple[Check, ...]:
    """What all systems say of the head."""
    return tuple(map(shaped.context, found))


_OF_BRANCHES = (
    "HeadRefForcePushedEvent",
    "ClosedEvent",
    "ReopenedEvent",
    "HeadRefDeletedEvent",
    "HeadRefRestoredEvent",
)


def of_branch(events: Iterable[Happening]) -> tuple[Happening, ...]:
    """What tells that a branch may have been elsewhere and is back: no other way leads away from a head and back."""
    return tuple(event for event in events if event.typename in _OF_BRANCHES)


def asked(machines: Mapping[str, Account], events: Iterable[Happening]) -> tuple[ForgeHand, ...]:
    """Whoever assigned the change to somebody: to one of `machines`, or to whom people may have declared one."""
    return tuple(
        ForgeHand("", shaped.who(event.actor), ContributorRole.REQUESTER, _as_known(machines, event.assignee))
        for event in events
        if event.typename == "AssignedEvent"
        and event.assignee is not None
        and event.actor is not None
        and event.actor.typename == "User"
    )


_CALLED = {"copilot-swe-agent": "copilot"}  # what people write, where it is not the account's name


def mentioned(machines: Iterable[Account], said: Iterable[tuple[Account, str, str]]) -> tuple[ForgeHand, ...]:
    """Whoever told such a machine, in a comment, to do something: `@name ...`. `said`: who, what and when."""
    return tuple(
        ForgeHand("", by, ContributorRole.REQUESTER, machine, at)
        for by, text, at in said
        if not by.machine and by.login
        for machine in machines
        if any(f"@{name}" in text.casefold() for name in _names(machine))
    )


def _names(machine: Account) -> tuple[str, ...]:
    login = machine.login.removesuffix("[bot]").casefold()
    return (login, _CALLED[login]) if login in _CALLED else (login,)


def _as_known(machines: Mapping[str, Account], who: Who) -> Account:
    found = shaped.who(who)
    return machines.get(found.id, found)
