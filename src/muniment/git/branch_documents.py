"""Documents in a protected branch: `.muniment/` at its tip, read as git stores it and from nowhere else."""

from msgspec import Struct

from muniment.decision.binding import BoundPolicy
from muniment.decision.bound_policies import read_bound_policy, read_policy_in_force
from muniment.errors import ConfigurationError, GitError
from muniment.facts.people import People
from muniment.git.objects import TreeEntry
from muniment.git.repository import Repository
from muniment.policy.people_document import parse_people

DOCUMENT_FOLDER = ".muniment"
POLICY_PATH = f"{DOCUMENT_FOLDER}/policy.toml"
_REGULAR = ("100644", "100755")
_TREE = "040000"
_MOST_FOLDERS = 100  # the same folder within itself, over and over, would have no end
_LARGEST_TREE = 16 << 20  # bytes: of a folder with a few hundred thousand names


class BranchDocuments(Struct, frozen=True):
    """Documents at one commit, each None where there is no such file. Read together by `read_documents`."""

    policy_text: str | None
    people_text: str | None
    exception_files: tuple[tuple[str, bytes], ...]

    def load_policy(self) -> BoundPolicy | None:
        """Policy of policy.toml. A clause that this version cannot evaluate has its `problem`. Raises PolicyError."""
        return None if self.policy_text is None else read_policy_in_force(self.policy_text, POLICY_PATH)

    def load_proposed_policy(self) -> BoundPolicy | None:
        """Policy of policy.toml before it is in force. Raises PolicyError for a clause that cannot be evaluated too."""
        return None if self.policy_text is None else read_bound_policy(self.policy_text, POLICY_PATH)

    def load_people(self) -> People | None:
        """People of people.toml. Raises PeopleError."""
        return None if self.people_text is None else parse_people(self.people_text, f"{DOCUMENT_FOLDER}/people.toml")

    def load_exceptions(self) -> tuple[tuple[str, bytes], ...]:
        """(id, content) of every file in exceptions/, by id."""
        return self.exception_files


def read_documents(repository: Repository, tip: str) -> BranchDocuments:
    """Documents at commit `tip`.

    Raises ConfigurationError for one that is not a plain file of UTF-8 text, GitError if git cannot read it.
    """
    paths = _list_files(repository, tip)
    return BranchDocuments(
        policy_text=_read_text(repository, paths, "policy.toml"),
        people_text=_read_text(repository, paths, "people.toml"),
        exception_files=tuple(
            (name.removeprefix("exceptions/").removesuffix(".json"), _read_content(repository, paths, name))
            for name in sorted(paths)
            if name.startswith("exceptions/") and name.endswith(".json")
        ),
    )


def read_text_at(repository: Repository, tip: str, path: str) -> str | None:
    """Text of one file at commit `tip`, None if there is none. Raises as `read_documents`."""
    for line in repository.run_git("ls-tree", "-z", "--full-tree", values=(tip,), paths=(path,)).split(b"\0")[:-1]:
        meta, _, raw = line.partition(b"\t")
        if raw == path.encode():
            mode, _, oid = meta.decode().split(" ")
            return _read_text(repository, {path: (mode, oid)}, path, folder="")
    return None


def _list_files(repository: Repository, tip: str) -> dict[str, tuple[str, str]]:
    """Mode and object id by path below the folder. A name that is not UTF-8 is not a document, and left out.

    The trees are read by the git process that reads the files too, which saves one. GitError if a tree is missing.
    """
    folder = _read_tree(repository, f"{tip}^{{tree}}").get(DOCUMENT_FOLDER.encode())
    if folder is None or folder.mode != _TREE:
        return {}
    listed: dict[str, tuple[str, str]] = {}
    left = [("", folder.id)]
    for _ in range(_MOST_FOLDERS):
        path, tree = left.pop()
        for raw, entry in _read_tree(repository, tree).items():
            name = path + raw.decode("utf-8", "replace")
            if entry.mode != _TREE:
                listed[name] = (entry.mode, entry.id)
            elif f"{name}/".startswith("exceptions/"):  # of no other folder is anything read
                left.append((f"{name}/", entry.id))
        if not left:
            return listed
    raise GitError(f"{DOCUMENT_FOLDER} has more than {_MOST_FOLDERS} folders", "Keep its files in fewer folders.")


def _read_tree(repository: Repository, spec: str) -> dict[bytes, TreeEntry]:
    found = repository.objects.read_tree(spec, _LARGEST_TREE)
    if found is None:
        raise GitError(f"the files of {spec[:12]} could not be read", "Fetch the repository anew.")
    return found


def _read_text(
    repository: Repository, paths: dict[str, tuple[str, str]], name: str, folder: str = f"{DOCUMENT_FOLDER}/"
) -> str | None:
    if name not in paths:
        return None
    try:
        return _read_content(repository, paths, name, folder).decode()
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{folder}{name}", "", "it is not UTF-8 text", "Save it as UTF-8.") from error


def _read_content(
    repository: Repository, paths: dict[str, tuple[str, str]], name: str, folder: str = f"{DOCUMENT_FOLDER}/"
) -> bytes:
    mode, oid = paths[name]
    found = repository.objects.read_git_object(oid) if mode in _REGULAR else None
    if found is None or found.kind != "blob":
        raise ConfigurationError(
            f"{folder}{name}", "", "it is not a plain file here", "Commit it as a plain file, not as a link."
        )
    return found.data
