"""Files of a repository at a commit, as the scanners get them: regular files, by name of their content."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise

from msgspec import Struct

from muniment.errors import GitError
from muniment.facts import paths
from muniment.git.changed_files import parse_diffs
from muniment.git.repository import Repository
from muniment.scanners.findings import SourceFile
from muniment.scanners.secrets.engine import MOST_SECRET_BYTES

MOST_CODE_FILES = 100_000
MOST_CODE_BYTES = 200_000_000  # of one scan
_WALK_SECONDS = 60
_NO_FILE = (b"000000", b"160000", b"120000")  # not there, a submodule, a link


class CodeContents(Struct, frozen=True):
    """Files that were read, and the paths of those that are too large or not here, with the reason."""

    files: tuple[SourceFile, ...]
    unread: tuple[tuple[str, str], ...]


def list_code_files(repository: Repository, commit: str) -> dict[str, str]:
    """List the regular files at a commit ("" for none): path (`facts.paths`) to content's id.

    Links and submodules are left out: they have no content of their own here. Raises GitError.
    """
    if not commit:
        return {}
    found: dict[str, str] = {}
    out = repository.run_git("ls-tree", "-r", "-z", "--full-tree", values=(commit,), timeout=_WALK_SECONDS)
    for entry in filter(None, out.split(b"\0")):
        description, _, name = entry.partition(b"\t")
        if description.startswith(b"100"):
            found[paths.decode_path(name)] = description.split()[2].decode("ascii")
    if len(found) > MOST_CODE_FILES:
        raise GitError(f"there are more than {MOST_CODE_FILES} files", "Scan the products of this repository apart.")
    return found


def list_written_files(repository: Repository, base: str, head: str) -> Iterator[tuple[str, str]]:
    """List every content that a commit of a change wrote: path and content's id. Raises GitError."""
    values = (head, f"^{base}") if base else (head,)
    options = ("--raw", "-r", "-m", "-z", "--no-renames", "--format==%H")
    out = repository.run_git("log", *options, values=values, timeout=_WALK_SECONDS)
    for _, rows in parse_diffs(iter(out.split(b"\0"))):
        for row in rows:
            if row.new_mode not in _NO_FILE:
                yield paths.decode_path(row.path), row.new_id.decode("ascii")


def read_code_files(repository: Repository, wanted: Mapping[str, str] | Iterable[tuple[str, str]]) -> CodeContents:
    """Read contents by path and id. Raises GitError if they are too many to hold."""
    listed = list(wanted.items() if isinstance(wanted, Mapping) else wanted)
    sizes = repository.objects.read_sizes([blob for _, blob in listed])
    unread = []
    small = []
    for (path, blob), size in zip(listed, sizes, strict=True):
        if size is None:
            unread.append((path, "its content is not in this repository"))
        elif size > MOST_SECRET_BYTES:
            unread.append((path, f"it is larger than {MOST_SECRET_BYTES} bytes"))
        else:
            small.append((path, blob, size))
    if sum(size for _, _, size in small) > MOST_CODE_BYTES:
        raise GitError(f"the files have more than {MOST_CODE_BYTES} bytes", "Bring them in smaller pieces.")
    contents = repository.objects.read_git_objects([blob for _, blob, _ in small], MOST_SECRET_BYTES)
    files = []
    for (path, _, _), found in zip(small, contents, strict=True):
        if found is None:
            unread.append((path, "its content is not in this repository"))
        else:
            files.append(SourceFile(path, found.data))
    return CodeContents(tuple(files), tuple(unread))


def split_by_size(files: Mapping[str, int], most: int) -> Iterator[tuple[str, ...]]:
    """Split paths into parts that have at most `most` bytes each, in their order."""
    starts, total = [0], 0
    names = list(files)
    for number, name in enumerate(names):
        if total and total + files[name] > most:
            starts.append(number)
            total = 0
        total += files[name]
    for start, end in pairwise([*starts, len(names)]):
        yield tuple(names[start:end])
