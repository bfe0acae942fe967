"""Signed statements that lie in refs and travel with git: a chain of commits, each with one and its signature.

A commit's tree holds `statement.json` and `statement.json.sig`, its parent is the statement before. What a statement
says is for `approvals` and `runs`; here it is bytes.
"""

from collections.abc import Iterator

from msgspec import Struct

from muniment.errors import GitError
from muniment.git.objects import Object
from muniment.git.repository import Repository
from muniment.programs.environment import ANONYMOUS

STATEMENT, SIGNATURE = "statement.json", "statement.json.sig"
LARGEST = 65_536  # bytes of a statement
LONGEST = 1_000  # statements in one ref


class Stored(Struct, frozen=True):
    """What one commit of a chain stores. `texts` are a statement and its signature, None where it is malformed.

    `before` is the commit that it lies on, "" for the first.
    """

    id: str
    before: str
    texts: tuple[bytes, bytes] | None


def chain(repository: Repository, tip: str, where: str) -> Iterator[Stored]:
    """The statements at one ref, newest first. `where` names it for a person. Raises GitError for a missing object."""
    at, count = tip, 0
    while at:
        count += 1
        if count > LONGEST:
            raise GitError(f"there are more than {LONGEST} statements at {where}", "Delete that ref and begin anew.")
        found = _one(repository, at)
        yield found
        at = found.before


def write(repository: Repository, ref: str, previous: str, data: bytes, armored: str) -> str:
    """Store a signed statement at `ref` on top of `previous` ("" for none); its commit's id.

    Raises GitError if the ref has moved on.
    """
    names = {STATEMENT: data, SIGNATURE: armored.encode()}
    listed = "".join(
        f"100644 blob {_id(repository.in_place('hash-object', '-w', '--stdin', input=content))}\t{name}\n"
        for name, content in names.items()
    )
    tree = _id(repository.in_place("mktree", input=listed.encode()))
    parents = [("-p", previous)] if previous else []
    made = _id(repository.in_place("commit-tree", *parents, ("-m", "statement"), values=(tree,), more=ANONYMOUS))
    repository.in_place("update-ref", values=(ref, made, previous or "0" * len(made)))
    return made


def _id(out: bytes) -> str:
    return out.decode().strip()


def _one(repository: Repository, at: str) -> Stored:
    commit = _needed(repository, at)
    if commit.kind != "commit":
        return Stored(at, "", None)
    header = commit.data.partition(b"\n\n")[0].decode("utf-8", "replace").split("\n")
    tree = header[0].removeprefix("tree ")
    parents = [line.removeprefix("parent ") for line in header if line.startswith("parent ")]
    texts = _texts(repository, tree)
    return Stored(at, parents[0] if parents else "", texts if len(parents) <= 1 else None)


def _texts(repository: Repository, tree: str) -> tuple[bytes, bytes] | None:
    """The two files of a statement's tree, None if it holds anything else or they are too large."""
    entries = repository.run("ls-tree", "-z", values=(tree,)).split(b"\0")[:-1]
    by_name = dict(entry.split(b"\t", 1)[::-1] for entry in entries)
    if set(by_name) != {STATEMENT.encode(), SIGNATURE.encode()}:
        return None
    ids = [by_name[name.encode()].split(b" ") for name in (STATEMENT, SIGNATURE)]
    if any(entry[0] != b"100644" for entry in ids):
        return None
    names = [entry[2].decode() for entry in ids]
    sizes = repository.objects.sizes(names)
    if any(size is not None and size > LARGEST for size in sizes):
        return None
    first, second = (_needed(repository, name).data for name in names)
    return first, second


def _needed(repository: Repository, name: str) -> Object:
    found = repository.objects.read(name)
    if found is None:
        raise GitError(f"the object {name} of a statement is missing", "Fetch refs/muniment/* again.")
    return found
