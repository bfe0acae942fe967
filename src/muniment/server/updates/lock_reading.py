"""Reads the locks of every protected branch of a repository, and of the commits that run in environments."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta

import msgspec
from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from muniment.errors import GitError, MunimentError
from muniment.git.repository import Repository as Git
from muniment.server.changes.repository_context import open_repository_context
from muniment.server.connections.forge_access import load_active_link, open_connected_forge, require_linked_repository
from muniment.server.connections.forge_change_evaluator import open_repository_mirror
from muniment.server.connections.models import ProtectedBranch
from muniment.server.connections.named_locks import hold_lock
from muniment.server.deployments.models import Deployment, DeploymentState
from muniment.server.error_text import format_error_text
from muniment.server.products.models import FORGE, Repository, RepositoryScan
from muniment.server.updates.models import ENVIRONMENT, DependencyLock, DependencyReading, LockEntry
from muniment.updates.dependencies import Dependency, Lock
from muniment.updates.repository_files import read_repository_locks
from muniment.updates.repository_locks import RepositoryLocks

_DAILY = timedelta(days=1)
_RETRY = timedelta(minutes=10)  # after a reading that failed
_MOVED = timedelta(minutes=1)  # after which a moved branch is read again
_MOST_DUE = 20  # repositories in one round
_MOST_LISTED = 500  # unread files of one reading
_AT_ONCE = 2_000
_PackageKey = tuple[str, str, str]  # ecosystem, name, version


def find_running_commits(product: int) -> dict[str, str]:
    """Commit that runs in each environment of a product, by name: of the newest deployment there that succeeded."""
    rows = Deployment.objects.filter(environment__product=product, environment__ended_at=None)
    rows = rows.filter(permission__state=DeploymentState.SUCCEEDED).order_by("pk")
    return dict(rows.values_list("environment__name", "commit"))


@contextmanager
def open_places(repository: Repository) -> Iterator[tuple[Git, dict[str, str]]]:
    """Open the git of a repository, with the commit of each protected branch. Raises MunimentError."""
    connected = load_active_link(repository.pk)
    if connected is None:
        with open_repository_context(repository) as context:
            yield context.git, dict(context.branches)
        return
    forge = open_connected_forge(connected.connection)
    there = require_linked_repository(connected)
    refs = {*repository.protected_branches.values_list("ref", flat=True), connected.default_branch}
    tips = {ref: forge.reader.read_branch_tip(there, ref) for ref in sorted(refs)}
    mirror = open_repository_mirror(connected, forge, there)
    with hold_lock(f"mirror:{connected.pk}"):  # two fetches into one mirror would fail at its refs
        mirror.fetch_refs(tuple(tips), (), tuple(tips.values()))
    with mirror.open_copy() as git:
        yield git, tips


def read_repository(repository: Repository) -> bool:
    """Read all locks of a repository. Returns whether they were read; else the reason is noted, and nothing is lost."""
    reading, _ = DependencyReading.objects.get_or_create(repository=repository)
    reading.started_at = timezone.now()
    reading.save(update_fields=["started_at"])
    try:
        with open_places(repository) as (git, places):
            running = find_running_commits(repository.product_id)
            deployed = {f"{ENVIRONMENT}{name}": commit for name, commit in running.items() if _has_commit(git, commit)}
            commits = places | deployed
            found = {commit: read_repository_locks(git, commit) for commit in sorted(set(commits.values()))}
    except MunimentError as error:
        reading.problem, reading.finished_at = format_error_text(error), None
        reading.save(update_fields=["problem", "finished_at"])
        return False
    store_reading(reading, commits, {place: found[commit] for place, commit in commits.items()})
    return True


def _has_commit(git: Git, commit: str) -> bool:
    try:
        return git.resolve_commit(commit) == commit
    except GitError:
        return False


def store_reading(reading: DependencyReading, commits: Mapping[str, str], found: Mapping[str, RepositoryLocks]) -> None:
    """Store the locks of each place. A lock that was read before and cannot be read now keeps what it had."""
    now = timezone.now()
    unread = [(place, each.path, each.reason) for place, locks in found.items() for each in locks.unread]
    unread += [(place, lock.path, gap) for place, locks in found.items() for lock in locks.locks for gap in lock.gaps]
    with transaction.atomic():
        first = reading.first_read_at is None
        reading.first_read_at = reading.first_read_at or now
        _drop_locks(reading.repository, found)
        introduced = {} if first else _load_introductions(reading.repository)
        for place, locks in found.items():
            for lock in locks.locks:
                _store_lock(reading.repository, place, lock, introduced, now)
        reading.places = sorted(map(list, commits.items()))
        reading.unread = sorted(dict.fromkeys(unread))[:_MOST_LISTED]
        reading.finished_at, reading.problem = now, ""
        reading.save(update_fields=["first_read_at", "places", "unread", "finished_at", "problem"])


def _drop_locks(repository: Repository, found: Mapping[str, RepositoryLocks]) -> None:
    """Delete locks of places and paths that are no longer there."""
    for row in DependencyLock.objects.filter(repository=repository).defer("content"):
        locks = found.get(row.place)
        paths = {*(each.path for each in locks.locks), *(each.path for each in locks.unread)} if locks else set()
        if row.path not in paths:
            row.delete()


def _load_introductions(repository: Repository) -> dict[tuple[str, _PackageKey], datetime]:
    """Moment since which each version is in a lock, at any place."""
    rows = LockEntry.objects.filter(lock__repository=repository).order_by("-introduced_at")
    names = ("lock__path", "ecosystem", "name", "version", "introduced_at")
    return {(path, (ecosystem, name, version)): at for path, ecosystem, name, version, at in rows.values_list(*names)}


def _store_lock(
    repository: Repository,
    place: str,
    lock: Lock,
    introduced: Mapping[tuple[str, _PackageKey], datetime],
    now: datetime,
) -> None:
    content = msgspec.msgpack.encode(lock)
    digest = hashlib.sha256(content).hexdigest()
    packages = _join_dependencies(lock.dependencies)
    row = DependencyLock.objects.filter(repository=repository, place=place, path=lock.path[:1000]).first()
    if row is not None and row.digest == digest:
        return
    if row is None:
        row = DependencyLock(repository=repository, place=place, path=lock.path[:1000])
    row.format, row.digest, row.dependency_count = lock.format.value, digest, len(packages)
    row.content = content
    row.save()
    row.packages.all().delete()
    LockEntry.objects.bulk_create(
        (
            LockEntry(
                lock=row,
                ecosystem=key[0],
                name=key[1][:300],
                version=key[2][:200],
                relation=each.relation.value,
                route=list(each.path),
                is_development=each.development,
                introduced_at=introduced.get((row.path, key), now),
            )
            for key, each in packages.items()
        ),
        batch_size=_AT_ONCE,
    )


def _join_dependencies(dependencies: Iterable[Dependency]) -> dict[_PackageKey, Dependency]:
    """Dependencies by package and version. One that production needs at any place is no development dependency."""
    found: dict[_PackageKey, Dependency] = {}
    for each in dependencies:
        key = (each.ecosystem.value, each.name, each.version)
        known = found.get(key)
        if known is None or (known.development and not each.development):
            found[key] = each
    return found


def list_due_readings() -> Iterator[int]:
    """List the repositories whose branches or deployments moved, or that were not read for a day, oldest first."""
    rows = Repository.objects.filter(product__retired_at=None)
    here = Q(worker=settings.WORKER_NAME) & ~Q(path__startswith=FORGE)
    rows = rows.filter(here | Q(forge_link__connection__ended_at=None, path__startswith=FORGE))
    readings = {row.repository_id: row for row in DependencyReading.objects.defer("plan", "unread")}
    tips: dict[int, set[str]] = {}
    for repository, tip in RepositoryScan.objects.filter(tip__gt="").values_list("repository", "tip"):
        tips.setdefault(repository, set()).add(tip)
    for repository, tip in ProtectedBranch.objects.filter(tip__gt="").values_list("repository", "tip"):
        tips.setdefault(repository, set()).add(tip)
    due: list[tuple[float, int]] = []
    for number, product in rows.values_list("pk", "product"):
        reading = readings.get(number)
        if reading is None or reading.started_at is None:
            due.append((0, number))
        elif _is_due(reading, tips.get(number, set()), product):
            due.append((reading.started_at.timestamp(), number))
    for _, number in sorted(due)[:_MOST_DUE]:
        yield number


def _is_due(reading: DependencyReading, tips: set[str], product: int) -> bool:
    age = timezone.now() - (reading.started_at or timezone.now())
    if reading.problem or reading.finished_at is None:
        return age > _RETRY
    if age > _DAILY:
        return True
    known = {commit for _place, commit in reading.places}
    if not tips <= known:
        return age > _MOVED
    places = dict(reading.places)
    deployed = {place.removeprefix(ENVIRONMENT): at for place, at in places.items() if place.startswith(ENVIRONMENT)}
    running = find_running_commits(product)
    changed = any(deployed.get(name, at) != at for name, at in running.items()) or bool(
        deployed.keys() - running.keys()
    )
    return changed or (age > _RETRY and any(name not in deployed for name in running))


def decode_lock(row: DependencyLock) -> Lock:
    """Lock of a row."""
    return msgspec.msgpack.decode(row.content, type=Lock)
