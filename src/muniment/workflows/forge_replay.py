"""Past changes of a repository at a forge, fetched to this machine for evaluation; nothing is written at the forge."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from msgspec import Struct, structs

from muniment.decision.binding import BoundPolicy
from muniment.errors import ConfigurationError, ForgeCode, ForgeError, GitError
from muniment.facts import kinds
from muniment.facts.change import Revision
from muniment.facts.facts import Fact, Facts
from muniment.facts.maybe import Known, Maybe, Unknown
from muniment.facts.people import Machine, People, Person
from muniment.forges.accounts import list_named_accounts
from muniment.forges.forge import Forge, NewestChangesReader
from muniment.forges.forge_collector import ForgeCollector
from muniment.forges.forge_connection import Connection
from muniment.forges.shapes import Account, Change, ChangeState, ForgeContributor, ForgeRepository, Reading
from muniment.git import landed_base
from muniment.git.git_collector import ASSUMED_PUSHES, GitCollector
from muniment.git.mirror import Mirror
from muniment.git.repository import Repository
from muniment.workflows.branch_replay import Replay, state_fact_names
from muniment.workflows.fact_suppliers import create_fact
from muniment.workflows.forge_changes import fetch_change, require_tip
from muniment.workflows.forge_facts import read_forge_facts, read_test_runs

KnownFacts = Mapping[str, Maybe[object] | Fact]

_NEEDED = tuple(
    kind.name
    for kind in (
        *(kinds.REVISION, kinds.COMMITS, kinds.FILES, kinds.PUSHES, kinds.APPROVED_HEADS, kinds.APPROVALS),
        kinds.LANDED_HEADS,
    )
)
_TEST_RUNS = kinds.TEST_RUNS.name
_SERVICE_ONLY = "only the service knows it, no forge does"


class PastChange(Struct, frozen=True):
    """Past change with its reading, or the reason why it could not be read."""

    change: Change
    reading: Maybe[Reading]


class ForgeReplay(NamedTuple):
    """Input of a replay at a forge: a branch of a repository, its copy here, and a policy."""

    connection: Connection
    forge: Forge
    repository: ForgeRepository
    mirror: Mirror
    policy: BoundPolicy
    target: str
    now: str
    assumes_pushers: bool = False  # where no token shows them

    def read_product_facts(self) -> dict[str, Fact]:
        """Facts of the product, as its branch and the forge have them today; the others are Unknown."""
        names = state_fact_names(self.policy, self.target) - {*_NEEDED, _TEST_RUNS}
        tip = require_tip(self.mirror, self.target)
        with self.mirror.open_copy() as git:
            facts = read_forge_facts(self.forge, self.repository, git, self.target, tip, self.policy, names, self.now)
        return {**{name: create_fact(Unknown(_SERVICE_ONLY), "nobody", self.now) for name in names}, **facts}

    def read_past_facts(self, replay: Replay, each: PastChange, known: KnownFacts) -> Facts:
        """Facts of the commits that the branch received, as if they were proposed now; all Unknown if they could not be
        read.
        """
        given = {name: it for name, it in known.items() if name in replay.names or name in _CORE_FACTS}
        try:
            return self._collect_past_facts(replay, each, given)
        except (GitError, ConfigurationError) as error:
            why = error.message
        change, name = each.change, self.policy.policy.repository
        lost = Revision(name, change.target, change.base, change.merged or change.head, Unknown(why))
        missing = {kind: Unknown(why) for kind in (*_NEEDED, _TEST_RUNS) if kind in replay.names}
        return _build_facts(self.now, {**given, **missing, kinds.REVISION.name: Known(lost)})

    def read_current_facts(self, known: KnownFacts) -> Facts:
        """Facts of the branch today: for the clauses that evaluate no change."""
        names = state_fact_names(self.policy, self.target)
        tip = require_tip(self.mirror, self.target)
        with self.mirror.open_copy() as git:
            collector = GitCollector(git, _get_people(known), self.now)
            newest = collector.make_landed_revision(self.policy.policy.repository, self.target, tip)
            return collector.collect_facts(newest, names, {**known, **self._read_runs(git, newest, known, names)})

    def _collect_past_facts(self, replay: Replay, each: PastChange, known: KnownFacts) -> Facts:
        if isinstance(each.reading, Unknown):
            raise GitError(each.reading.reason, "Try again.")
        reading, change, where = each.reading.value, each.change, self.connection
        people = _get_people(known)
        among = people.value if isinstance(people, Known) else People((), ())
        with self.mirror.open_copy() as git:
            base = landed_base.find_base_before_merge(git, change.merged, change.head, change.base)
            collector = ForgeCollector(
                where.name,
                reading,
                git,
                among,
                self.now,
                noreply=where.noreply_domains,
                numbered=where.has_numbered_addresses,
            )
            revision = collector.make_revision(self.policy.policy.repository, change.target, base, change.merged)
            runs = self._read_runs(git, revision, known, replay.names)
            pushes = {kinds.PUSHES.name: Known(ASSUMED_PUSHES)} if self._lacks_pushers(reading) else {}
            return collector.collect_facts(revision, _NEEDED, {**known, **runs, **pushes})

    def _lacks_pushers(self, reading: Reading) -> bool:
        return self.assumes_pushers and isinstance(reading.moves, Unknown)

    def _read_runs(
        self, git: Repository, revision: Revision, known: KnownFacts, names: Iterable[str]
    ) -> dict[str, Fact]:
        if _TEST_RUNS not in names:
            return {}
        return read_test_runs(
            self.forge, self.repository, GitCollector(git, _get_people(known), self.now), revision, self.now
        )


_CORE_FACTS = (kinds.PEOPLE.name, kinds.EXCEPTIONS.name, kinds.FREEZES.name)


_RESERVED_REQUESTS = 4  # for what is read after the changes


def list_newest_merged_changes(
    reader: NewestChangesReader, repository: ForgeRepository, target: str
) -> tuple[Change, ...]:
    """Newest changes that a branch received, oldest first, at the cost of one request. Raises ForgeError."""
    found = reader.list_newest_changes(repository, ChangeState.MERGED)
    return tuple(sorted((one for one in found if one.target == target), key=lambda change: change.merged_at))


def list_merged_changes(forge: Forge, repository: ForgeRepository, target: str, since: str) -> tuple[Change, ...]:
    """Changes that a branch received at or after `since` (a moment, "" for all), oldest first. Raises ForgeError."""
    found = forge.reader.list_changes(repository, ChangeState.MERGED, since)
    taken = [change for change in found if change.target == target and change.merged_at >= since]
    return tuple(sorted(taken, key=lambda change: change.merged_at))


def fetch_past_changes(
    forge: Forge, repository: ForgeRepository, mirror: Mirror, changes: Iterable[Change]
) -> Iterator[PastChange]:
    """Read each change, and fetch its commits."""
    for change in changes:
        try:
            reading = forge.reader.read_full_change(repository, change.number)
            fetch_change(forge, mirror, reading)
            yield PastChange(change, Known(reading))
        except (ForgeError, GitError) as error:
            yield PastChange(change, Unknown(error.message))


def fetch_while_allowed(
    forge: Forge, repository: ForgeRepository, mirror: Mirror, changes: Sequence[Change]
) -> Iterator[PastChange]:
    """Read the changes, newest first, until few requests are left. Raises RATE_LIMITED if not one could be read."""
    for place, change in enumerate(reversed(changes)):
        if place and any(0 <= limit.left <= _RESERVED_REQUESTS for limit in forge.reader.get_rate_limits().values()):
            return
        try:
            reading = forge.reader.read_full_change(repository, change.number)
            fetch_change(forge, mirror, reading)
            yield PastChange(change, Known(reading))
        except ForgeError as error:
            if error.code is ForgeCode.RATE_LIMITED:
                if not place:
                    raise
                return
            yield PastChange(change, Unknown(error.message))
        except GitError as error:
            yield PastChange(change, Unknown(error.message))


def assume_people(name: str, found: Iterable[PastChange]) -> People:
    """Assume one person for each account that a forge names in changes: for a replay without people.toml."""
    accounts = [
        one for each in found if isinstance(each.reading, Known) for one in list_named_accounts(each.reading.value)
    ]
    known = {account.id: account for account in accounts if account.login}
    persons = tuple(_build_person(name, account) for account in known.values() if not account.machine)
    machines = tuple(
        Machine(f"m{account.id}", (), (), (f"{name}/{account.login}",), needs_requester=False)
        for account in known.values()
        if account.machine
    )
    return People(persons, machines)


def assume_write_access(reading: Reading) -> Reading:
    """Assume write access of every reviewer, where it could not be read: for a replay."""
    if isinstance(reading.writers, Known) or isinstance(reading.reviews, Unknown):
        return reading
    return structs.replace(reading, writers=Known({review.by.id: True for review in reading.reviews.value}))


def assume_public_reading(reading: Reading) -> Reading:
    """Assume what a forge tells to tokens alone: reviewers may write, and nobody asked a machine for work."""
    found = assume_write_access(reading)
    nobody: Maybe[tuple[ForgeContributor, ...]] = Known(())
    asked = nobody if isinstance(found.contributors, Unknown) else found.contributors
    own = Known(()) if isinstance(found.own_commits, Unknown) else found.own_commits
    return structs.replace(found, contributors=asked, own_commits=own)


def _get_people(known: KnownFacts) -> Maybe[People]:
    found: Any = known[kinds.PEOPLE.name]
    people: Maybe[People] = found.value if isinstance(found, Fact) else found
    return people


def _build_facts(now: str, values: KnownFacts) -> Facts:
    """Build facts from known and unknown values."""
    return Facts({name: it if isinstance(it, Fact) else Fact(it, "given", now, "") for name, it in values.items()})


def _build_person(name: str, account: Account) -> Person:
    return Person(
        id=account.login.casefold(),
        name=account.login,
        emails=(),
        keys=(),
        accounts=(f"{name}/{account.login}",),
        roles=(),
        active=True,
        write_access=("*",),
    )
