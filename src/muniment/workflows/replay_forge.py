"""A repository's past changes at a forge, read and brought to this machine to be judged; nothing is written there."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from msgspec import Struct, structs

from muniment.decision.binding import BoundPolicy
from muniment.errors import ConfigurationError, ForgeError, GitError
from muniment.facts import kinds
from muniment.facts.change import Revision
from muniment.facts.facts import Fact, Facts
from muniment.facts.maybe import Known, Maybe, Unknown
from muniment.facts.people import Machine, People, Person
from muniment.forges.collect import ForgeCollector, accounts_in
from muniment.forges.connecting import Connection
from muniment.forges.forge import Forge
from muniment.forges.shapes import Account, Change, Reading, Repo, State
from muniment.git import landing
from muniment.git.collect import GitCollector
from muniment.git.mirror import Mirror
from muniment.git.repository import Repository
from muniment.workflows.forge_changes import bring, tip_of
from muniment.workflows.forge_facts import facts_at_forge, runs_at
from muniment.workflows.replay import Replay, state_names
from muniment.workflows.supplies import fact

Learnt = Mapping[str, Maybe[Any] | Fact]

_NEEDED = tuple(
    kind.name
    for kind in (
        *(kinds.REVISION, kinds.COMMITS, kinds.FILES, kinds.PUSHES, kinds.APPROVED_HEADS, kinds.APPROVALS),
        kinds.LANDED_HEADS,
    )
)
_RUNS = kinds.TEST_RUNS.name
_ELSEWHERE = "only the service knows it, no forge does"


class Brought(Struct, frozen=True):
    """One past change: read, or why it could not be."""

    change: Change
    reading: Maybe[Reading]


class Trial(NamedTuple):
    """What is judged by what: a branch of a repository at a forge, its copy here, and a policy."""

    connection: Connection
    forge: Forge
    repository: Repo
    mirror: Mirror
    policy: BoundPolicy
    target: str
    now: str

    def product(self) -> dict[str, Fact]:
        """Facts of the product, as its branch and the forge tell them today; Unknown, and why, is what neither does."""
        names = state_names(self.policy, self.target) - {*_NEEDED, _RUNS}
        tip = tip_of(self.mirror, self.target)
        with self.mirror.open() as git:
            told = facts_at_forge(self.forge, self.repository, git, self.target, tip, self.policy, names, self.now)
        return {**{name: fact(Unknown(_ELSEWHERE), "nobody", self.now) for name in names}, **told}

    def past(self, replay: Replay, each: Brought, known: Learnt) -> Facts:
        """Facts of what the branch took, as if it were proposed now; all Unknown if it could not be read."""
        given = {name: it for name, it in known.items() if name in replay.names or name in _ALWAYS}
        try:
            return self._read(replay, each, given)
        except (GitError, ConfigurationError) as error:
            why = error.message
        change, name = each.change, self.policy.policy.repository
        lost = Revision(name, change.target, change.base, change.merged or change.head, Unknown(why))
        missing = {kind: Unknown(why) for kind in (*_NEEDED, _RUNS) if kind in replay.names}
        return _given(self.now, {**given, **missing, kinds.REVISION.name: Known(lost)})

    def today(self, known: Learnt) -> Facts:
        """Facts of what the branch holds today: for the clauses that judge no change."""
        names = state_names(self.policy, self.target)
        tip = tip_of(self.mirror, self.target)
        with self.mirror.open() as git:
            collector = GitCollector(git, _people(known), self.now)
            newest = collector.landed(self.policy.policy.repository, self.target, tip)
            return collector.collect(newest, names, {**known, **self._runs(git, newest, known, names)})

    def _read(self, replay: Replay, each: Brought, known: Learnt) -> Facts:
        if isinstance(each.reading, Unknown):
            raise GitError(each.reading.reason, "Try again.")
        reading, change, where = each.reading.value, each.change, self.connection
        people = _people(known)
        among = people.value if isinstance(people, Known) else People((), ())
        with self.mirror.open() as git:
            base = landing.before(git, change.merged, change.head, change.base)
            collector = ForgeCollector(
                where.name, reading, git, among, self.now, noreply=where.domains, numbered=where.numbered
            )
            revision = collector.revision(self.policy.policy.repository, change.target, base, change.merged)
            runs = self._runs(git, revision, known, replay.names)
            return collector.collect(revision, _NEEDED, {**known, **runs})

    def _runs(self, git: Repository, revision: Revision, known: Learnt, names: Iterable[str]) -> dict[str, Fact]:
        if _RUNS not in names:
            return {}
        return runs_at(self.forge, self.repository, GitCollector(git, _people(known), self.now), revision, self.now)


_ALWAYS = (kinds.PEOPLE.name, kinds.EXCEPTIONS.name, kinds.FREEZES.name)


def merged(forge: Forge, repository: Repo, target: str, since: str) -> tuple[Change, ...]:
    """The changes that a branch took at or after `since` (a moment, "" for all), oldest first. Raises ForgeError."""
    found = forge.reader.changes(repository, State.MERGED, since)
    taken = [change for change in found if change.target == target and change.merged_at >= since]
    return tuple(sorted(taken, key=lambda change: change.merged_at))


def brought(forge: Forge, repository: Repo, mirror: Mirror, changes: Iterable[Change]) -> Iterator[Brought]:
    """Each of them read, and its commits here."""
    for change in changes:
        try:
            reading = forge.reader.read(repository, change.number)
            bring(forge, mirror, reading)
            yield Brought(change, Known(reading))
        except (ForgeError, GitError) as error:
            yield Brought(change, Unknown(error.message))


def supposed(name: str, found: Iterable[Brought]) -> People:
    """Everybody that a forge names in changes, each account taken for one person: for a trial without people.toml."""
    accounts = [one for each in found if isinstance(each.reading, Known) for one in accounts_in(each.reading.value)]
    known = {account.id: account for account in accounts if account.login}
    persons = tuple(_person(name, account) for account in known.values() if not account.machine)
    machines = tuple(
        Machine(f"m{account.id}", (), (), (f"{name}/{account.login}",), needs_requester=False)
        for account in known.values()
        if account.machine
    )
    return People(persons, machines)


def generous(reading: Reading) -> Reading:
    """The reading with whoever reviewed taken for one who may write, where that could not be read: for a trial."""
    if isinstance(reading.writers, Known) or isinstance(reading.reviews, Unknown):
        return reading
    return structs.replace(reading, writers=Known({review.by.id: True for review in reading.reviews.value}))


def _people(known: Learnt) -> Maybe[People]:
    found: Any = known[kinds.PEOPLE.name]
    people: Maybe[People] = found.value if isinstance(found, Fact) else found
    return people


def _given(now: str, values: Learnt) -> Facts:
    """Facts that were learnt elsewhere, or not at all."""
    return Facts({name: it if isinstance(it, Fact) else Fact(it, "given", now, "") for name, it in values.items()})


def _person(name: str, account: Account) -> Person:
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
