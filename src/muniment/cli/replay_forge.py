"""The past of a repository at a forge, judged on this machine in a folder that is gone afterwards."""

import datetime
import tempfile

import click

from muniment.cli import forges, replaying, scene
from muniment.decision.binding import BoundPolicy
from muniment.errors import UsageError
from muniment.facts import moments
from muniment.facts.maybe import Known, Maybe, Unknown
from muniment.facts.people import People
from muniment.facts.statements import PolicyException
from muniment.forges.shapes import Reading
from muniment.git import documents
from muniment.git.mirror import Mirror
from muniment.home.files import FilesHome
from muniment.workflows import forge_changes, replay_forge
from muniment.workflows.replay import Replay, Summary


def judged(
    url: str, onto: str | None, since: str, policy_file: str | None, home: str | None, output: str, *, suppose: bool
) -> Summary:
    """What the forge's branch `onto` (its default one) took since that day, by the rules that hold here or there."""
    now, begin = scene.now(), _moment(since)
    there = forges.at(url)
    repository = there.listed.repository
    target = forges.branch(there.listed.repository, onto)
    with tempfile.TemporaryDirectory(prefix="muniment-") as folder:
        mirror = forge_changes.mirror_of(folder, there.forge, repository)
        mirror.fetch([target])
        policy, people, exceptions = _rules(mirror, target, policy_file, home)
        changes = replay_forge.merged(there.forge, repository, target, begin)
        replay = Replay(policy, target)
        with replaying.progress(2 * len(changes), output) as advance:
            found = []
            for each in replay_forge.brought(there.forge, repository, mirror, changes):
                found.append(_generous(each) if suppose else each)
                advance()
            if isinstance(people, Unknown):
                click.echo("no people.toml: each account at the forge counts as one person", err=True)
                people = Known(replay_forge.supposed(there.connection.name, found))
            for each in found:
                name = policy.policy.repository
                replay.judge(replay_forge.facts(there.connection, mirror, each, name, people, exceptions, now), now)
                advance()
        return replay.summary(now)


def _rules(
    mirror: Mirror, target: str, policy_file: str | None, home: str | None
) -> tuple[BoundPolicy, Maybe[People], Maybe[tuple[PolicyException, ...]]]:
    place = FilesHome(home) if home else None
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
