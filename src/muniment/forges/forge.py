"""What every forge is asked: one interface in four parts, behind which each vendor stands.

Rules that each forge keeps:

- A method answers wholly or raises `errors.ForgeError`; a list that is not proven complete raises (`TRUNCATED`). In a
  `Reading`, each part that failed is `Unknown` by itself, so that one missing permission does not hide the rest.
- Nothing here judges. What counts, and for whom, is decided from facts (`forges.collect`, `controls.code_review`).
- What is published is given; no method makes up a verdict.
"""

from collections.abc import Collection, Mapping
from typing import NamedTuple, Protocol

from muniment.facts.pipeline import ForgeSettings
from muniment.forges.events import Event
from muniment.forges.rules import BranchRules, Plan, Tip, Wanted
from muniment.forges.shapes import (
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
)
from muniment.forges.statuses import Status
from muniment.http.rate_limits import RateLimit


class Reader(Protocol):
    """Reads; a token that may only read is enough for most of it."""

    def about(self) -> About:
        """The forge and our account there."""

    def limits(self) -> Mapping[str, RateLimit]:
        """All rate limits of our account as last told, by resource (`forges.http.REST`); asks nothing."""

    def requests(self) -> Mapping[str, int]:
        """How many requests were sent so far, by the resource that the forge counts them for."""

    def repositories(self) -> tuple[Listed, ...]:
        """All that the connection sees."""

    def repository(self, path: str) -> Listed:
        """One of them, by its path."""

    def refused_requests(self, repository: Repo | None) -> tuple[RefusedRequest, ...]:
        """The kinds of requests that our token or account is refused, each tried once without altering anything.

        Without a repository those alone that are about our account. Raises where it cannot be known.
        """

    def changes(self, repository: Repo, state: State, since: str = "") -> tuple[Change, ...]:
        """Those in that state, updated at or after `since` (a moment, "" for all), newest update first."""

    def change(self, repository: Repo, number: int) -> Change:
        """One of them, without what is around it."""

    def read(self, repository: Repo, number: int, since: str = "") -> Reading:
        """One of them completely. Raises only if the change itself cannot be read.

        `since` is when it was touched last, as the forge's own deliveries told, "" if none did: what is older is old.
        """

    def tips(self, repository: Repo) -> tuple[Tip, ...]:
        """All branches."""

    def tip(self, repository: Repo, ref: str) -> str:
        """Where a branch is now."""

    def pushes(self, repository: Repo, ref: str, base: str, since: str) -> tuple[Move, ...]:
        """The moves of a branch at or after `since` and after it last came to `base`, oldest first, as far as told.

        What is missing is not marked: see `pushed.movers`. `base` "" for a branch that is new.
        """

    def all_pushes(self, repository: Repo | str, since: str) -> tuple[Move, ...]:
        """The moves of all branches at or after `since` (a moment, "" for all), oldest first, as far as told.

        `repository` may be named as `Change.source_repository` does. A push whose branches the forge does not name has
        `new` "".
        """

    def rules(self, repository: Repo, ref: str) -> BranchRules:
        """How the forge protects a branch, whether by a rule of its own or one for a pattern."""

    def settings(self, repository: Repo) -> ForgeSettings:
        """What the forge keeps for jobs and lets them do: names of secrets, never a value. Parts may be Unknown."""

    def statuses(self, repository: Repo, head: str, until: str = "") -> tuple[Check, ...]:
        """The newest of each context and poster on a head: one of ours that is by another account is an incident.

        As they were at the moment `until`, "" for now: one that ended later was pending then.
        """

    def may_write(self, repository: Repo, account: Account) -> bool:
        """Whether that account may write now; it is asked by its login, and answered for its id if that is known."""

    def writers(self, repository: Repo) -> frozenset[str]:
        """The ids of all accounts that may write now. Raises UNSUPPORTED where the forge lists no such thing."""

    def standing_reviews(self, repository: Repo, numbers: Collection[int]) -> Mapping[int, StandingReviews]:
        """Which reviews stand, of many changes at little cost. What cannot be read of one is left out.

        Raises ForgeError for what concerns all of them, and UNSUPPORTED where the forge tells of each by an event.
        """

    def group(self, repository: Repo, target: str, head: str) -> Group:
        """A group of the merge queue or train of `target`. Raises UNSUPPORTED where there is none."""

    def fetch_header(self) -> Mapping[str, str]:
        """The header with which git may fetch and push (`git.mirror`). It holds the token: keep it nowhere."""

    def change_ref(self, number: int) -> str:
        """The ref at the target repository that holds a change's head, such as `refs/pull/7/head`."""


class Publisher(Protocol):
    """Says what was decided, and nothing else."""

    def publish(self, repository: Repo, head: str, status: Status) -> None:
        """A verdict on exactly that head."""

    def comment(self, repository: Repo, number: int, marker: str, text: str) -> None:
        """The one comment that has `marker`, hidden, says `text`; it is edited in place, and removed if that is ""."""

    def ask(self, repository: Repo, number: int, accounts: tuple[str, ...]) -> None:
        """Ask these logins to review."""

    def propose(self, repository: Repo, source: str, target: str, title: str, text: str) -> Change:
        """Open a change from branch `source` (already pushed) to `target`; the open one if there is one already."""

    def merge(self, repository: Repo, number: int, head: str, method: str) -> None:
        """Merge it if its head is still `head`; for forges where our account alone may."""


class Protector(Protocol):
    """Makes the forge itself insist. First a plan that people read, then the same plan done."""

    def plan(self, repository: Repo, wanted: Wanted) -> Plan:
        """What would change. Called at every reconcile pass too: steps are then drift."""

    def apply(self, repository: Repo, plan: Plan) -> BranchRules:
        """Do it, and read back what holds. Raises CHANGED_MEANWHILE if the rules are no longer `plan.before`."""

    def delete_secret(self, repository: Repo, name: str) -> None:
        """Delete what the repository itself keeps for jobs by this name; no value is read for it.

        Raises ForgeError, NOT_FOUND too for what an organisation, a group or an environment keeps.
        """

    def hook(self, repository: Repo, url: str, secret: str) -> None:
        """Tell `url` of events, signed with `secret`; an existing hook of that address is renewed."""


class Listener(Protocol):
    """What the forge's deliveries mean. Asks nothing of the network."""

    def genuine(self, secret: str, headers: Mapping[str, str], body: bytes) -> bool:
        """Whether the signature (or token) is right, in constant time and before anything is parsed.

        `headers` by lower-case name. False for an empty secret.
        """

    def heard(self, headers: Mapping[str, str], body: bytes) -> Event:
        """What a genuine delivery says. Raises MALFORMED for one that cannot be understood."""


class Forge(NamedTuple):
    """One connection. `name` stands before logins in identities: `login:<name>/ada`."""

    name: str
    reader: Reader
    publisher: Publisher
    protector: Protector
    listener: Listener
