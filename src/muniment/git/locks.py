"""Locks that a git left behind when it was killed: until somebody deletes them, no ref that they hold can change."""

import os

from muniment.git.repository import Repository

_OF_ALL = ("HEAD.lock", "packed-refs.lock", "config.lock", "shallow.lock")
_MOST = 20


def find_locks(repository: Repository) -> tuple[str, ...]:
    """The files of the repository's locks, at most 20. One may be held by a git that runs at this moment."""
    found = [os.path.join(repository.git_dir, name) for name in _OF_ALL]
    for folder, _, names in os.walk(os.path.join(repository.git_dir, "refs")):
        found += [os.path.join(folder, name) for name in names if name.endswith(".lock")]
    return tuple(file for file in found if os.path.lexists(file))[:_MOST]
