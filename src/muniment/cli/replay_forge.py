"""The past of a repository at a forge, judged on this machine in a folder that is gone afterwards."""

import datetime
from collections import Counter

import click

from muniment.cli import forges, printing, replaying, scene
from muniment.decision.binding import BoundPolicy
from muniment.errors import UsageError
from muniment.facts import kinds, moments
from muniment.facts.maybe import Known, Maybe, Unknown
from muniment.facts.people import People
from muniment.facts.statements import PolicyException
from muniment.forges.shapes import Change, Reading
from muniment.git import documents
from muniment.git.mirror import Mirror
from muniment.programs.temporary import TemporaryFolder
from muniment.store.files import FilesStore
from muniment.workflows import forge_changes, replay_forge
from muniment.workflows.replay import Replay, Summary

NEWEST = 100  # changes that are judged unless a day is said


def judged(
    url: str, onto: str | None, since: str, policy_file: str | None, home: str | None, output: str, *, suppose: bool
) -> Summary:
    """What the forge's branch `onto` (its default one) took since that day, by the rules that hold here or there.

    Without a day, the newest `NEWEST` changes.
    """
    now, begin = scene.now(), _moment(since)
    there = forges.at(url)
    repository = there.listed.repository
    target = forges.branch(there.listed.repository, onto)
    if not target:
        raise UsageError(f"{repository.path} has no branch yet", "Replay one that has a past.")
    with TemporaryFolder() as folder:
        mirror = forge_changes.mirror_of(folder, there.forge, repository)
        mirror.fetch([target])
        policy, people, exceptions = _rules(mirror, target, policy_file, home)
        changes = newest(replay_forge.merged(there.forge, repository, target, begin), since)
        trial = replay_forge.Trial(there.connection, there.forge, repository, mirror, policy, target, now)
        replay = Replay(policy, target)
        with replaying.progress(2 * len(changes), output) as advance:
            found = []
            for each in replay_forge.brought(there.forge, repository, mirror, changes):
                found.append(_generous(each) if suppose else each)
                advance()
            if isinstance(people, Unknown):
                click.echo("no people.toml: each account at the forge counts as one person", err=True)
                people = Known(replay_forge.supposed(there.connection.name, found))
            known = {
                **trial.product(),
                kinds.PEOPLE.name: people,
                kinds.EXCEPTIONS.name: exceptions,
                kinds.FREEZES.name: Known(()),
            }
            for each in found:
                replay.judge(trial.past(replay, each, known), now)
                advance()
        _tell_unread(found)
        return replay.summary(now, trial.today(known))


def newest(changes: tuple[Change, ...], since: str) -> tuple[Change, ...]:
    """Those that are judged: all since a day, else no more than `NEWEST`."""
    if not since and len(changes) > NEWEST:
        click.echo(f"the newest {NEWEST} of {len(changes)} changes; --since takes those from a day on", err=True)
        return changes[-NEWEST:]
    return changes


def _tell_unread(found: list[replay_forge.Brought]) -> None:
    """What could not be read is unknown, and why is worth a line of its own."""
    whys = Counter(each.reading.reason for each in found if isinstance(each.reading, Unknown))
    for why, count in whys.most_common(3):
        click.echo(f"{count} could not be read, and count as unknown: {printing.plain(why)}", err=True)


def _rules(
    mirror: Mirror, target: str, policy_file: str | None, home: str | None
) -> tuple[BoundPolicy, Maybe[People], Maybe[tuple[PolicyException, ...]]]:
    place = FilesStore(home) if home else None
    with mirror.open() as git:
        written = documents.at(git, forge_changes.tip_of(mirror, target))
        policy = replaying.policy_of(policy_file, place, written)
        return (policy, *replaying.people_of(place, written))


def _generous(each: replay_forge.Brought) -> replay_forge.Brought:
    reading: Maybe[Reading] = each.reading
    if isinstance(reading, Known):
        reading = Known(replay_forge.generous(reading.value))
    return replay_forge.Brought(each.change, reading)


def _moment(since: str) -> str:
    if not since:
        return ""
    try:
        moment = datetime.datetime.fromisoformat(since)
    except ValueError as error:
        raise UsageError(f"{since} is not a date", "Write it like 2026-01-31.") from error
    return moments.text(moment if moment.tzinfo else moment.replace(tzinfo=datetime.UTC))
