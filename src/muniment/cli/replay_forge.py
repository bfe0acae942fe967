"""Replay of a repository at a forge, evaluated on this machine in a temporary folder."""

import datetime
from collections import Counter
from collections.abc import Callable, Sequence

import click

from muniment.cli import context, forge_access, home_access, printing, replay_inputs
from muniment.cli.replay_report import ReplayOrigin, ReplayReport, build_report
from muniment.decision.binding import BoundPolicy
from muniment.errors import ForgeCode, ForgeError, UsageError
from muniment.facts import kinds, moments
from muniment.facts.maybe import Known, Maybe, Unknown
from muniment.facts.people import People
from muniment.facts.statements import PolicyException
from muniment.forges.forge import Forge, NewestChangesReader
from muniment.forges.shapes import Change, ForgeRepository, Reading
from muniment.git import branch_documents
from muniment.git.mirror import Mirror
from muniment.programs.temporary_files import TemporaryFolder
from muniment.workflows import forge_changes, forge_replay
from muniment.workflows.branch_replay import Replay
from muniment.workflows.history_figures import HistoryCounter

NEWEST = 100  # changes that are evaluated unless --since names a day


def replay_forge_changes(
    url: str, onto: str | None, since: str, policy_file: str | None, home: str | None, output: str, *, suppose: bool
) -> ReplayReport:
    """Replay the changes that a branch at a forge took since a day, with the rules of the options or of the branch.

    `onto` is the branch, by default the forge's default one. Without a day, the newest `NEWEST` changes are replayed.
    Without a token, public repositories are read: write access and pushers are assumed, as far as they are not public.
    """
    if forge_access.has_token():
        return _replay(url, onto, since, policy_file, home, output, suppose=suppose)
    try:
        return _replay(url, onto, since, policy_file, home, output, suppose=True, public=True)
    except ForgeError as error:
        raise _explain_missing_token(error, url) from error


def _replay(
    url: str,
    onto: str | None,
    since: str,
    policy_file: str | None,
    home: str | None,
    output: str,
    *,
    suppose: bool,
    public: bool = False,
) -> ReplayReport:
    now, begin = context.current_moment(), _parse_day(since)
    there = forge_access.open_forge_repository(url, asks=False)
    repository = there.listed.repository
    target = forge_access.resolve_branch_ref(there.listed.repository, onto)
    if not target:
        raise UsageError(f"{repository.path} has no branch yet", "Replay one that has a past.")
    with TemporaryFolder() as folder:
        mirror = forge_changes.open_mirror(folder, there.forge, repository)
        mirror.fetch_refs([target])
        policy, policy_name, people, exceptions = _read_rules(mirror, target, policy_file, home)
        changes = _list_changes(there.forge, repository, target, begin, since)
        trial = forge_replay.ForgeReplay(
            there.connection, there.forge, repository, mirror, policy, target, now, assumes_pushers=public
        )
        replay, counter = Replay(policy, target), HistoryCounter(policy)
        with replay_inputs.show_progress(2 * len(changes), output) as advance:
            product_facts = trial.read_product_facts()
            found = _fetch_changes(there, mirror, changes, advance, suppose=suppose, public=public)
            if isinstance(people, Unknown):
                click.echo("There is no people.toml: each account at the forge counts as one person.", err=True)
                people = Known(forge_replay.assume_people(there.connection.name, found))
            given = {kinds.PEOPLE.name: people, kinds.EXCEPTIONS.name: exceptions, kinds.FREEZES.name: Known(())}
            known = {**product_facts, **given}
            for each in found:
                facts = trial.read_past_facts(replay, each, known)
                counter.add_change(each.change.merged_at[:10], facts.get(kinds.FILES), replay.replay_change(facts, now))
                advance()
        _print_unread(found)
        today = trial.read_current_facts(known)
    notes = _describe_public(len(found), len(changes), there.forge) if public else ()
    for note in notes:
        click.echo(note, err=True)
    origin = ReplayOrigin(repository.path, url, home or "", assumed_writers=suppose, policy=policy_name, notes=notes)
    return build_report(origin, policy, replay.build_summary(now, today), counter.build_figures(), today, now)


def _list_changes(forge: Forge, repository: ForgeRepository, target: str, begin: str, since: str) -> tuple[Change, ...]:
    """Changes to replay, oldest first. A reader with few requests lists only the newest, unless a day is named."""
    if isinstance(forge.reader, NewestChangesReader) and not since:
        return forge_replay.list_newest_merged_changes(forge.reader, repository, target)
    return select_replayed(forge_replay.list_merged_changes(forge, repository, target, begin), since)


def _explain_missing_token(error: ForgeError, url: str) -> ForgeError:
    """The error with the step that a person without a token can take."""
    put = f"put a token that may read into {forge_access.FORGE_TOKEN_VARIABLE}, and run this again."
    if error.code is ForgeCode.RATE_LIMITED:
        until = f" until {error.again_at}" if error.again_at else ""
        problem = f"the forge allows few requests without a token, and they are used up{until}"
        return ForgeError(error.code, problem, f"Wait until then, or {put}", error.again_at)
    if error.code in (ForgeCode.NOT_SIGNED_IN, ForgeCode.FORBIDDEN, ForgeCode.NOT_FOUND):
        problem = f"{url} cannot be read without a token: it is not public, or not there ({error.message})"
        return ForgeError(error.code, problem, f"Check the address, or {put}")
    return error


def _describe_public(read: int, count: int, forge: Forge) -> tuple[str, ...]:
    """Notes on what could not be read without a token."""
    notes = [
        "Read without a token: who may write and who pushed is assumed where the forge does not show it.",
    ]
    if read < count:
        limits = [limit.limit for limit in forge.reader.get_rate_limits().values() if limit.limit > 0]
        allowed = f"{min(limits):,} requests an hour" if limits else "few requests an hour"
        notes.append(
            f"The forge allows {allowed} without a token: the newest {read:,} of {count:,} pull requests were read. "
            f"With a token in {forge_access.FORGE_TOKEN_VARIABLE} all are."
        )
    return tuple(notes)


def select_replayed(changes: tuple[Change, ...], since: str) -> tuple[Change, ...]:
    """Select all changes if a day was named, else no more than the newest `NEWEST`."""
    if not since and len(changes) > NEWEST:
        click.echo(f"the newest {NEWEST} of {len(changes)} changes; --since takes those from a day on", err=True)
        return changes[-NEWEST:]
    return changes


def _print_unread(found: list[forge_replay.PastChange]) -> None:
    """Print the commonest reasons why changes could not be read: they count as unknown."""
    whys = Counter(each.reading.reason for each in found if isinstance(each.reading, Unknown))
    for why, count in whys.most_common(3):
        click.echo(f"{count} could not be read, and count as unknown: {printing.make_printable(why)}", err=True)


def _read_rules(
    mirror: Mirror, target: str, policy_file: str | None, home: str | None
) -> tuple[BoundPolicy, str, Maybe[People], Maybe[tuple[PolicyException, ...]]]:
    place = home_access.open_store(home) if home else None
    with mirror.open_copy() as git:
        written = branch_documents.read_documents(git, forge_changes.require_tip(mirror, target))
        policy, name = replay_inputs.load_replay_policy(policy_file, place, written)
        return (policy, name, *replay_inputs.load_replay_people(place, written))


def _fetch_changes(
    there: forge_access.RepositoryAccess,
    mirror: Mirror,
    changes: Sequence[Change],
    advance: Callable[[], object],
    *,
    suppose: bool,
    public: bool,
) -> list[forge_replay.PastChange]:
    """Fetch the past changes, in the order in which they were merged."""
    fetch = forge_replay.fetch_while_allowed if public else forge_replay.fetch_past_changes
    found = []
    for each in fetch(there.forge, there.listed.repository, mirror, changes):
        found.append(_assume_unreadable(each, suppose=suppose, public=public))
        advance()
    return sorted(found, key=lambda each: each.change.merged_at)


def _assume_unreadable(each: forge_replay.PastChange, *, suppose: bool, public: bool) -> forge_replay.PastChange:
    reading: Maybe[Reading] = each.reading
    if isinstance(reading, Known) and public:
        reading = Known(forge_replay.assume_public_reading(reading.value))
    elif isinstance(reading, Known) and suppose:
        reading = Known(forge_replay.assume_write_access(reading.value))
    return forge_replay.PastChange(each.change, reading)


def _parse_day(since: str) -> str:
    if not since:
        return ""
    try:
        moment = datetime.datetime.fromisoformat(since)
    except ValueError as error:
        raise UsageError(f"{since} is not a date", "Write it like 2026-01-31.") from error
    return moments.format_moment(moment if moment.tzinfo else moment.replace(tzinfo=datetime.UTC))
