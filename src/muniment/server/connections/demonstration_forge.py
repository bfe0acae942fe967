"""Forge of the demonstration: answers from a file in the home, so that nothing is sent anywhere.

In a home that is marked as a demonstration it stands in for every connected forge, in `muniment demo` and later in the
worker: changes are read, evaluated and shown as always.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from django.utils.translation import gettext as _

from muniment.errors import ForgeCode, ForgeError, GitError
from muniment.facts.maybe import Known, Maybe, Unknown
from muniment.facts.pipeline import ForgeSettings
from muniment.forges import forge_connection
from muniment.forges.branch_rules import BranchRules, BranchTip, ProtectionPlan, RequiredStatus, WantedProtection
from muniment.forges.forge import Forge
from muniment.forges.reviews import summarize_standing
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
    PendingMerge,
    Reading,
    RefusedRequest,
    Review,
    StandingReviews,
    Vendor,
)
from muniment.forges.statuses import Status, StatusState, make_context
from muniment.git.mirror import Mirror
from muniment.git.repository import Repository as Git
from muniment.http.rate_limits import RateLimit
from muniment.server.connections.demonstration_forge_file import (
    MAIN,
    OURS,
    StoredChange,
    StoredForge,
    StoredMove,
    StoredRepository,
    load_forges,
)

_STATES = {StatusState.PENDING: "pending", StatusState.ALLOWED: "success", StatusState.DENIED: "failure"}


def open_demonstration_forge(home: Path, vendor: Vendor, url: str, name: str) -> Forge:
    """Forge that stands in for a connection."""
    world = _World(home, vendor, url, name)
    return Forge(name, _Reader(world), _Publisher(world), _Protector(world), forge_connection.make_listener(vendor))


class DemonstrationMirror(Mirror):
    """Copy that has all commits already: nothing is fetched."""

    def fetch_refs(
        self, refs: Collection[str], gathered: Collection[str] = (), commits: Iterable[str] = ()
    ) -> frozenset[str]:
        """Commits among these that are not here."""
        wanted = sorted(set(commits))
        with self.open_copy() as git:
            kinds = git.objects.read_kinds(wanted) if wanted else []
        return frozenset(one for one, kind in zip(wanted, kinds, strict=True) if not kind)

    def list_remote_refs(self, refs: Collection[str]) -> dict[str, str]:
        """Refs among these that are here, with their values."""
        with self.open_copy() as git:
            return git.read_refs(*(ref.removesuffix("*") for ref in refs))

    def list_all_remote_refs(self) -> dict[str, str]:
        """Branches here, with their values."""
        return self.list_remote_refs(["refs/heads/*"])

    def fetch_large_files(self, pairs: Iterable[tuple[str, str]]) -> None:
        """No file is missing."""

    def push_commit(self, repository: Git, commit: str, branch: str, before: str = "") -> None:
        """Refuse: the demonstration has no server to push to. Raises GitError."""
        raise GitError(_("the demonstration pushes nothing"), _("Connect a forge in a home of your own."))


@dataclass
class _World:
    """Contents of one forge, and the statuses that were published since this process started."""

    home: Path
    vendor: Vendor
    url: str
    name: str
    posted: dict[tuple[str, str], Check] = field(default_factory=dict)

    @property
    def accounts(self) -> Mapping[str, str]:
        """Ids of accounts by login."""
        return load_forges(self.home).accounts

    @property
    def forge(self) -> StoredForge:
        """Forge as the file has it now. Raises ForgeError for one that does not accept the credential."""
        found = load_forges(self.home).forges.get(self.name, StoredForge())
        if not found.accepts_credential:
            raise ForgeError(
                ForgeCode.NOT_SIGNED_IN,
                _("%(url)s does not accept the credential") % {"url": self.url},
                _("Store a new one on the connection's page."),
            )
        return found

    def find_account(self, login: str) -> Account:
        return Account(self.accounts.get(login, ""), login, login in (OURS, "update-bot", "ci"))

    def find_repository(self, repository: ForgeRepository | str) -> StoredRepository:
        name = repository if isinstance(repository, str) else repository.id
        found = next((one for one in self.forge.repositories.values() if name in (one.id, one.path)), None)
        if found is None:
            raise ForgeError(
                ForgeCode.NOT_FOUND, _("%(name)s: there is no such repository") % {"name": name}, _("Check its name.")
            )
        return found

    def describe_repository(self, stored: StoredRepository) -> ForgeRepository:
        place = f"{self.url}/{stored.path}"
        return ForgeRepository(stored.id, stored.path, MAIN, f"{place}.git", place)

    def make_change(self, stored: StoredRepository, change: StoredChange) -> Change:
        known = change.state is ChangeState.MERGED
        merged_by: Maybe[Account] = Known(self.find_account(change.merged_by)) if known else Unknown("it is not merged")
        return Change(
            number=change.number,
            title=change.title,
            text="",
            state=change.state,
            draft=False,
            opener=self.find_account(change.opener),
            target=MAIN,
            base=change.base,
            source=change.source,
            source_repository=stored.id,
            head=change.head,
            labels=(),
            opened=change.opened,
            updated=change.updated,
            url=f"{self.url}/{stored.path}/pull/{change.number}",
            merged=change.merged,
            merged_by=merged_by,
            merged_at=change.merged_at,
        )

    def make_move(self, move: StoredMove) -> Move:
        return Move(move.old, move.new, (), False, Known(self.find_account(move.login)), move.at, move.ref)

    def make_reviews(self, change: StoredChange) -> tuple[Review, ...]:
        return tuple(
            Review(f"{change.number}-{place}", self.find_account(one.login), one.state, one.head, one.at)
            for place, one in enumerate(change.reviews)
        )


class _Reader:
    def __init__(self, world: _World) -> None:
        self._world = world

    def describe_forge(self) -> ForgeDescription:
        return ForgeDescription(self._world.vendor, "demonstration", "", self._world.find_account(OURS))

    def get_rate_limits(self) -> Mapping[str, RateLimit]:
        return {}

    def count_requests(self) -> Mapping[str, int]:
        return {"rest": 0}

    def list_repositories(self) -> tuple[ListedRepository, ...]:
        return tuple(self._list_repository(one) for one in self._world.forge.repositories.values())

    def read_repository(self, path: str) -> ListedRepository:
        return self._list_repository(self._world.find_repository(path))

    def _list_repository(self, stored: StoredRepository) -> ListedRepository:
        return ListedRepository(self._world.describe_repository(stored), tuple(stored.missing_abilities))

    def find_refused_requests(self, repository: ForgeRepository | None) -> tuple[RefusedRequest, ...]:
        return tuple(self._world.forge.refused_requests)

    def list_changes(self, repository: ForgeRepository, state: ChangeState, since: str = "") -> tuple[Change, ...]:
        stored = self._world.find_repository(repository)
        found = [one for one in stored.changes.values() if one.state is state and one.updated >= since]
        newest = sorted(found, key=lambda one: one.updated, reverse=True)
        return tuple(self._world.make_change(stored, one) for one in newest)

    def read_change(self, repository: ForgeRepository, number: int) -> Change:
        stored = self._world.find_repository(repository)
        return self._world.make_change(stored, self._find_change(stored, number))

    def read_full_change(self, repository: ForgeRepository, number: int, since: str = "") -> Reading:
        stored = self._world.find_repository(repository)
        change = self._find_change(stored, number)
        reviews = self._world.make_reviews(change)
        return Reading(
            change=self._world.make_change(stored, change),
            read_at=change.updated,
            moves=Known(tuple(map(self._world.make_move, change.moves))),
            retargets=Known(()),
            reviews=Known(reviews),
            contributors=Known(()),
            own_commits=Known(()),
            writers=Known({one.by.id: True for one in reviews}),
            checks=Known(self._make_checks(change)),
            merging=Known(PendingMerge(False, Unknown("nobody requested it"), "squash")),
            addresses=Known({}),
        )

    @staticmethod
    def _find_change(stored: StoredRepository, number: int) -> StoredChange:
        if number not in stored.changes:
            raise ForgeError(
                ForgeCode.NOT_FOUND,
                _("there is no pull request %(number)s") % {"number": number},
                _("Check its number."),
            )
        return stored.changes[number]

    def _make_checks(self, change: StoredChange) -> tuple[Check, ...]:
        state = "success" if change.tests_pass else "failure"
        return (Check("tests", state, self._world.find_account("ci"), "", "", change.updated),)

    def list_branches(self, repository: ForgeRepository) -> tuple[BranchTip, ...]:
        stored = self._world.find_repository(repository)
        return (BranchTip(MAIN, stored.tip, stored.protected),)

    def read_branch_tip(self, repository: ForgeRepository, ref: str) -> str:
        return self._world.find_repository(repository).tip

    def list_pushes(self, repository: ForgeRepository, ref: str, base: str, since: str) -> tuple[Move, ...]:
        return tuple(one for one in self.list_all_pushes(repository, since) if one.ref == ref)

    def list_all_pushes(self, repository: ForgeRepository | str, since: str) -> tuple[Move, ...]:
        stored = self._world.find_repository(repository)
        moves = [*stored.moves, *(move for change in stored.changes.values() for move in change.moves)]
        found = sorted((one for one in moves if one.at >= since), key=lambda one: one.at)
        return tuple(map(self._world.make_move, found))

    def read_branch_rules(self, repository: ForgeRepository, ref: str) -> BranchRules:
        stored = self._world.find_repository(repository)
        if not stored.protected:
            return BranchRules(ref)
        ours = self._world.find_account(OURS)
        return BranchRules(
            ref,
            protected=True,
            required_statuses=(RequiredStatus(make_context(ref), ours.id),),
            approvals=1,
            stale_dismissed=True,
            rejection_blocks=True,
            pushers=(),
            force_push=False,
            deletable=False,
            bypass=tuple(stored.bypassers),
            methods=("squash",),
        )

    def read_job_settings(self, repository: ForgeRepository) -> ForgeSettings:
        stored = self._world.find_repository(repository)
        names = tuple(stored.secrets)
        return ForgeSettings(self._world.vendor.value, Known(names), Known(False), Known(False), Known(False))

    def list_statuses(self, repository: ForgeRepository, head: str, until: str = "") -> tuple[Check, ...]:
        stored = self._world.find_repository(repository)
        changes = [one for one in stored.changes.values() if head in (one.head, one.merged)]
        ours = [check for (at, _context), check in self._world.posted.items() if at == head]
        return (*(check for one in changes for check in self._make_checks(one)), *ours)

    def can_write(self, repository: ForgeRepository, account: Account) -> bool:
        return account.login in self._world.accounts

    def list_writers(self, repository: ForgeRepository) -> frozenset[str]:
        return frozenset(self._world.accounts.values())

    def list_writer_accounts(self, repository: ForgeRepository) -> tuple[Account, ...]:
        return tuple(map(self._world.find_account, self._world.accounts))

    def list_standing_reviews(
        self, repository: ForgeRepository, numbers: Collection[int]
    ) -> Mapping[int, StandingReviews]:
        stored = self._world.find_repository(repository)
        there = [stored.changes[number] for number in numbers if number in stored.changes]
        return {one.number: StandingReviews(summarize_standing(self._world.make_reviews(one))) for one in there}

    def read_merge_group(self, repository: ForgeRepository, target: str, head: str) -> MergeGroup:
        raise _make_unsupported_error()

    def fetch_header(self) -> Mapping[str, str]:
        return {}

    def change_ref(self, number: int) -> str:
        return f"refs/pull/{number}/head"


class _Publisher:
    def __init__(self, world: _World) -> None:
        self._world = world

    def publish_status(self, repository: ForgeRepository, head: str, status: Status) -> None:
        ours = self._world.find_account(OURS)
        check = Check(status.context, _STATES[status.saying], ours, status.summary, status.url, "")
        self._world.posted[head, status.context] = check

    def update_comment(self, repository: ForgeRepository, number: int, marker: str, text: str) -> None:
        """Comments are not kept."""

    def request_reviews(self, repository: ForgeRepository, number: int, logins: tuple[str, ...]) -> None:
        """Do nothing: the demonstration notifies nobody."""

    def open_change(self, repository: ForgeRepository, source: str, target: str, title: str, text: str) -> Change:
        raise _make_unsupported_error()

    def edit_change(self, repository: ForgeRepository, number: int, edit: ChangeEdit) -> None:
        raise _make_unsupported_error()

    def merge_change(self, repository: ForgeRepository, number: int, head: str, method: str) -> None:
        raise _make_unsupported_error()


class _Protector:
    def __init__(self, world: _World) -> None:
        self._world = world

    def plan_protection(self, repository: ForgeRepository, wanted: WantedProtection) -> ProtectionPlan:
        return ProtectionPlan(
            repository.path, wanted, _Reader(self._world).read_branch_rules(repository, wanted.ref), (), ()
        )

    def apply_protection(self, repository: ForgeRepository, plan: ProtectionPlan) -> BranchRules:
        return plan.before

    def delete_secret(self, repository: ForgeRepository, name: str) -> None:
        raise _make_unsupported_error()

    def register_webhook(self, repository: ForgeRepository, url: str, secret: str) -> None:
        """Events are read by the reconciliation alone."""


def _make_unsupported_error() -> ForgeError:
    return ForgeError(
        ForgeCode.UNSUPPORTED,
        _("the forge of the demonstration does not do that"),
        _("Connect a forge in a home of your own."),
    )
