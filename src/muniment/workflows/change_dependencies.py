"""Dependencies that a change brings: its locks at the merge base are compared with those of its head.

Advisories come from a provider: the service registers its database, and elsewhere the files that MUNIMENT_ADVISORIES
names are read. They are read only if a lock changed, so that other changes wait for nothing.
"""

import os
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

from msgspec import Struct

from muniment.errors import GitError, MunimentError
from muniment.facts.change import Revision
from muniment.facts.maybe import Known, Maybe, Unknown
from muniment.facts.update_facts import AdvisoryData, ChangeDependencies, NewVulnerability, UnreadLock
from muniment.git.received_push import find_merge_base
from muniment.git.repository import Repository
from muniment.updates.advisory_exports import AdvisoryExport, fetch_export
from muniment.updates.advisory_index import AdvisoryIndex, AdvisoryMatch
from muniment.updates.dependencies import Dependency, Ecosystem, Lock
from muniment.updates.repository_files import DependencyFiles, read_dependency_files
from muniment.updates.repository_locks import RepositoryLocks, read_locks
from muniment.updates.safe_versions import SafeVersion, find_safe_version
from muniment.updates.update_reports import list_ecosystems

MOST_IN_FACT = 200  # vulnerabilities and files of one fact: one blocks as well as a thousand
_SETTING = "MUNIMENT_ADVISORIES"


class AdvisorySet(Struct, frozen=True):
    """Advisories, with their age for each ecosystem that was asked for.

    `exploited`: identifiers of vulnerabilities that are known to be exploited.
    """

    index: AdvisoryIndex
    data: tuple[AdvisoryData, ...]
    exploited: frozenset[str] = frozenset()


AdvisoryProvider = Callable[[Collection[Ecosystem], str], AdvisorySet]  # ecosystems, and the current moment
_PROVIDERS: list[AdvisoryProvider] = []


def register_advisory_provider(provider: AdvisoryProvider) -> None:
    """Have the advisories of this process come from `provider`."""
    _PROVIDERS[:] = [provider]


def read_named_advisories(ecosystems: Collection[Ecosystem], now: str) -> AdvisorySet:
    """Read the files that the setting names. An address is not asked: a hook or a check does not wait for a network."""
    exports: list[AdvisoryExport] = []
    problem = ""
    for location in os.environ.get(_SETTING, "").split():
        if "://" in location:
            continue
        try:
            exports.append(fetch_export(location, now))
        except MunimentError as error:
            problem = error.message
    index = AdvisoryIndex(each for export in exports for each in export.advisories)
    return AdvisorySet(index, tuple(_describe_data(each, exports, problem) for each in ecosystems))


def _describe_data(ecosystem: Ecosystem, exports: list[AdvisoryExport], problem: str) -> AdvisoryData:
    newest = max((export.as_of for export in exports if ecosystem in export.ecosystems), default="")
    return AdvisoryData(ecosystem.value, newest, problem)


class AlteredLock(Struct, frozen=True):
    """Lock that a change alters, and what it was before: none, or several where it may have moved."""

    lock: Lock
    earlier: Sequence[Lock]


class AlteredLocks(Struct, frozen=True):
    """Locks that a change alters. `files` counts the files; `unread` are those that it makes unknown."""

    files: int = 0
    locks: tuple[AlteredLock, ...] = ()
    unread: tuple[UnreadLock, ...] = ()


def find_altered_locks(repository: Repository, revision: Revision) -> Maybe[AlteredLocks]:
    """Find the locks that a revision alters. It never raises."""
    if not revision.head:
        return Known(AlteredLocks())
    try:
        before = find_merge_base(repository, revision.head, [revision.base]) if revision.base else ""
        old = read_dependency_files(repository, before) if before else DependencyFiles({}, ())
        new = read_dependency_files(repository, revision.head)
    except GitError as error:
        return Unknown(error.message)
    if old == new:
        return Known(AlteredLocks())
    return Known(_compare_locks(_read_all(old), _read_all(new), _list_changed(old, new)))


def compare_dependencies(repository: Repository, revision: Revision, now: str) -> Maybe[ChangeDependencies]:
    """Compare the dependencies of a revision with those before it. It never raises."""
    altered = find_altered_locks(repository, revision)
    if isinstance(altered, Unknown):
        return altered
    files, locks, unread = altered.value.files, altered.value.locks, altered.value.unread
    if not locks:
        return Known(ChangeDependencies(files, (), unread))
    advisories = load_advisories([each.lock for each in locks], now)
    found = [one for each in locks for one in _list_new(advisories.index, each.lock, each.earlier)]
    return Known(ChangeDependencies(len(locks), tuple(found[:MOST_IN_FACT]), unread, advisories.data))


def load_advisories(locks: Sequence[Lock], now: str) -> AdvisorySet:
    """Load the advisories for some locks, from the provider of this process."""
    provider = _PROVIDERS[0] if _PROVIDERS else read_named_advisories
    return provider(list_ecosystems(locks), now)


def _read_all(files: DependencyFiles) -> RepositoryLocks:
    found = read_locks(files.contents)
    return RepositoryLocks(found.locks, (*found.unread, *files.unread))


def _list_changed(old: DependencyFiles, new: DependencyFiles) -> frozenset[str]:
    return frozenset(path for path, content in new.contents.items() if old.contents.get(path) != content)


def _compare_locks(old: RepositoryLocks, new: RepositoryLocks, changed: frozenset[str]) -> AlteredLocks:
    known = frozenset(_list_unread(old))
    fresh = [UnreadLock(*each) for each in dict.fromkeys(_list_unread(new)) if each not in known]
    # A lock may change with its manifest, as a requirements file with one that it includes: compare them all.
    pairs = [AlteredLock(lock, _find_earlier(lock, old, new)) for lock in new.locks]
    altered = tuple(each for each in pairs if _list_keys([each.lock]) != _list_keys(each.earlier))
    return AlteredLocks(len(changed), altered, tuple(fresh[:MOST_IN_FACT]))


def _list_unread(locks: RepositoryLocks) -> Iterator[tuple[str, str]]:
    """Path and reason of each file whose dependencies are not all known."""
    yield from ((each.path, each.reason) for each in locks.unread)
    yield from ((lock.path, gap) for lock in locks.locks for gap in lock.gaps)


def _find_earlier(lock: Lock, old: RepositoryLocks, new: RepositoryLocks) -> list[Lock]:
    """The lock at the same path before; for a new path those that are gone, since a lock may move."""
    same = [each for each in old.locks if each.path == lock.path]
    if same:
        return same
    paths = {each.path for each in new.locks}
    return [each for each in old.locks if each.path not in paths and each.format is lock.format]


def _list_keys(locks: Iterable[Lock]) -> frozenset[tuple[Ecosystem, str]]:
    return frozenset((each.ecosystem, each.key) for lock in locks for each in lock.dependencies)


def _list_new(index: AdvisoryIndex, lock: Lock, earlier: Sequence[Lock]) -> Iterator[NewVulnerability]:
    """Vulnerabilities of packages of a lock that the same package did not have before."""
    before = {
        (each.ecosystem, each.name, match.vulnerability.id): match.certain
        for old in earlier
        for each in old.dependencies
        for match in _match_dependency(index, each)
    }
    packages = {(each.ecosystem, each.key): each for each in lock.dependencies}
    for each in packages.values():
        for match in _match_dependency(index, each):
            known = before.get((each.ecosystem, each.name, match.vulnerability.id))
            if known is None or (match.certain and not known):
                yield _describe_match(index, lock, each, match)


def _match_dependency(index: AdvisoryIndex, dependency: Dependency) -> tuple[AdvisoryMatch, ...]:
    return index.match_version(dependency.ecosystem, dependency.name, dependency.version)


def _describe_match(index: AdvisoryIndex, lock: Lock, dependency: Dependency, match: AdvisoryMatch) -> NewVulnerability:
    safe = find_safe_version(index, dependency.ecosystem, dependency.name, dependency.version)
    return NewVulnerability(
        lock.path,
        dependency.name,
        dependency.version,
        match.vulnerability.id,
        match.vulnerability.rating.severity.value,
        safe.version if isinstance(safe, SafeVersion) else "",
        match.vulnerability.is_malware,
        match.certain,
    )
