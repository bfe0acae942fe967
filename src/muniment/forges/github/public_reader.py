"""Reads public repositories of GitHub without a token, for a replay alone: by REST, since GraphQL takes a token.

GitHub allows 60 requests an hour without one, so nothing is asked that changes no result: commits and events only of a
change that somebody reviewed. Pushers and write access are shown to tokens alone: both stay Unknown.
"""

from collections.abc import Callable, Iterable
from typing import TypeVar

from msgspec import Struct

from muniment.errors import ForgeCode, ForgeError
from muniment.facts.maybe import Known, Maybe, Unknown
from muniment.facts.pipeline import ForgeSettings
from muniment.forges.forge_client import QueryValue
from muniment.forges.github import app, conversion, wire
from muniment.forges.github.client import repository_path
from muniment.forges.github.reader import GitHubReader
from muniment.forges.shapes import (
    NOT_READ,
    UNKNOWN_ACCOUNT,
    Account,
    Change,
    ChangeState,
    ForgeCommit,
    ForgeDescription,
    ForgeRepository,
    Reading,
    Retarget,
    Review,
    ReviewState,
    Vendor,
)
from muniment.forges.unknowns import read_or_unknown

T = TypeVar("T")
V = TypeVar("V")
_FOR_TOKENS = Unknown("GitHub tells it to a token alone")
_NEWEST = 100
_MOST_COMMITS = 250  # GitHub lists no more commits of a pull request
_STATES = {"approved": ReviewState.APPROVED, "changes_requested": ReviewState.CHANGES_REQUESTED}


class _Review(Struct, frozen=True):
    """Review as REST lists it; those that only comment have other states."""

    id: int
    state: str
    user: wire.User | None
    commit_id: str | None = None
    submitted_at: str | None = None


class _DismissedReview(Struct, frozen=True):
    """State of a review before it was dismissed."""

    state: str
    review_id: int = 0


class _Event(Struct, frozen=True):
    """Event of an issue or a pull request."""

    event: str
    created_at: str
    actor: wire.User | None = None
    requested_reviewer: wire.User | None = None
    dismissed_review: _DismissedReview | None = None


class _Signature(Struct, frozen=True):
    """Name and address of an author or a committer, as the commit states them."""

    email: str | None = None


class _Verification(Struct, frozen=True):
    """GitHub's check of a commit's signature."""

    verified: bool = False


class _CommitData(Struct, frozen=True):
    """Commit as git has it, and GitHub's check of its signature."""

    author: _Signature | None = None
    committer: _Signature | None = None
    verification: _Verification | None = None


class _LinkedAccount(Struct, frozen=True):
    """Account to which GitHub links an address. `{}` where it links none."""

    id: int | None = None
    login: str | None = None
    type: str = ""


class _ListedCommit(Struct, frozen=True):
    """Commit of a pull request, with the accounts to which GitHub links its addresses."""

    sha: str
    commit: _CommitData
    author: _LinkedAccount | None = None
    committer: _LinkedAccount | None = None


class PublicGitHubReader(GitHubReader):
    """See the module. Changes of the newest list are not asked for again."""

    def __init__(self, identity: app.GitHubIdentity, now: Callable[[], str]) -> None:
        super().__init__(identity, now)
        self._listed: dict[tuple[str, int], Change] = {}

    def describe_forge(self) -> ForgeDescription:
        """Without a token there is no account, and nothing is asked."""
        return ForgeDescription(Vendor.GITHUB, "", "", UNKNOWN_ACCOUNT)

    def list_newest_changes(self, repository: ForgeRepository, state: ChangeState) -> tuple[Change, ...]:
        """Changes in a state among the newest hundred by their last update: one request."""
        asked = "open" if state is ChangeState.OPEN else "closed"
        path = f"{repository_path(repository)}/pulls"
        query: dict[str, QueryValue] = {"state": asked, "sort": "updated", "direction": "desc", "per_page": _NEWEST}
        found = tuple(map(conversion.convert_change, self._hub.read_one(list[wire.Pull], path, **query)))
        self._listed.update({(repository.id, change.number): change for change in found})
        return tuple(change for change in found if change.state is state)

    def read_full_change(self, repository: ForgeRepository, number: int, since: str = "") -> Reading:
        """Raises RATE_LIMITED for any part: nothing further can be read then."""
        listed = self._listed.get((repository.id, number))
        change = listed if listed is not None and listed.updated >= since else self.read_change(repository, number)
        base = repository_path(repository)
        given = _read_part(lambda: self._hub.read_list(_Review, f"{base}/pulls/{number}/reviews"), "the reviews")
        counting = [one for one in given.value if _is_counting(one)] if isinstance(given, Known) else []
        events: Maybe[tuple[_Event, ...]] = Known(())
        commits: Maybe[tuple[_ListedCommit, ...]] = Known(())
        if counting:
            events = _read_part(lambda: self._hub.read_list(_Event, f"{base}/issues/{number}/events"), "its events")
            commits = _read_part(
                lambda: self._hub.read_list(_ListedCommit, f"{base}/pulls/{number}/commits"), "its commits"
            )
        reviews = _convert(events, lambda all: _parse_reviews(counting, all))
        own = conversion.list_own_addresses(self._hub.rest.base)
        return Reading(
            change=change,
            read_at=self._now(),
            moves=_FOR_TOKENS,
            retargets=_convert(events, _parse_retargets),
            reviews=given if isinstance(given, Unknown) else reviews,
            contributors=_FOR_TOKENS,
            own_commits=_convert(commits, lambda all: _find_own_commits(all, own)),
            writers=_FOR_TOKENS,
            checks=NOT_READ,
            merging=_FOR_TOKENS,
            addresses=_convert(commits, _find_addresses) if counting else NOT_READ,
        )

    def read_job_settings(self, repository: ForgeRepository) -> ForgeSettings:  # noqa: ARG002 -- the interface's
        """All Unknown: not asked, since GitHub would refuse it."""
        return ForgeSettings(Vendor.GITHUB.value, _FOR_TOKENS, _FOR_TOKENS, _FOR_TOKENS, _FOR_TOKENS)


def _read_part(read: Callable[[], T], what: str) -> Maybe[T]:
    """Result of `read`, or Unknown. Raises if the rate limit is used up."""
    try:
        return Known(read())
    except ForgeError as error:
        if error.code is ForgeCode.RATE_LIMITED:
            raise
        return Unknown(f"{what} could not be read: {error.message}")


def _convert(part: Maybe[T], convert: Callable[[T], V]) -> Maybe[V]:
    return part if isinstance(part, Unknown) else read_or_unknown(lambda: convert(part.value))


def _is_counting(review: _Review) -> bool:
    return review.state.casefold() in (*_STATES, "dismissed")


def _parse_reviews(reviews: Iterable[_Review], events: tuple[_Event, ...]) -> tuple[Review, ...]:
    """Approvals and requests for changes. Raises if the commit or the dismissed state of one is missing."""
    found = []
    for review in reviews:
        ended = _find_dismissal(review, events) if review.state.casefold() == "dismissed" else None
        state = ended.dismissed_review.state if ended and ended.dismissed_review else review.state
        converted = _STATES.get(state.casefold())
        if converted is None:
            continue
        if not review.commit_id or not review.submitted_at or review.user is None:
            raise ForgeError(ForgeCode.TRUNCATED, "GitHub no longer tells who reviewed which commit", "Use a token.")
        at = conversion.convert_moment(review.submitted_at)
        found.append(
            Review(
                id=str(review.id),
                by=conversion.convert_account(review.user),
                state=converted,
                commit=review.commit_id,
                at=at,
                dismissed=ended is not None,
                dismissed_by=conversion.convert_known_account(ended.actor) if ended else Unknown("it stands"),
                dismissed_at=conversion.convert_moment(ended.created_at) if ended else "",
                asked_again=_find_rerequest(review.user, at, events),
            )
        )
    return tuple(found)


def _find_dismissal(review: _Review, events: Iterable[_Event]) -> _Event:
    for event in events:
        ended = event.dismissed_review
        if event.event == "review_dismissed" and ended is not None and ended.review_id == review.id:
            return event
    raise ForgeError(ForgeCode.TRUNCATED, "GitHub does not return the state of a dismissed review", "Use a token.")


def _find_rerequest(author: wire.User, at: str, events: Iterable[_Event]) -> str:
    asked = [
        conversion.convert_moment(event.created_at)
        for event in events
        if event.event == "review_requested"
        and event.requested_reviewer is not None
        and event.requested_reviewer.id == author.id
    ]
    return min((moment for moment in asked if moment > at), default="")


def _parse_retargets(events: Iterable[_Event]) -> tuple[Retarget, ...]:
    """None. Raises if the target was changed: REST does not tell from where."""
    if any(event.event in ("base_ref_changed", "automatic_base_change_succeeded") for event in events):
        problem = "the change was pointed at another branch; GitHub shows the former one to a token alone"
        raise ForgeError(ForgeCode.NOT_SIGNED_IN, problem, "Use a token.")
    return ()


def _find_own_commits(commits: tuple[_ListedCommit, ...], addresses: Iterable[str]) -> tuple[ForgeCommit, ...]:
    """Commits that GitHub made itself, with a signature that it verified. Raises if there are more than it lists."""
    if len(commits) >= _MOST_COMMITS:
        raise ForgeError(ForgeCode.TRUNCATED, "the list of commits is not known to be complete", "Use a token.")
    return tuple(
        ForgeCommit(one.sha, address)
        for one in commits
        for address in addresses
        if one.commit.committer is not None
        and one.commit.committer.email == address
        and one.commit.verification is not None
        and one.commit.verification.verified
    )


def _find_addresses(commits: Iterable[_ListedCommit]) -> dict[str, Account]:
    """Accounts to which GitHub links addresses: those that their owners proved."""
    found: dict[str, Account] = {}
    for one in commits:
        for stated, account in ((one.commit.author, one.author), (one.commit.committer, one.committer)):
            address = (stated.email or "").casefold() if stated is not None else ""
            if address and account is not None and account.id is not None and account.login is not None:
                found[address] = Account(str(account.id), account.login, machine=account.type in ("Bot", "App"))
    return found
