"""Locks that a killed git left: until they are deleted, the refs that they lock cannot change."""

import os

from muniment.git.repository import Repository

_OF_ALL = ("HEAD.lock", "packed-refs.lock", "config.lock", "shallow.lock")
_MOST = 20


def find_locks(repository: Repository) -> tuple[str, ...]:
    """Files of the repository's locks, at most 20. A running git may hold one of them."""
    found = [os.path.join(repository.git_dir, name) for name in _OF_ALL]
    for folder, _, names in os.walk(os.path.join(repository.git_dir, "refs")):
        found += [os.path.join(folder, name) for name in names if name.endswith(".lock")]
    return tuple(file for file in found if os.path.lexists(file))[:_MOST]
