"""Finds the first push of each commit, to any branch: each push is read and stored once, when the forge reports it.

Commits older than the connection of a repository have an unknown pusher: nobody observed their push.
"""

import contextlib
from collections.abc import Collection, Mapping, Sequence
from functools import partial

from muniment.errors import ForgeError, GitError
from muniment.facts import moments as times
from muniment.facts.maybe import Known, Unknown
from muniment.forges.first_pushes import FirstPush, ReadFirstPushes, find_commits_beyond
from muniment.forges.forge import Forge
from muniment.forges.shapes import Change, Move
from muniment.git.mirror import Mirror
from muniment.git.repository import Repository as Git
from muniment.server import moments
from muniment.server.changes.models import Change as StoredChange
from muniment.server.changes.reevaluation_requests import request_reading_of
from muniment.server.connections import account_ids
from muniment.server.connections.first_push_store import load_first_pushes, store_first_pushes
from muniment.server.connections.forge_access import require_linked_repository
from muniment.server.connections.models import Connection, RepositoryLink
from muniment.server.connections.named_locks import hold_lock
from muniment.server.connections.observed_pushes import (
    WAIT,
    UnexplainedCommits,
    delete_observations,
    is_observed,
)
from muniment.server.connections.ref_readings import RefReading
from muniment.server.job_queue import enqueue_in
from muniment.workflows.forge_changes import PUSHES_DAYS

_OVERLAP = 10  # minutes that a forge may tell of a push late


def record_first_pushes(connected: RepositoryLink, forge: Forge, mirror: Mirror) -> None:
    """Store the first pushes since the last time, if the forge reports them.

    If it does not, the evaluation of a commit without a stored push reads them again, and the pusher is unknown until
    then.
    """
    with hold_lock(f"mirror:{connected.pk}"), contextlib.suppress(ForgeError, GitError):
        _record_pushes(connected, forge, mirror)


def create_push_reader(
    connected: RepositoryLink, forge: Forge, mirror: Mirror, change: Change, tip: str
) -> ReadFirstPushes:
    """Reader of the first pushes of a change's commits over its branch's `tip`.

    The forge is read if a commit has no stored push.
    """
    connection = connected.connection
    with mirror.open_copy() as git:
        commits = find_commits_beyond(git, [change.head], [tip])
    why, known = "", load_first_pushes(connection, commits)
    waiting: Mapping[str, FirstPush] = {}
    if not commits <= known.keys() or is_observed(connected.repository_id, commits):
        with hold_lock(f"mirror:{connected.pk}"):
            try:
                waiting = _record_pushes(connected, forge, mirror, change)
            except (ForgeError, GitError) as error:
                why = f"who pushed to the branches of the repository could not be read: {error.message}"
        # Read again from the rows: another worker that had the lock before us may have stored some of them.
        known = load_first_pushes(connection, commits)
    return partial(_merge_known_pushes, connection, why, known, waiting)


def _merge_known_pushes(
    connection: Connection,
    why: str,
    known: Mapping[str, FirstPush],
    waiting: Mapping[str, FirstPush],
    git: Git,
    commits: Collection[str],
    base: str,
) -> Mapping[str, FirstPush]:
    """Stored first pushes, of which those of the change's own commits are `known`.

    `why`: reason why the others are unknown, "" if they could be read. Commits in `waiting` are unknown as yet.
    """
    others = [commit for commit in commits if commit not in known]
    found = {commit: known[commit] for commit in commits if commit in known}
    found |= load_first_pushes(connection, others) if others else {}
    found |= {commit: waiting[commit] for commit in commits if commit in waiting}
    return {**dict.fromkeys(commits, FirstPush(Unknown(why), "")), **found} if why else found


def _record_pushes(
    connected: RepositoryLink, forge: Forge, mirror: Mirror, change: Change | None = None
) -> Mapping[str, FirstPush]:
    """Store the first pushes since the last time, also those in the fork of `change`, which is evaluated.

    Returns the commits whose pusher is unknown until the forge shows a push. Raises ForgeError or GitError.
    """
    link = RepositoryLink.objects.select_related("connection", "repository").get(pk=connected.pk)
    begun = times.add_time(moments.current_moment(), days=-PUSHES_DAYS)
    since = times.add_time(link.pushes_read_until, minutes=-_OVERLAP) if link.pushes_read_until else begun
    pushes = forge.reader.list_all_pushes(require_linked_repository(connected), since)
    # The refs are listed after the pushes, so that they have what was pushed before a listed push.
    refs, commits, newest_older = RefReading(link, forge, mirror), UnexplainedCommits(), link.newest_older_change
    if link.first_pushes_read:
        found, commits = refs.find_pushes(pushes, change)
    else:
        found, newest_older = refs.find_unwatched_commits(pushes), refs.find_newest_change()
    _note_pushers(connected.connection, (*pushes, *refs.list_read_pushes()))
    known = {commit: push for commit, push in found.items() if commit not in commits.waiting}
    _store_and_reevaluate(connected, {**known, **commits.settled})
    delete_observations(link.repository_id, commits.ended)
    RepositoryLink.objects.filter(pk=link.pk).update(
        first_pushes_read=True,
        pushes_read_until=max((push.at for push in pushes), default=link.pushes_read_until),
        newest_older_change=newest_older,
    )
    if commits.has_new:
        enqueue_in("read-branch-updates", int(WAIT.total_seconds()) + 1, repository=link.repository_id)
    return commits.waiting


def _store_and_reevaluate(connected: RepositoryLink, found: Mapping[str, FirstPush]) -> None:
    """Store first pushes. If an earlier push was reported late, changes allowed by the later one are evaluated again.

    A commit may be in changes of several repositories: those of the same connection are evaluated again too.
    """
    if not store_first_pushes(connected.connection, found):
        return
    rows = StoredChange.objects.filter(repository__forge_link__connection=connected.connection_id)
    there = rows.filter(state=StoredChange.State.OPEN, forge_change__isnull=False)
    columns = ("repository", "forge_change__number", "forge_change__status__saying")
    for repository, number, saying in there.values_list(*columns):
        request_reading_of(repository, number, saying, is_bulk=repository != connected.repository_id)


def _note_pushers(connection: Connection, pushes: Sequence[Move]) -> None:
    account_ids.store_account_ids(connection, [push.who.value for push in pushes if isinstance(push.who, Known)])
