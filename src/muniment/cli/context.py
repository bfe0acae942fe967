"""Context of most commands: a repository, a protected branch in it, and the rules of that branch."""

import datetime
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import click
from msgspec import Struct

from muniment.errors import ConfigurationError, GitError, PolicyError, UsageError
from muniment.facts import moments
from muniment.git import branch_documents, signatures
from muniment.git.repository import Repository
from muniment.policy.patterns import matches_any
from muniment.store.files_store import FilesStore
from muniment.workflows.publish_rules import convert_known_rules, read_known_rules
from muniment.workflows.repository_rules import has_no_own_rules
from muniment.workflows.rule_sources import Rules, load_rules

DEFAULT_BRANCHES = ("main", "master")
_OFFERED = 5
LOCAL_HOME = ".muniment"  # where `muniment init` makes one


class LocalBranch(Struct, frozen=True):
    """Branch by its full ref, and the commit it is at here."""

    ref: str
    tip: str

    @property
    def name(self) -> str:
        """Short name, without `refs/heads/`."""
        return self.ref.removeprefix("refs/heads/")


class CommandContext(Struct, frozen=True):
    """Repository, protected branch, and the rules of that branch."""

    repository: Repository
    branch: LocalBranch
    rules: Rules


@contextmanager
def open_context(repo: str, onto: str | None, home: str | None, *, published: bool = False) -> Iterator[CommandContext]:
    """Open the context that the shared options name.

    With `published`, the rules that the server published serve where neither a home nor the branch has any: they know
    no people. Raises UsageError for no such branch or one that the policy does not protect, ConfigurationError for
    documents.
    """
    with Repository.open(repo) as repository:
        branch = find_branch(repository, onto)
        written = branch_documents.read_documents(repository, branch.tip)
        known = read_known_rules(repository) if published and home is None and has_no_own_rules(written) else None
        if known is None:
            if home is None and has_no_own_rules(written):
                home = find_local_home(repository, repo, branch)
            found = load_rules(_open_home(home) if home else None, written, signatures.verify_by_person)
        else:
            found = convert_known_rules(known)
        protected = found.policy.policy.protected_branches
        if not matches_any(branch.name, protected):
            raise UsageError(
                f"the policy does not protect {branch.name}, so there is nothing to evaluate",
                f"Name a protected branch with --onto ({', '.join(protected)}), or protect it in policy.toml.",
            )
        yield CommandContext(repository, branch, found)


def _open_home(home: str) -> FilesStore:
    """Open a home that is files. Raises UsageError for that of a service."""
    from muniment.cli.home_access import open_files_home  # hooks import this module, and nothing of a service

    return open_files_home(home)


def find_local_home(repository: Repository, repo: str, branch: LocalBranch) -> str | None:
    """Find the home that `muniment init` made in the working copy, for a branch without rules of its own.

    None if there is none. A change never brings its own rules: raises PolicyError if the commit that is checked out
    carries them.
    """
    above = Path(repository.git_dir).parent if not repository.bare else Path(repo)
    for folder in dict.fromkeys((Path(repo), above)):
        home = folder / LOCAL_HOME
        if home.is_symlink() or not (home / "policy.toml").is_file():
            continue
        if _carries_rules(repository):
            raise PolicyError(
                "policy.toml",
                "",
                f"the one in {LOCAL_HOME}/ is not on {branch.name} yet",
                f"Name it as the home: --home {LOCAL_HOME}, or commit it onto {branch.name}.",
            )
        named = os.path.relpath(home)
        click.echo(f"Using the policy and people in {named}/. They are not on {branch.name} yet.", err=True)
        return named
    return None


def _carries_rules(repository: Repository) -> bool:
    """Whether the commit that is checked out carries rules; True if that cannot be read."""
    try:
        head = repository.resolve_commit("HEAD")
        return not has_no_own_rules(branch_documents.read_documents(repository, head))
    except (GitError, UsageError, ConfigurationError):
        return True


def find_branch(repository: Repository, onto: str | None) -> LocalBranch:
    """The branch `onto` (local, else origin's), or main, master, or a bare repository's HEAD. UsageError if none."""
    names = _branch_names(repository, onto)
    refs = repository.read_refs(*(place + name for name in names for place in ("refs/heads/", "refs/remotes/origin/")))
    for name in names:
        tip = refs.get("refs/heads/" + name) or refs.get("refs/remotes/origin/" + name)
        if tip:
            return LocalBranch("refs/heads/" + name, tip)
    raise _no_branch_error(repository, names)


def _no_branch_error(repository: Repository, names: Sequence[str]) -> UsageError:
    """Error that offers the branches that are there."""
    places = ("refs/heads/", "refs/remotes/origin/")
    refs = [ref for ref in sorted(repository.read_refs(*places)) if ref != "refs/remotes/origin/HEAD"]
    there = [ref.removeprefix(place) for ref in refs for place in places if ref.startswith(place)]
    if not there:
        return UsageError("there is no commit here yet", "Commit something, or name another repository with --repo.")
    offered = ", ".join(list(dict.fromkeys(there))[:_OFFERED])
    wanted = " or ".join(dict.fromkeys(names))
    return UsageError(
        f"there is no branch {wanted} here", f"Name the protected branch with --onto BRANCH. There are: {offered}."
    )


def _branch_names(repository: Repository, onto: str | None) -> tuple[str, ...]:
    if onto is None:
        return (*DEFAULT_BRANCHES, *filter(None, (repository.find_head_branch().removeprefix("refs/heads/"),)))
    return (onto.removeprefix("refs/heads/"),)


def current_moment() -> str:
    """Present moment. A command reads the clock once."""
    return moments.format_moment(datetime.datetime.now(datetime.UTC))
