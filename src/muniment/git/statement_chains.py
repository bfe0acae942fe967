"""Signed statements in refs that travel with git: a chain of commits, each with a statement and its signature.

A commit's tree has `statement.json` and `statement.json.sig`, its parent is the statement before. `approvals` and
`run_statements` parse the content; here it is bytes.
"""

from collections.abc import Iterator

from msgspec import Struct

from muniment.errors import GitError
from muniment.git.objects import GitObject
from muniment.git.repository import Repository
from muniment.programs.environment import ANONYMOUS

STATEMENT, SIGNATURE = "statement.json", "statement.json.sig"
LARGEST_STATEMENT = 65_536  # bytes of a statement
LONGEST_CHAIN = 1_000  # statements in one ref


class StoredStatement(Struct, frozen=True):
    """A statement as one commit of a chain stores it. `texts`: statement and signature, None where it is malformed.

    `before` is the commit that it lies on, "" for the first.
    """

    id: str
    before: str
    texts: tuple[bytes, bytes] | None


def read_chain(repository: Repository, tip: str, where: str) -> Iterator[StoredStatement]:
    """Statements at one ref, newest first. `where` names it for a person. Raises GitError for a missing object."""
    at, count = tip, 0
    while at:
        count += 1
        if count > LONGEST_CHAIN:
            raise GitError(
                f"there are more than {LONGEST_CHAIN} statements at {where}", "Delete that ref and begin anew."
            )
        found = _read_statement(repository, at)
        yield found
        at = found.before


def write_statement(repository: Repository, ref: str, previous: str, data: bytes, armored: str) -> str:
    """Store a signed statement at `ref` on top of `previous` ("" for none); its commit's id.

    Raises GitError if the ref has moved on.
    """
    names = {STATEMENT: data, SIGNATURE: armored.encode()}
    listed = "".join(
        f"100644 blob {_decode_id(repository.run_in_place('hash-object', '-w', '--stdin', input=content))}\t{name}\n"
        for name, content in names.items()
    )
    tree = _decode_id(repository.run_in_place("mktree", input=listed.encode()))
    parents = [("-p", previous)] if previous else []
    made = _decode_id(
        repository.run_in_place("commit-tree", *parents, ("-m", "statement"), values=(tree,), more=ANONYMOUS)
    )
    repository.run_in_place("update-ref", values=(ref, made, previous or "0" * len(made)))
    return made


def _decode_id(out: bytes) -> str:
    return out.decode().strip()


def _read_statement(repository: Repository, at: str) -> StoredStatement:
    commit = _require_object(repository, at)
    if commit.kind != "commit":
        return StoredStatement(at, "", None)
    header = commit.data.partition(b"\n\n")[0].decode("utf-8", "replace").split("\n")
    tree = header[0].removeprefix("tree ")
    parents = [line.removeprefix("parent ") for line in header if line.startswith("parent ")]
    texts = _read_texts(repository, tree)
    return StoredStatement(at, parents[0] if parents else "", texts if len(parents) <= 1 else None)


def _read_texts(repository: Repository, tree: str) -> tuple[bytes, bytes] | None:
    """The two files of a statement's tree, None if it has any other file or they are too large."""
    entries = repository.run_git("ls-tree", "-z", values=(tree,)).split(b"\0")[:-1]
    by_name = dict(entry.split(b"\t", 1)[::-1] for entry in entries)
    if set(by_name) != {STATEMENT.encode(), SIGNATURE.encode()}:
        return None
    ids = [by_name[name.encode()].split(b" ") for name in (STATEMENT, SIGNATURE)]
    if any(entry[0] != b"100644" for entry in ids):
        return None
    names = [entry[2].decode() for entry in ids]
    sizes = repository.objects.read_sizes(names)
    if any(size is not None and size > LARGEST_STATEMENT for size in sizes):
        return None
    first, second = (_require_object(repository, name).data for name in names)
    return first, second


def _require_object(repository: Repository, name: str) -> GitObject:
    found = repository.objects.read_git_object(name)
    if found is None:
        raise GitError(f"the object {name} of a statement is missing", "Fetch refs/muniment/* again.")
    return found
