"""Runs the machinery for updates of a repository, and proves that it works: the canary of `updates-automated`.

The canary needs what an update needs: the worker, a token that may push and open pull requests, each package manager
confined, and a registry that answers. It passes only if all of them do.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta

from django.utils import timezone
from django.utils.translation import gettext as _

from muniment.errors import ForgeCode, ForgeError, GitError, MunimentError
from muniment.forges.forge import Forge
from muniment.forges.shapes import Ability, Account, Change, ChangeState, ForgeRepository
from muniment.git.mirror import Mirror
from muniment.git.received_push import find_merge_base
from muniment.git.repository import Repository as Git
from muniment.server import moments
from muniment.server.connections.forge_access import load_active_link, open_connected_forge, require_linked_repository
from muniment.server.connections.forge_change_evaluator import open_repository_mirror
from muniment.server.connections.models import RepositoryLink
from muniment.server.connections.named_locks import hold_lock
from muniment.server.error_text import format_error_text
from muniment.server.products.models import Repository
from muniment.server.updates.advisory_data import load_index
from muniment.server.updates.due_days import read_cool_down
from muniment.server.updates.models import DependencyReading, UpdateRun
from muniment.server.updates.proposals import ProposalTarget, propose_updates
from muniment.server.updates.release_facts import load_exploited
from muniment.updates.dependencies import Lock
from muniment.updates.lock_updates import MOVED_FORMATS, UpdateSettings, prove_updates
from muniment.updates.registry_access import RegistryAccess, RegistrySource
from muniment.updates.repository_files import read_dependency_files
from muniment.updates.repository_locks import read_locks
from muniment.updates.resolver_errors import ResolverError

_DAILY = timedelta(days=1)
_RETRY = timedelta(hours=1)  # after a run that failed
_SEEN = timedelta(days=90)  # the longest period of the control
_MOST_DUE = 20  # repositories in one round
_MOST_BOT_CHANGES = 30
_BOTS = frozenset({"dependabot", "dependabot[bot]", "renovate", "renovate[bot]", "renovate-bot"})


def run_updates(repository: Repository, source: RegistrySource | None = None) -> bool:
    """Run the machinery of a repository once. Returns whether the canary passed; else the reason is noted."""
    run, _made = UpdateRun.objects.get_or_create(repository=repository)
    run.started_at = timezone.now()
    run.save(update_fields=["started_at"])
    connected = load_active_link(repository.pk)
    try:
        if connected is None:
            raise ForgeError(
                ForgeCode.UNSUPPORTED,
                _("the repository is at no forge, where a pull request could be opened"),
                _("Connect the forge, or run muniment update in a job."),
            )
        _run_connected(run, connected, source or RegistryAccess())
    except MunimentError as error:
        run.problem = format_error_text(error)
        run.save(update_fields=["problem", "bots"])
        return False
    run.proven_at, run.problem = timezone.now(), ""
    run.save(update_fields=["proven_at", "problem", "bots"])
    return True


def _run_connected(run: UpdateRun, connected: RepositoryLink, source: RegistrySource) -> None:
    """Note the bots that were seen, then prove each part. Raises MunimentError for the first that does not work."""
    forge = open_connected_forge(connected.connection)
    there = require_linked_repository(connected)
    listed = forge.reader.read_repository(there.path)
    mirror = open_repository_mirror(connected, forge, there)
    run.bots = _list_seen_bots(connected, forge, there, mirror)
    if Ability.PROPOSE in listed.missing_abilities:
        raise ForgeError(
            ForgeCode.FORBIDDEN,
            _("our account may not push a branch and open a pull request"),
            _("Give it the permission; the page of the connection names it."),
        )
    with hold_lock(f"mirror:{connected.pk}"):
        tip = forge.reader.read_branch_tip(there, connected.default_branch)
        mirror.fetch_refs((connected.default_branch,), (), (tip,))
    with mirror.open_copy() as git:
        files = read_dependency_files(git, tip).contents
        locks = [lock for lock in read_locks(files).locks if lock.format in MOVED_FORMATS]
        now, waits = moments.current_moment(), read_cool_down()
        about = UpdateSettings(load_index(), source, now, cool_down=waits, exploited=load_exploited())
        target = ProposalTarget(connected, forge, there, mirror, git, connected.default_branch, tip)
        propose_updates(target, locks, files, about)
        _prove_locks(locks, files, about)


def _prove_locks(locks: Iterable[Lock], files: Mapping[str, bytes], about: UpdateSettings) -> None:
    """Prove that each lock can be updated. Raises ResolverError for the first that cannot."""
    for lock in locks:
        refusal = prove_updates(lock, files[lock.path], files, about)
        if refusal is not None:
            raise ResolverError(f"{lock.path}: {refusal.reason}", refusal.remedy)


def _list_seen_bots(
    connected: RepositoryLink, forge: Forge, there: ForgeRepository, mirror: Mirror
) -> list[tuple[str, str, str]]:
    """List path, account and moment of each file that a pull request of another machine account altered lately."""
    ours = forge.reader.describe_forge().ours
    since = moments.format_moment(timezone.now() - _SEEN)
    changes = [
        one
        for state in (ChangeState.OPEN, ChangeState.MERGED)
        for one in forge.reader.list_changes(there, state, since)
        if _is_bot(one.opener, ours)
    ][:_MOST_BOT_CHANGES]
    if not changes:
        return []
    refs = tuple(forge.reader.change_ref(one.number) for one in changes)
    with hold_lock(f"mirror:{connected.pk}"):
        mirror.fetch_refs(refs, (), tuple(one.head for one in changes))
    with mirror.open_copy() as git:
        found = {
            path: (path, one.opener.login, one.updated)
            for one in sorted(changes, key=lambda each: each.updated)
            for path in _list_altered(git, one)
        }
    return sorted(found.values())


def _is_bot(account: Account, ours: Account) -> bool:
    return account.id != ours.id and (account.machine or account.login.lower() in _BOTS)


def _list_altered(git: Git, change: Change) -> Iterator[str]:
    """Paths that a change alters; none if its commits are not here."""
    try:
        base = find_merge_base(git, change.head, [change.base])
        before, after = (read_dependency_files(git, each).contents for each in (base, change.head))
    except GitError:
        return
    yield from (path for path, content in after.items() if before.get(path) != content)


def list_due_runs() -> list[int]:
    """Repositories whose machinery has to run: each day, or an hour after it failed; the oldest run first."""
    readings = DependencyReading.objects.exclude(first_read_at=None).filter(repository__product__retired_at=None)
    runs = {row.repository_id: row for row in UpdateRun.objects.exclude(started_at=None)}
    now = timezone.now()
    due: list[tuple[float, int]] = []
    for number in readings.values_list("repository", flat=True):
        started = runs[number].started_at if number in runs else None
        if started is None:
            due.append((0, number))
        elif now - started > (_RETRY if runs[number].problem else _DAILY):
            due.append((started.timestamp(), number))
    return [number for _, number in sorted(due)[:_MOST_DUE]]
