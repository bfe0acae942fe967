"""A repository's past changes at a forge, read and brought to this machine to be judged; nothing is written there."""

from collections.abc import Iterable, Iterator
from typing import Any

from msgspec import Struct, structs

from muniment.errors import ConfigurationError, ForgeError, GitError
from muniment.facts import kinds
from muniment.facts.change import Revision
from muniment.facts.facts import Fact, Facts
from muniment.facts.maybe import Known, Maybe, Unknown
from muniment.facts.people import Machine, People, Person
from muniment.facts.statements import PolicyException
from muniment.forges.collect import ForgeCollector, accounts_in
from muniment.forges.connecting import Connection
from muniment.forges.forge import Forge
from muniment.forges.shapes import Account, Change, Reading, Repo, State
from muniment.git import landing
from muniment.git.mirror import Mirror
from muniment.workflows.forge_changes import bring

_NEEDED = tuple(
    kind.name
    for kind in (kinds.REVISION, kinds.COMMITS, kinds.FILES, kinds.PUSHES, kinds.APPROVED_HEADS, kinds.APPROVALS)
)


class Brought(Struct, frozen=True):
    """One past change: read, or why it could not be."""

    change: Change
    reading: Maybe[Reading]


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
        Machine(f"m{account.id}", (), (), (f"{name}/{account.login}",), asked=False)
        for account in known.values()
        if account.machine
    )
    return People(persons, machines)


def generous(reading: Reading) -> Reading:
    """The reading with whoever reviewed taken for one who may write, where that could not be read: for a trial."""
    if isinstance(reading.writers, Known) or isinstance(reading.reviews, Unknown):
        return reading
    return structs.replace(reading, writers=Known({review.by.id: True for review in reading.reviews.value}))


def facts(
    connection: Connection,
    mirror: Mirror,
    each: Brought,
    name: str,
    people: Maybe[People],
    exceptions: Maybe[tuple[PolicyException, ...]],
    now: str,
) -> Facts:
    """The facts of what the branch took, as if it were proposed now; all Unknown if it could not be read."""
    known: dict[str, Maybe[Any]] = {
        kinds.PEOPLE.name: people,
        kinds.EXCEPTIONS.name: exceptions,
        kinds.FREEZES.name: Known(()),
    }
    try:
        return _facts(connection, mirror, each, name, people, known, now)
    except (GitError, ConfigurationError) as error:
        why = error.message
    change = each.change
    lost = Revision(name, change.target, change.base, change.merged or change.head, Unknown(why))
    missing = {kind: Unknown(why) for kind in _NEEDED if kind != kinds.REVISION.name}
    return _given(now, {**known, **missing, kinds.REVISION.name: Known(lost)})


def _given(now: str, values: dict[str, Maybe[Any]]) -> Facts:
    """Facts that were learnt elsewhere, or not at all."""
    return Facts({name: Fact(value, "given", now, "") for name, value in values.items()})


def _facts(
    connection: Connection,
    mirror: Mirror,
    each: Brought,
    name: str,
    people: Maybe[People],
    known: dict[str, Maybe[Any]],
    now: str,
) -> Facts:
    if isinstance(each.reading, Unknown):
        raise GitError(each.reading.why, "Try again.")
    reading, change = each.reading.value, each.change
    among = people.value if isinstance(people, Known) else People((), ())
    with mirror.open() as git:
        base = landing.before(git, change.merged, change.head, change.base)
        collector = ForgeCollector(
            connection.name, reading, git, among, now, noreply=connection.domains, numbered=connection.numbered
        )
        revision = collector.revision(name, change.target, base, change.merged)
        return collector.collect(revision, _NEEDED, known)


def _person(name: str, account: Account) -> Person:
    return Person(
        id=account.login.casefold(),
        name=account.login,
        emails=(),
        keys=(),
        accounts=(f"{name}/{account.login}",),
        roles=(),
        active=True,
        writes=("*",),
    )
