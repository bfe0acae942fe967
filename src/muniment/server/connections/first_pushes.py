"""Finds the first push of each commit, to any branch: each push is read and stored once, when the forge reports it.

Commits older than the connection of a repository have an unknown pusher: nobody observed their push.
"""

import contextlib
from collections.abc import Collection, Mapping, Sequence
from functools import partial

from muniment.errors import ForgeError, GitError, MunimentError
from muniment.facts import moments as times
from muniment.facts.maybe import Known, Unknown
from muniment.forges.first_pushes import FirstPush, ReadFirstPushes, find_commits_beyond, map_first_pushes
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
from muniment.server.connections.forge_change_store import ForgeChangeStore
from muniment.server.connections.models import Connection, RepositoryLink
from muniment.server.connections.named_locks import hold_lock
from muniment.workflows.forge_changes import PUSHES_DAYS, find_forks
from muniment.workflows.repository_rules import HEADS

_UNWATCHED = FirstPush(Unknown("it was there before the repository was connected"), "")
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
    if not commits <= known.keys():
        with hold_lock(f"mirror:{connected.pk}"):
            why = _record_all_pushes(connected, forge, mirror, change)
        # Read again from the rows: another worker that had the lock before us may have stored some of them.
        known = load_first_pushes(connection, commits)
    return partial(_merge_known_pushes, connection, why, known)


def _record_all_pushes(connected: RepositoryLink, forge: Forge, mirror: Mirror, change: Change) -> str:
    """Store the first pushes in the repository and the change's fork. Reason why some are unknown, "" for none."""
    why = ""
    try:
        _record_pushes(connected, forge, mirror)
    except (ForgeError, GitError) as error:
        why = f"who pushed to the branches of the repository could not be read: {error.message}"
    for fork in find_forks(require_linked_repository(connected), change):
        why = _record_fork(connected, forge, mirror, fork, change) or why
    return why


def _merge_known_pushes(
    connection: Connection,
    why: str,
    known: Mapping[str, FirstPush],
    git: Git,
    commits: Collection[str],
    base: str,
) -> Mapping[str, FirstPush]:
    """Stored first pushes, of which those of the change's own commits are `known`.

    `why`: reason why the others are unknown, "" if they could be read.
    """
    others = [commit for commit in commits if commit not in known]
    found = {commit: known[commit] for commit in commits if commit in known}
    found |= load_first_pushes(connection, others) if others else {}
    return {**dict.fromkeys(commits, FirstPush(Unknown(why), "")), **found} if why else found


def _record_pushes(connected: RepositoryLink, forge: Forge, mirror: Mirror) -> None:
    link = RepositoryLink.objects.get(pk=connected.pk)
    begun = times.add_time(moments.current_moment(), days=-PUSHES_DAYS)
    since = times.add_time(link.pushes_read_until, minutes=-_OVERLAP) if link.pushes_read_until else begun
    pushes = forge.reader.list_all_pushes(require_linked_repository(connected), since)
    read = _find_fetched_pushes if link.first_pushes_read else _find_unwatched_commits
    found = read(connected, mirror, pushes)
    _note_pushers(connected.connection, pushes)
    _store_and_reevaluate(connected, found)
    newest = max((push.at for push in pushes), default=link.pushes_read_until)
    RepositoryLink.objects.filter(pk=link.pk).update(first_pushes_read=True, pushes_read_until=newest)


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


def _find_fetched_pushes(connected: RepositoryLink, mirror: Mirror, pushes: Sequence[Move]) -> dict[str, FirstPush]:
    mirror.fetch_refs((), (), [push.new for push in pushes])
    with mirror.open_copy() as git:
        change_store, refs = ForgeChangeStore(connected.repository), git.read_refs(HEADS)
        return map_first_pushes(git, pushes, [tip for ref, tip in refs.items() if change_store.is_evaluated(ref)])


def _find_unwatched_commits(connected: RepositoryLink, mirror: Mirror, pushes: Sequence[Move]) -> dict[str, FirstPush]:
    """Commits of unprotected branches when a repository is connected, or shortly before: their pusher is unknown."""
    change_store, refs = ForgeChangeStore(connected.repository), mirror.list_remote_refs([f"{HEADS}*"])
    gone = mirror.fetch_refs((), (), [*refs.values(), *(push.new for push in pushes)])
    bases = [tip for ref, tip in refs.items() if change_store.is_evaluated(ref) and tip not in gone]
    heads = {*refs.values(), *(push.new for push in pushes if push.new)} - gone
    with mirror.open_copy() as git:
        listed = {commit for push in pushes for commit in push.commits}
        return dict.fromkeys({*find_commits_beyond(git, sorted(heads), bases), *listed}, _UNWATCHED)


def _record_fork(connected: RepositoryLink, forge: Forge, mirror: Mirror, fork: str, change: Change) -> str:
    """Store the first pushes in the fork that a change comes from. Reason why they are unknown, "" if they are known.

    If the forge does not report them, the pusher to the change's branch there is unknown.
    """
    try:
        pushes = forge.reader.list_all_pushes(fork, times.add_time(change.opened, days=-PUSHES_DAYS))
    except MunimentError:
        return ""
    try:
        found = _find_fetched_pushes(connected, mirror, pushes)
    except MunimentError as error:
        return f"who pushed to the branches of the fork could not be read: {error.message}"
    _note_pushers(connected.connection, pushes)
    _store_and_reevaluate(connected, found)
    return ""


def _note_pushers(connection: Connection, pushes: Sequence[Move]) -> None:
    account_ids.store_account_ids(connection, [push.who.value for push in pushes if isinstance(push.who, Known)])
