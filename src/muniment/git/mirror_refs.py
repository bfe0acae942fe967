"""Names of refs that a mirror may ask for, and refs of a copy that stand in the way of others."""

import re
from collections.abc import Sequence
from collections.abc import Set as AbstractSet

from muniment.errors import GitError
from muniment.git.repository import Repository

_REF = re.compile(r"refs/[^\s~^:?*\[\\\x00-\x1f]+")


def find_conflicting_refs(repository: Repository, coming: AbstractSet[str]) -> list[str]:
    """Refs above or below those that come: the server cannot have both, so they are gone there."""
    above = {parent for ref in coming for parent in _list_parent_refs(ref)}
    found = repository.read_refs(*above, *coming) if coming else {}
    return [ref for ref in found if ref in above or not coming.isdisjoint(_list_parent_refs(ref))]


def _list_parent_refs(ref: str) -> list[str]:
    parts = ref.split("/")
    return ["/".join(parts[:length]) for length in range(3, len(parts))]


def was_requested(name: str, refs: Sequence[str]) -> bool:
    """Whether exactly this name was requested: git also matches the ends of names."""
    return any(name == ref or (ref.endswith("/*") and name.startswith(ref[:-1])) for ref in refs)


def is_fetchable_name(ref: str) -> bool:
    """Whether a ref has a name that can be fetched."""
    return _REF.fullmatch(ref) is not None and ".." not in ref


def check_ref(ref: str) -> str:
    """The ref itself. Raises GitError for a name that cannot be fetched."""
    # A name that begins with a dash, or has a colon, would be an option or another ref to git.
    if not is_fetchable_name(ref):
        raise GitError("this is no name of a ref", "Name a branch that is there.")
    return ref
