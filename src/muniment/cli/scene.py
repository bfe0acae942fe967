"""What most commands begin with: a repository, the protected branch in it, and the rules that hold there."""

import datetime
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from msgspec import Struct

from muniment.errors import PolicyError, UsageError
from muniment.facts import moments
from muniment.git import documents, signatures
from muniment.git.repository import Repository
from muniment.policy.patterns import matches
from muniment.store.files import FilesStore
from muniment.workflows.publish_rules import known_rules, rules_of
from muniment.workflows.sources import Rules, rules
from muniment.workflows.standing import is_silent

_USUAL = ("main", "master")
_HOME = ".muniment"  # where `muniment init` makes one


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
def opened(repo: str, onto: str | None, home: str | None, *, published: bool = False) -> Iterator[Scene]:
    """The scene that the shared options name.

    With `published`, the rules that the server published serve where neither a home nor the branch has any: they know
    no people. Raises UsageError for no such branch or one that the policy does not protect, ConfigurationError for
    documents.
    """
    with Repository.open(repo) as repository:
        branch = find_branch(repository, onto)
        written = documents.at(repository, branch.tip)
        known = known_rules(repository) if published and home is None and is_silent(written) else None
        if known is None:
            if home is None and is_silent(written):
                require_no_other_policy(repo, branch)
            found = rules(FilesStore(home) if home else None, written, signatures.by_person)
        else:
            found = rules_of(known)
        protected = found.policy.policy.protected_branches
        if not matches(branch.name, protected):
            raise UsageError(
                f"the policy does not protect {branch.name}, so there is nothing to evaluate",
                f"Name a protected branch with --onto ({', '.join(protected)}), or protect it in policy.toml.",
            )
        yield Scene(repository, branch, found)


def require_no_other_policy(repo: str, branch: Branch) -> None:
    """Raise PolicyError where `muniment init` made a policy that is not on the branch: whoever wrote it means that."""
    if (Path(repo) / _HOME / "policy.toml").is_file():
        raise PolicyError(
            "policy.toml",
            "",
            f"the one in {_HOME}/ is not on {branch.name} yet",
            f"Name it as the home: --home {_HOME}, or commit it onto {branch.name}.",
        )


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
