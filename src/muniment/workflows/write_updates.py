"""Write updates of locks: into the working tree, or as a commit on a branch of their own."""

import contextlib
import os
import re
import stat
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from msgspec import Struct

from muniment.errors import GitError, UsageError
from muniment.git.repository import Repository
from muniment.updates.lock_updates import LockUpdate
from muniment.updates.update_texts import write_commit_message

_SUBJECTS = 50  # of the history, that show how the repository writes titles
SIGN_OFF = "Signed-off-by: "
_CONVENTIONAL = re.compile(
    r"(?:build|chore|ci|docs|feat|fix|perf|refactor|revert|style|test)(?:\([^()]+\))?!?: \S", re.ASCII
)


class CommitStyle(Struct, frozen=True):
    """How a repository writes its commits: with conventional titles, and signed off."""

    conventional: bool
    signed_off: bool


def write_working_tree(repository: Repository, commit: str, updates: Sequence[LockUpdate]) -> None:
    """Write new locks over the old ones. Raises UsageError before anything is written, if one differs from `commit`.

    No link is followed, and each file is replaced as a whole.
    """
    root = _find_root(repository)
    for update in updates:
        expected = _read_blob(repository, commit, update.path)
        with _open_parent(root, update.path) as (folder, name):
            if _read_plain(folder, name) != expected:
                raise UsageError(
                    f"{update.path} is not as the commit has it, or is a link",
                    "Commit or undo its changes, then run the command again.",
                )
    for update in updates:
        with _open_parent(root, update.path) as (folder, name):
            _replace_file(folder, name, update.content)


def _find_root(repository: Repository) -> str:
    folder = Path(os.path.abspath(repository.path))
    if repository.bare:
        raise UsageError("a bare repository has no files to update", "Make a branch: muniment update --apply --branch")
    for each in (folder, *folder.parents):
        if (each / ".git").exists():
            return str(each)
    raise UsageError("the folder of the working tree was not found", "Name it with --repo.")


@contextlib.contextmanager
def _open_parent(root: str, path: str) -> Iterator[tuple[int, str]]:
    """Folder of a file, reached through no link, and the file's name. Raises UsageError."""
    *folders, name = path.split("/")
    handle = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for folder in folders:
            above, handle = handle, os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=handle)
            os.close(above)
        yield handle, name
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}", "Look at its folder.") from None
    finally:
        with contextlib.suppress(OSError):
            os.close(handle)


def _read_plain(folder: int, name: str) -> bytes | None:
    try:
        handle = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
    except OSError:
        return None
    with open(handle, "rb") as file:
        return file.read() if stat.S_ISREG(os.fstat(file.fileno()).st_mode) else None


def _replace_file(folder: int, name: str, content: bytes) -> None:
    """Write a new file next to the old one, with its permissions, and put it in its place."""
    mode = stat.S_IMODE(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode)
    temporary = f".{name}.{os.urandom(6).hex()}"
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600, dir_fd=folder)
    try:
        with open(handle, "wb") as file:
            os.fchmod(file.fileno(), mode)
            file.write(content)
        os.rename(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary, dir_fd=folder)
        raise


def _read_blob(repository: Repository, commit: str, path: str) -> bytes:
    row = repository.run_git("ls-tree", "-z", "--full-tree", values=(commit,), paths=(path,))
    name = row.split(b"\t")[0].split(b" ")[-1].decode()
    found = repository.objects.read_git_object(name) if name else None
    if found is None:
        raise GitError(f"{path} is not in this clone", "Fetch the repository whole.")
    return found.data


def commit_updates(
    repository: Repository, commit: str, branch: str, updates: Sequence[LockUpdate], author: Mapping[str, str]
) -> str:
    """Make one commit of all updates on a new branch; its id. Nothing is checked out. Raises GitError, UsageError.

    `author`: the variables of git that name author and committer.
    """
    reference = f"refs/heads/{branch}"
    if repository.read_refs(reference):
        raise UsageError(f"the branch {branch} exists already", "Name another one, or delete it.")
    tree = write_tree(repository, commit, {update.path: update.content for update in updates})
    style = read_commit_style(repository, commit)
    message = write_commit_message(updates, conventional=style.conventional)
    if style.signed_off:
        message += f"\n\n{SIGN_OFF}{author['GIT_AUTHOR_NAME']} <{author['GIT_AUTHOR_EMAIL']}>"
    made = _decode_id(
        repository.run_in_place("commit-tree", ("-p", commit), values=(tree,), input=message.encode(), more=author)
    )
    repository.run_in_place("update-ref", values=(reference, made, "0" * len(made)))
    return made


def read_commit_style(repository: Repository, commit: str) -> CommitStyle:
    """Style of the latest commits: the one that most of them have. Merges count for nothing."""
    out = repository.run_git("log", "--format=%P%x00%s%x00%B%x01", f"--max-count={_SUBJECTS}", values=(commit,))
    subjects, signed = [], 0
    for entry in out.decode("utf-8", "replace").split("\x01"):
        parents, _, rest = entry.strip("\n").partition("\0")
        subject, _, body = rest.partition("\0")
        if subject and len(parents.split()) < 2:
            subjects.append(subject)
            signed += SIGN_OFF in body
    conventional = sum(_CONVENTIONAL.match(each) is not None for each in subjects)
    return CommitStyle(2 * conventional > len(subjects), 2 * signed > len(subjects))


def write_tree(repository: Repository, tree: str, contents: Mapping[str, bytes]) -> str:
    """Tree with new contents of files that it has, folder by folder."""
    rows = repository.run_git("ls-tree", "-z", "--full-tree", values=(tree,)).split(b"\0")[:-1]
    below: dict[str, dict[str, bytes]] = {}
    for path, content in contents.items():
        first, _, rest = path.partition("/")
        below.setdefault(first, {})[rest] = content
    made = []
    for row in rows:
        meta, _, name = row.partition(b"\t")
        mode, kind, oid = meta.decode().split(" ")
        found = below.pop(os.fsdecode(name), None)
        if found is not None and "" in found:
            oid = _decode_id(repository.run_in_place("hash-object", "-w", "--stdin", input=found[""]))
        elif found is not None:
            oid = write_tree(repository, oid, found)
        made.append(f"{mode} {kind} {oid}\t".encode() + name + b"\0")
    if below:
        raise GitError("a lock is no longer where it was", "Run the command again.")
    return _decode_id(repository.run_in_place("mktree", "-z", input=b"".join(made)))


def _decode_id(output: bytes) -> str:
    return output.decode().strip()
