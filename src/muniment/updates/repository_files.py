"""Locks and manifests at a commit, as the repository's objects have them: no file outside it can be meant."""

from collections.abc import Mapping

from msgspec import Struct

from muniment.errors import GitError
from muniment.facts import paths
from muniment.git.repository import Repository
from muniment.updates.dependencies import UnreadFile
from muniment.updates.lock_values import LARGEST_LOCK
from muniment.updates.repository_locks import RepositoryLocks, is_dependency_file, read_locks

_MOST_FILES = 5_000
_MOST_BYTES = 256 << 20
_SECONDS = 60
_SHAPING_FILES = (".npmrc",)  # which a resolver gets a part of
_PLAIN_MODES = (b"100644", b"100755")


class DependencyFiles(Struct, frozen=True):
    """Contents of locks and manifests by path, and those that are no plain files."""

    contents: Mapping[str, bytes]
    unread: tuple[UnreadFile, ...]


def read_repository_locks(repository: Repository, commit: str) -> RepositoryLocks:
    """Read all locks at a commit. Raises GitError if the files cannot all be listed and read."""
    files = read_dependency_files(repository, commit)
    found = read_locks(files.contents)
    return RepositoryLocks(found.locks, tuple(sorted((*found.unread, *files.unread), key=lambda each: each.path)))


def read_dependency_files(repository: Repository, commit: str) -> DependencyFiles:
    """Locks and manifests at a commit. Raises GitError."""
    found, unread = [], []
    rows = repository.run_git("ls-tree", "-r", "-z", values=(commit,), timeout=_SECONDS).split(b"\0")[:-1]
    for row in rows:
        meta, _, raw = row.partition(b"\t")
        path = paths.decode_path(raw)
        shapes_resolution = path.rpartition("/")[2] in _SHAPING_FILES
        if is_dependency_file(path) or shapes_resolution:
            mode, _, oid = meta.split(b" ")
            if mode in _PLAIN_MODES:
                found.append((path, oid.decode()))
            elif not shapes_resolution:
                unread.append(UnreadFile(path, "it is a link, or another repository"))
    if len(found) > _MOST_FILES:
        raise GitError(f"there are more than {_MOST_FILES} lock files and manifests", "Remove those that are not used.")
    sizes = repository.objects.read_sizes([oid for _, oid in found])
    if sum(size or 0 for size in sizes) > _MOST_BYTES:
        raise GitError(f"lock files have more than {_MOST_BYTES >> 20} MiB", "Remove those that are not used.")
    contents: dict[str, bytes] = {}
    for path, name in found:
        blob = repository.objects.read_git_object(name, LARGEST_LOCK)
        if blob is None or blob.kind != "blob":
            unread.append(UnreadFile(path, "its content is not in this clone"))
        else:
            contents[path] = blob.data
    return DependencyFiles(contents, tuple(unread))
