"""Finds who pushed a commit first, to whichever branch: each push is read and stored once, when the forge tells of it.

What was at the forge before a repository was connected has an unknown pusher: nobody watched who brought it.
"""

import contextlib
from collections.abc import Collection, Mapping, Sequence
from functools import partial

from muniment.errors import ForgeError, GitError, MunimentError
from muniment.facts import moments as times
from muniment.facts.maybe import Known, Unknown
from muniment.forges.first_pushes import FirstPush, ReadFirstPushes, first_pushes, reach_beyond
from muniment.forges.forge import Forge
from muniment.forges.shapes import Change, Move
from muniment.git.mirror import Mirror
from muniment.git.repository import Repository as Git
from muniment.server import moments
from muniment.server.changes.again import read_as
from muniment.server.changes.models import Change as StoredChange
from muniment.server.connections import numbering
from muniment.server.connections.keeping import HEADS, PostgresKeeper, locked
from muniment.server.connections.models import Connection, RepositoryLink
from muniment.server.connections.pushers import read_pushers, store_pushers
from muniment.server.connections.reaching import repo_of
from muniment.workflows.forge_changes import PUSHES_DAYS, forks_of

_UNWATCHED = FirstPush(Unknown("it was there before the repository was connected"), "")
_OVERLAP = 10  # minutes that a forge may tell of a push late


def record_if_possible(connected: RepositoryLink, forge: Forge, mirror: Mirror) -> None:
    """Store who pushed first, of all that was pushed since this was done last, if the forge tells.

    If it does not, whoever evaluates a commit without a stored push asks again, and the pusher is unknown until told.
    """
    with locked(f"mirror:{connected.pk}"), contextlib.suppress(ForgeError, GitError):
        _record(connected, forge, mirror)


def find_pushers(connected: RepositoryLink, forge: Forge, mirror: Mirror, change: Change, tip: str) -> ReadFirstPushes:
    """What tells who pushed the commits of a change, over its branch's `tip`, first.

    The forge is asked if one of them has no stored push. Whoever calls it has the mirror's lock.
    """
    connection = connected.connection
    with mirror.open() as git:
        commits = reach_beyond(git, [change.head], [tip])
    why, known = "", read_pushers(connection, commits)
    if not commits <= known.keys():
        try:
            _record(connected, forge, mirror)
        except (ForgeError, GitError) as error:
            why = f"who pushed to the branches of the repository could not be read: {error.message}"
        for fork in forks_of(repo_of(connected), change):
            why = _record_fork(connected, forge, mirror, fork, change) or why
        known = read_pushers(connection, commits)
    return partial(_read, connection, why, known)


def _read(
    connection: Connection,
    why: str,
    known: Mapping[str, FirstPush],
    git: Git,
    commits: Collection[str],
    base: str,
) -> Mapping[str, FirstPush]:
    """The stored first pushes, of which those of the change's own commits are `known`.

    `why` the others are not known, "" if nothing kept them from being read.
    """
    others = [commit for commit in commits if commit not in known]
    found = {commit: known[commit] for commit in commits if commit in known}
    found |= read_pushers(connection, others) if others else {}
    return {**dict.fromkeys(commits, FirstPush(Unknown(why), "")), **found} if why else found


def _record(connected: RepositoryLink, forge: Forge, mirror: Mirror) -> None:
    link = RepositoryLink.objects.get(pk=connected.pk)
    begun = times.later(moments.now(), days=-PUSHES_DAYS)
    since = times.later(link.pushes_read_until, minutes=-_OVERLAP) if link.pushes_read_until else begun
    pushes = forge.reader.all_pushes(repo_of(connected), since)
    read = _fetched if link.first_pushes_read else _already_there
    found = read(connected, mirror, pushes)
    _note_pushers(connected.connection, pushes)
    _store(connected, found)
    newest = max((push.at for push in pushes), default=link.pushes_read_until)
    RepositoryLink.objects.filter(pk=link.pk).update(first_pushes_read=True, pushes_read_until=newest)


def _store(connected: RepositoryLink, found: Mapping[str, FirstPush]) -> None:
    """Store who pushed first. Where an earlier push was told late, what is green by the later one is so no more.

    A commit may be in changes of several repositories: those of the same connection are evaluated again too.
    """
    if not store_pushers(connected.connection, found):
        return
    rows = StoredChange.objects.filter(repository__forge_link__connection=connected.connection_id)
    there = rows.filter(state=StoredChange.State.OPEN, forge_change__isnull=False)
    columns = ("repository", "forge_change__number", "forge_change__status__saying")
    for repository, number, saying in there.values_list(*columns):
        read_as(repository, number, saying, bulk=repository != connected.repository_id)


def _fetched(connected: RepositoryLink, mirror: Mirror, pushes: Sequence[Move]) -> dict[str, FirstPush]:
    mirror.fetch((), (), [push.new for push in pushes])
    with mirror.open() as git:
        keeper, refs = PostgresKeeper(connected.repository), git.refs(HEADS)
        return first_pushes(git, pushes, [tip for ref, tip in refs.items() if keeper.judges(ref)])


def _already_there(connected: RepositoryLink, mirror: Mirror, pushes: Sequence[Move]) -> dict[str, FirstPush]:
    """Everything that branches hold beside protected ones when a repository is connected, or held shortly before."""
    keeper, refs = PostgresKeeper(connected.repository), mirror.listed([f"{HEADS}*"])
    gone = mirror.fetch((), (), [*refs.values(), *(push.new for push in pushes)])
    bases = [tip for ref, tip in refs.items() if keeper.judges(ref) and tip not in gone]
    heads = {*refs.values(), *(push.new for push in pushes if push.new)} - gone
    with mirror.open() as git:
        listed = {commit for push in pushes for commit in push.commits}
        return dict.fromkeys({*reach_beyond(git, sorted(heads), bases), *listed}, _UNWATCHED)


def _record_fork(connected: RepositoryLink, forge: Forge, mirror: Mirror, fork: str, change: Change) -> str:
    """Store who pushed first in the fork that a change comes from. Why its pushes are not known, "" if they are.

    Where the forge does not tell of them, who pushed to the change's branch there is not told either, and is unknown.
    """
    try:
        pushes = forge.reader.all_pushes(fork, times.later(change.opened, days=-PUSHES_DAYS))
    except MunimentError:
        return ""
    try:
        found = _fetched(connected, mirror, pushes)
    except MunimentError as error:
        return f"who pushed to the branches of the fork could not be read: {error.message}"
    _note_pushers(connected.connection, pushes)
    _store(connected, found)
    return ""


def _note_pushers(connection: Connection, pushes: Sequence[Move]) -> None:
    numbering.note(connection, [push.who.value for push in pushes if isinstance(push.who, Known)])
