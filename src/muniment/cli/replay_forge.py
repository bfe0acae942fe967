"""Replay of a repository at a forge, evaluated on this machine in a temporary folder."""

import datetime
from collections import Counter

import click

from muniment.cli import context, forge_access, printing, replay_inputs
from muniment.cli.replay_report import ReplayOrigin, ReplayReport, build_report
from muniment.decision.binding import BoundPolicy
from muniment.errors import UsageError
from muniment.facts import kinds, moments
from muniment.facts.maybe import Known, Maybe, Unknown
from muniment.facts.people import People
from muniment.facts.statements import PolicyException
from muniment.forges.shapes import Change, Reading
from muniment.git import branch_documents
from muniment.git.mirror import Mirror
from muniment.programs.temporary_files import TemporaryFolder
from muniment.store.files_store import FilesStore
from muniment.workflows import forge_changes, forge_replay
from muniment.workflows.branch_replay import Replay
from muniment.workflows.history_figures import HistoryCounter

NEWEST = 100  # changes that are judged unless a day is said


def replay_forge_changes(
    url: str, onto: str | None, since: str, policy_file: str | None, home: str | None, output: str, *, suppose: bool
) -> ReplayReport:
    """Replay the changes that a branch at a forge took since a day, with the rules of the options or of the branch.

    `onto` is the branch, by default the forge's default one. Without a day, the newest `NEWEST` changes are replayed.
    """
    now, begin = context.current_moment(), _parse_day(since)
    there = forge_access.open_forge_repository(url)
    repository = there.listed.repository
    target = forge_access.resolve_branch_ref(there.listed.repository, onto)
    if not target:
        raise UsageError(f"{repository.path} has no branch yet", "Replay one that has a past.")
    with TemporaryFolder() as folder:
        mirror = forge_changes.open_mirror(folder, there.forge, repository)
        mirror.fetch_refs([target])
        policy, policy_name, people, exceptions = _read_rules(mirror, target, policy_file, home)
        changes = select_replayed(forge_replay.list_merged_changes(there.forge, repository, target, begin), since)
        trial = forge_replay.ForgeReplay(there.connection, there.forge, repository, mirror, policy, target, now)
        replay, counter = Replay(policy, target), HistoryCounter(policy)
        with replay_inputs.show_progress(2 * len(changes), output) as advance:
            found = []
            for each in forge_replay.fetch_past_changes(there.forge, repository, mirror, changes):
                found.append(_assume_write_access(each) if suppose else each)
                advance()
            if isinstance(people, Unknown):
                click.echo("no people.toml: each account at the forge counts as one person", err=True)
                people = Known(forge_replay.assume_people(there.connection.name, found))
            known = {
                **trial.read_product_facts(),
                kinds.PEOPLE.name: people,
                kinds.EXCEPTIONS.name: exceptions,
                kinds.FREEZES.name: Known(()),
            }
            for each in found:
                facts = trial.read_past_facts(replay, each, known)
                counter.add_change(each.change.merged_at[:10], facts.get(kinds.FILES), replay.replay_change(facts, now))
                advance()
        _print_unread(found)
        today = trial.read_current_facts(known)
    origin = ReplayOrigin(name=repository.path, forge=url, home=home or "", assumed_writers=suppose, policy=policy_name)
    return build_report(origin, policy, replay.build_summary(now, today), counter.build_figures(), today, now)


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
    place = FilesStore(home) if home else None
    with mirror.open_copy() as git:
        written = branch_documents.read_documents(git, forge_changes.require_tip(mirror, target))
        policy, name = replay_inputs.load_replay_policy(policy_file, place, written)
        return (policy, name, *replay_inputs.load_replay_people(place, written))


def _assume_write_access(each: forge_replay.PastChange) -> forge_replay.PastChange:
    reading: Maybe[Reading] = each.reading
    if isinstance(reading, Known):
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
