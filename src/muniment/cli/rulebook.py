"""The policy to talk about where no change is judged: a file, the branch's, the home's, or the built-in one."""

import sys
from pathlib import Path

from muniment.cli import scene
from muniment.decision.binding import BoundPolicy
from muniment.decision.policies import read_bound_policy
from muniment.errors import GitError, PolicyError, UsageError
from muniment.git import documents
from muniment.git.repository import Repository
from muniment.policy.pack import pack_text
from muniment.store.files import FilesStore
from muniment.workflows import sources

BUILT_IN = "built-in"


def any_policy(repo: str, onto: str | None, home: str | None) -> BoundPolicy:
    """The effective policy here, or the built-in one where there is none."""
    place = FilesStore(home) if home else None
    branch = _documents(repo, onto)
    written = [source for source in (place, branch) if source is not None and source.policy() is not None]
    return sources.policy_of(place, branch)[0] if written else built_in()


def built_in() -> BoundPolicy:
    """The built-in pack."""
    return read_bound_policy(pack_text("security@example.test", "repository"), BUILT_IN)


def from_file(name: str) -> BoundPolicy:
    """The policy in a file; the name `built-in` is the built-in one. Raises PolicyError."""
    return built_in() if name == BUILT_IN else read_bound_policy(read_text(name), name)


def read_text(name: str) -> str:
    """The text of a policy file, `-` for standard input. Raises PolicyError if it cannot be read."""
    try:
        if name == "-":
            return sys.stdin.buffer.read().decode("utf-8")
        return Path(name).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise PolicyError(name, "", f"it cannot be read ({error})", "Name a policy file that is there.") from error


def _documents(repo: str, onto: str | None) -> documents.Documents | None:
    """The branch's own documents; None outside a repository or without such a branch, unless one was named."""
    try:
        with Repository.open(repo) as repository:
            return documents.at(repository, scene.find_branch(repository, onto).tip)
    except (GitError, UsageError):
        if onto is not None:
            raise
        return None
