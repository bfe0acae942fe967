"""What most commands begin with: a repository, the protected branch in it, and the rules that hold there."""

import datetime
from collections.abc import Iterator
from contextlib import contextmanager

from msgspec import Struct

from muniment.errors import UsageError
from muniment.facts import moments
from muniment.git import documents, signatures
from muniment.git.repository import Repository
from muniment.home.files import FilesHome
from muniment.policy.patterns import matches
from muniment.workflows.sources import Rules, rules

_USUAL = ("main", "master")


class Branch(Struct, frozen=True):
    """A branch by its full ref, as the server knows it, and the commit it is at here."""

    ref: str
    tip: str

    @property
    def name(self) -> str:
        """The short name."""
        return self.ref.removeprefix("refs/heads/")


class Scene(Struct, frozen=True):
    """A repository, a protected branch, and its rules."""

    repository: Repository
    branch: Branch
    rules: Rules


@contextmanager
def opened(repo: str, onto: str | None, home: str | None) -> Iterator[Scene]:
    """The scene that the shared options name.

    Raises UsageError for no such branch or one that the policy does not protect, ConfigurationError for documents.
    """
    with Repository.open(repo) as repository:
        branch = find_branch(repository, onto)
        found = rules(FilesHome(home) if home else None, documents.at(repository, branch.tip), signatures.by_person)
        protected = found.policy.policy.protected
        if not matches(branch.name, protected):
            raise UsageError(
                f"the policy does not protect {branch.name}, so there is nothing to judge",
                f"Name a protected branch with --onto ({', '.join(protected)}), or protect it in policy.toml.",
            )
        yield Scene(repository, branch, found)


def find_branch(repository: Repository, onto: str | None) -> Branch:
    """The branch `onto` (local, else origin's), or main, master, or a bare repository's HEAD. UsageError if none."""
    names = _names(repository, onto)
    refs = repository.refs(*(place + name for name in names for place in ("refs/heads/", "refs/remotes/origin/")))
    for name in names:
        tip = refs.get("refs/heads/" + name) or refs.get("refs/remotes/origin/" + name)
        if tip:
            return Branch("refs/heads/" + name, tip)
    wanted = " or ".join(dict.fromkeys(names))
    raise UsageError(f"there is no branch {wanted} here", "Name the protected branch with --onto BRANCH.")


def _names(repository: Repository, onto: str | None) -> tuple[str, ...]:
    if onto is None:
        return (*_USUAL, *filter(None, (repository.head_branch().removeprefix("refs/heads/"),)))
    return (onto.removeprefix("refs/heads/"),)


def now() -> str:
    """This moment; a command reads it once."""
    return moments.text(datetime.datetime.now(datetime.UTC))
