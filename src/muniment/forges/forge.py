"""The interface of every forge, in four parts, which each vendor implements.

Rules for each implementation:

- A method answers completely or raises `errors.ForgeError`; a list that is not proven complete raises (`TRUNCATED`). In
  a `Reading`, each part that failed is `Unknown` by itself, so that one missing permission does not hide the rest.
- Nothing here is evaluated. Controls decide from facts (`forges.forge_collector`, `controls.code_review`).
- Callers pass what is published; no method makes a decision of its own.
"""

from collections.abc import Collection, Mapping
from typing import NamedTuple, Protocol, runtime_checkable

from muniment.facts.pipeline import ForgeSettings
from muniment.forges.branch_rules import BranchRules, BranchTip, ProtectionPlan, WantedProtection
from muniment.forges.events import ForgeEvent
from muniment.forges.shapes import (
    Account,
    Change,
    ChangeEdit,
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
)
from muniment.forges.statuses import Status
from muniment.http.rate_limits import RateLimit


class Reader(Protocol):
    """Read access to a forge; a token with read permissions is enough for most of it."""

    def describe_forge(self) -> ForgeDescription:
        """The forge and our account there."""

    def get_rate_limits(self) -> Mapping[str, RateLimit]:
        """Rate limits of our account as last returned, by resource (`REST`). Sends no request."""

    def count_requests(self) -> Mapping[str, int]:
        """Number of requests sent so far, by the resource that the forge counts them for."""

    def list_repositories(self) -> tuple[ListedRepository, ...]:
        """List all repositories that the connection can see."""

    def read_repository(self, path: str) -> ListedRepository:
        """Read one repository, by its path."""

    def find_refused_requests(self, repository: ForgeRepository | None) -> tuple[RefusedRequest, ...]:
        """Kinds of requests that our token or account is refused. Each is tried once and alters nothing.

        Without a repository: only those about our account. Raises where this cannot be determined.
        """

    def list_changes(self, repository: ForgeRepository, state: ChangeState, since: str = "") -> tuple[Change, ...]:
        """Changes in a state, updated at or after `since` (a moment, "" for all), newest update first."""

    def read_change(self, repository: ForgeRepository, number: int) -> Change:
        """Read one change, without its reviews, pushes and checks."""

    def read_full_change(self, repository: ForgeRepository, number: int, since: str = "") -> Reading:
        """Read one change completely. Raises only if the change itself cannot be read.

        `since`: moment of its last update by a delivery, "" for none. An older answer is stale; a newer one is not
        therefore the newest.
        """

    def list_branches(self, repository: ForgeRepository) -> tuple[BranchTip, ...]:
        """List all branches, each with its tip."""

    def read_branch_tip(self, repository: ForgeRepository, ref: str) -> str:
        """Commit at which a branch is now."""

    def list_pushes(self, repository: ForgeRepository, ref: str, base: str, since: str) -> tuple[Move, ...]:
        """Moves of a branch at or after `since` and after it last came to `base`, oldest first, as far as known.

        Gaps are not marked: see `push_history.find_movers`. `base` is "" for a new branch.
        """

    def list_all_pushes(self, repository: ForgeRepository | str, since: str) -> tuple[Move, ...]:
        """Moves of all branches at or after `since` (a moment, "" for all), oldest first, as far as known.

        `repository` may be named as in `Change.source_repository`. A push whose branches the forge does not name has
        `new` "", and so has the beginning of a branch at a commit that the forge does not name.
        """

    def read_branch_rules(self, repository: ForgeRepository, ref: str) -> BranchRules:
        """Rules by which the forge protects a branch: its own rule, or one for a pattern."""

    def read_job_settings(self, repository: ForgeRepository) -> ForgeSettings:
        """Settings and names of secrets that the forge has for jobs, never a value. Parts may be Unknown."""

    def list_statuses(self, repository: ForgeRepository, head: str, until: str = "") -> tuple[Check, ...]:
        """The newest status of each context and poster on a head, as it was at the moment `until`, "" for now.

        A status that ended later was pending then. One with our context that another account posted is an incident.
        """

    def can_write(self, repository: ForgeRepository, account: Account) -> bool:
        """Whether an account may write now.

        The forge is queried by login; the answer is for the id, if that is known.
        """

    def list_writers(self, repository: ForgeRepository) -> frozenset[str]:
        """Ids of all accounts that may write now. Raises UNSUPPORTED where the forge has no such list."""

    def list_writer_accounts(self, repository: ForgeRepository) -> tuple[Account, ...]:
        """List all accounts that may write now. Raises UNSUPPORTED where the forge has no such list."""

    def list_standing_reviews(
        self, repository: ForgeRepository, numbers: Collection[int]
    ) -> Mapping[int, StandingReviews]:
        """Reviews that stand, of many changes at little cost. A change that cannot be read is left out.

        Raises ForgeError for an error of all of them, and UNSUPPORTED where the forge sends an event for each.
        """

    def read_merge_group(self, repository: ForgeRepository, target: str, head: str) -> MergeGroup:
        """A group of the merge queue or train of `target`. Raises UNSUPPORTED where there is none."""

    def fetch_header(self) -> Mapping[str, str]:
        """Header with which git may fetch and push (`git.mirror`). It contains the token: never store it."""

    def change_ref(self, number: int) -> str:
        """Ref at the target repository that points to a change's head, such as `refs/pull/7/head`."""


@runtime_checkable
class NewestChangesReader(Protocol):
    """Reader that is allowed so few requests that it lists only the newest changes, for a replay."""

    def list_newest_changes(self, repository: ForgeRepository, state: ChangeState) -> tuple[Change, ...]:
        """Some of the newest changes in a state; not a complete list."""


class Publisher(Protocol):
    """Publishes decisions at a forge, and nothing else."""

    def publish_status(self, repository: ForgeRepository, head: str, status: Status) -> None:
        """Publish a decision on exactly that head."""

    def update_comment(self, repository: ForgeRepository, number: int, marker: str, text: str) -> None:
        """Set the text of the one comment with the hidden `marker`.

        The comment is created, edited in place, or removed if the text is "".
        """

    def request_reviews(self, repository: ForgeRepository, number: int, logins: tuple[str, ...]) -> None:
        """Ask these logins to review."""

    def open_change(self, repository: ForgeRepository, source: str, target: str, title: str, text: str) -> Change:
        """Open a change from branch `source` (already pushed) to `target`; return the open one if there is one."""

    def edit_change(self, repository: ForgeRepository, number: int, edit: ChangeEdit) -> None:
        """Edit a change. A label that the repository does not have is made."""

    def merge_change(self, repository: ForgeRepository, number: int, head: str, method: str) -> None:
        """Merge a change if its head is still `head`; for forges where only our account may merge."""


class Protector(Protocol):
    """Sets up a forge's own branch protection: first a plan that people read, then exactly that plan."""

    def plan_protection(self, repository: ForgeRepository, wanted: WantedProtection) -> ProtectionPlan:
        """Steps that would change. Also called at every reconcile pass, where steps mean drift."""

    def apply_protection(self, repository: ForgeRepository, plan: ProtectionPlan) -> BranchRules:
        """Apply a plan and return the rules as read back.

        Raises CHANGED_MEANWHILE if they are no longer `plan.before`.
        """

    def delete_secret(self, repository: ForgeRepository, name: str) -> None:
        """Delete what the repository itself keeps for jobs by this name; no value is read for it.

        Raises ForgeError, NOT_FOUND too for what an organisation, a group or an environment keeps.
        """

    def register_webhook(self, repository: ForgeRepository, url: str, secret: str) -> None:
        """Send events to `url`, signed with `secret`; an existing webhook of that address is updated."""


class Listener(Protocol):
    """Parses a forge's webhook deliveries, without any request."""

    def is_genuine(self, secret: str, headers: Mapping[str, str], body: bytes) -> bool:
        """Whether the signature (or token) is right, in constant time and before anything is parsed.

        `headers` by lower-case name. False for an empty secret.
        """

    def parse_event(self, headers: Mapping[str, str], body: bytes) -> ForgeEvent:
        """Event of a genuine delivery. Raises MALFORMED for one that cannot be parsed."""


class Forge(NamedTuple):
    """Four interfaces of one connection. `name` stands before logins in identities: `login:<name>/ada`."""

    name: str
    reader: Reader
    publisher: Publisher
    protector: Protector
    listener: Listener
