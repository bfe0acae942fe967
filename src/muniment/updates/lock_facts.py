"""Facts of a product that stand in the lock files of its repository: whether they pin, and its frameworks."""

from collections.abc import Callable, Collection

from muniment.errors import GitError
from muniment.facts import kinds
from muniment.facts.dependency_facts import FrameworkFile, FrameworkUse, LockContent, LockFile
from muniment.facts.framework_support import find_framework
from muniment.facts.maybe import Known, Maybe, Unknown
from muniment.git.repository import Repository
from muniment.updates.dependencies import Dependency, Lock, LockFormat, SourceKind
from muniment.updates.repository_files import read_repository_locks
from muniment.updates.repository_locks import RepositoryLocks

_MOST_NAMES = 50  # of one file: a decision names one of them, and people correct all
_DIGEST_SOURCES = (SourceKind.PUBLIC_REGISTRY, SourceKind.OTHER_REGISTRY, SourceKind.ARCHIVE, SourceKind.UNKNOWN)
_UNDIGESTED_FORMATS = (LockFormat.DOCKERFILE, LockFormat.GITHUB_ACTIONS, LockFormat.CYCLONEDX, LockFormat.MAVEN)


def read_lock_facts(repository: Repository, commit: str, names: Collection[str]) -> dict[str, Maybe[object]]:
    """Read those facts about the lock files at a commit that `names` has. No error is raised."""
    try:
        found = read_repository_locks(repository, commit)
    except GitError as error:
        return dict.fromkeys(names, Unknown(error.message))
    builders: dict[str, Callable[[RepositoryLocks], Maybe[object]]] = {
        kinds.DEPENDENCY_LOCKS.name: _build_locks,
        kinds.FRAMEWORKS.name: _build_frameworks,
    }
    return {name: builders[name](found) for name in names}


def _build_frameworks(found: RepositoryLocks) -> Maybe[tuple[FrameworkFile, ...]]:
    files = [FrameworkFile(each.path, Unknown(each.reason)) for each in found.unread]
    files += [FrameworkFile(lock.path, Known(_list_frameworks(lock))) for lock in found.locks]
    return Known(tuple(sorted(files, key=lambda each: each.path)))


def _list_frameworks(lock: Lock) -> tuple[FrameworkUse, ...]:
    uses = (
        FrameworkUse(framework.name, each.version)
        for each in lock.dependencies
        if (framework := find_framework(each.ecosystem.value, each.name)) is not None
    )
    return tuple(dict.fromkeys(uses))


def _build_locks(found: RepositoryLocks) -> Maybe[tuple[LockFile, ...]]:
    """Lock files and the manifests without one. An SBOM is no lock: it says what was installed."""
    files = [LockFile(each.path, Unknown(each.reason)) for each in found.unread]
    for lock in found.locks:
        if lock.format is LockFormat.MAVEN:
            files.append(LockFile(lock.path, Unknown("Maven has no lock file")))
        elif lock.format is not LockFormat.CYCLONEDX:
            files.append(LockFile(lock.path, _describe_lock(lock)))
    return Known(tuple(sorted(files, key=lambda each: each.path)))


def _describe_lock(lock: Lock) -> Maybe[LockContent]:
    """Gaps about versions do not matter here, as long as each package has its content pinned."""
    if lock.gaps and lock.format is LockFormat.DOCKERFILE:
        return Unknown(lock.gaps[0])
    unpinned = tuple(each.key for each in lock.dependencies if not each.pinned)
    without = tuple(each.key for each in lock.dependencies if _lacks_digest(lock, each))
    return Known(LockContent(len(lock.dependencies), unpinned[:_MOST_NAMES], without[:_MOST_NAMES]))


def _lacks_digest(lock: Lock, dependency: Dependency) -> bool:
    """A commit pins a repository; a file inside the repository is pinned by its own commit."""
    if lock.format in _UNDIGESTED_FORMATS or dependency.integrity:
        return False
    return dependency.source.kind in _DIGEST_SOURCES
