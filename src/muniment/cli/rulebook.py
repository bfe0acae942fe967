"""The policy to talk about where no change is judged: a file, the branch's, the home's, or the built-in one."""

from muniment.cli import scene
from muniment.cli.input_files import read_input
from muniment.decision.binding import BoundPolicy
from muniment.decision.policies import read_bound_policy
from muniment.errors import GitError, PolicyError, UsageError
from muniment.git import documents
from muniment.git.repository import Repository
from muniment.policy.pack import pack_text
from muniment.store.files import FilesStore
from muniment.workflows import sources
from muniment.workflows.standing import is_silent

BUILT_IN = "built-in"


def any_policy(repo: str, onto: str | None, home: str | None) -> BoundPolicy:
    """The effective policy here, or the built-in one where there is none. Raises PolicyError for one not on it yet."""
    place = FilesStore(home) if home else None
    branch = _documents(repo, onto, is_home_named=home is not None)
    written = [source for source in (place, branch) if source is not None and source.policy() is not None]
    return sources.policy_of(place, branch)[0] if written else built_in()


def built_in() -> BoundPolicy:
    """The built-in pack."""
    return read_bound_policy(pack_text("security@example.test", "repository"), BUILT_IN)


def from_file(name: str) -> BoundPolicy:
    """The policy in a file; the name `built-in` is the built-in one. Raises UsageError or PolicyError."""
    return built_in() if name == BUILT_IN else read_bound_policy(read_text(name), name)


def read_text(name: str) -> str:
    """The text of a policy file, `-` for standard input. Raises UsageError if it cannot be read."""
    remedy = "Name a policy file that is there."
    data = read_input(name, remedy)
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise PolicyError(name, "", f"it cannot be read ({error})", remedy) from error


def _documents(repo: str, onto: str | None, *, is_home_named: bool) -> documents.Documents | None:
    """The branch's own documents; None outside a repository or without such a branch, unless one was named."""
    try:
        with Repository.open(repo) as repository:
            branch = scene.find_branch(repository, onto)
            written = documents.at(repository, branch.tip)
            is_unwritten = is_silent(written)
    except (GitError, UsageError):
        if onto is not None:
            raise
        return None
    if is_unwritten and not is_home_named:
        scene.require_no_other_policy(repo, branch)
    return written
