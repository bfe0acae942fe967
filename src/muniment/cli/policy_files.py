"""Policy for commands that evaluate no change: a file, the branch's, the home's, or the built-in one."""

from muniment.cli import context, home_access
from muniment.cli.input_files import name_input, read_input
from muniment.decision.binding import BoundPolicy
from muniment.decision.bound_policies import read_bound_policy
from muniment.errors import GitError, PolicyError, UsageError
from muniment.git import branch_documents
from muniment.git.repository import Repository
from muniment.policy.built_in_policy import format_built_in_policy
from muniment.workflows import rule_sources
from muniment.workflows.repository_rules import has_no_own_rules

BUILT_IN = "built-in"


def find_effective_policy(repo: str, onto: str | None, home: str | None) -> BoundPolicy:
    """Find the effective policy here, or the built-in one where there is none. Raises PolicyError for one that a change
    brings.
    """
    branch, found = _read_documents(repo, onto, home)
    place = home_access.open_store(found) if found else None
    written = [source for source in (place, branch) if source is not None and source.load_policy() is not None]
    return rule_sources.load_effective_policy(place, branch)[0] if written else load_built_in_policy()


def load_built_in_policy() -> BoundPolicy:
    """Load the built-in policy."""
    return read_bound_policy(format_built_in_policy("security@example.test", "repository"), BUILT_IN)


def load_policy_file(name: str) -> BoundPolicy:
    """Load the policy of a file; `built-in` names the built-in one. Raises UsageError or PolicyError."""
    return load_built_in_policy() if name == BUILT_IN else read_bound_policy(read_policy_text(name), name_input(name))


def read_policy_text(name: str) -> str:
    """The text of a policy file, `-` for standard input. Raises UsageError if it cannot be read."""
    remedy = "Name a policy file that is there."
    data = read_input(name, remedy)
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise PolicyError(name, "", f"it cannot be read ({error})", remedy) from error


def _read_documents(
    repo: str, onto: str | None, home: str | None
) -> tuple[branch_documents.BranchDocuments | None, str | None]:
    """Documents of the branch, and the home: the named one, else that of the working copy if the branch has no rules.

    No documents outside a repository or without such a branch, unless one was named.
    """
    try:
        with Repository.open(repo) as repository:
            branch = context.find_branch(repository, onto)
            written = branch_documents.read_documents(repository, branch.tip)
            if home is None and has_no_own_rules(written):
                home = context.find_local_home(repository, repo, branch)
    except PolicyError:
        raise
    except (GitError, UsageError):
        if onto is not None:
            raise
        return None, home
    return written, home
