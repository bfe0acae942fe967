"""Objects are read through one git for all, and each is what its id says: what was read is hashed again."""

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple, TypeVar

from msgspec import Struct

from muniment.errors import GitError
from muniment.git import answers
from muniment.programs.process import Child

SIZE_LIMIT = 1 << 20
TOTAL_LIMIT = 256 << 20
_SLICE = 200  # objects between two looks at their total size
_REQUEST_LIMIT = 4096  # what any pipe takes at once
_FLUSH = b"flush\n"
_NO_BYTE = re.compile("[\ud800-\udc7f\udd00-\udfff]")  # surrogates that stand for no byte of a name
T = TypeVar("T")


class Object(Struct, frozen=True):
    """One object. `kind` is `commit`, `tree`, `blob` or `tag`."""

    id: str
    kind: str
    data: bytes


class Entry(NamedTuple):
    """What a tree says of one name: git's six octal digits, and an id."""

    mode: str
    id: str


class Objects:
    """The objects of one repository, by id, or by anything else that `git cat-file` takes there."""

    def __init__(self, start: Callable[[], Child], object_format: str, copy: answers.Copy | None = None) -> None:
        """`start` starts a `cat-file --batch-command --buffer`; it is called when first needed.

        `copy` tells one of our own copies, whose objects are kept in memory as far as they are small.
        """
        self._start = start
        self._copy = copy
        self._format = object_format
        self._child: Child | None = None

    def read(self, spec: str, limit: int = SIZE_LIMIT) -> Object | None:
        """One object, None if there is no such. Raises GitError if larger than `limit` bytes or corrupt."""
        return self.read_many([spec], limit)[0]

    def read_many(self, ids: Sequence[str], limit: int = SIZE_LIMIT) -> list[Object | None]:
        """Like `read` for each of `ids`, in that order. Raises GitError if they have more than TOTAL_LIMIT bytes."""
        found: list[Object | None] = []
        total = 0
        for at in range(0, len(ids), _SLICE):
            found += self._contents(ids[at : at + _SLICE], limit)
            total += sum(len(one.data) for one in found[at:] if one is not None)
            if total > TOTAL_LIMIT:
                raise GitError(
                    f"the objects have more than {TOTAL_LIMIT >> 20} MiB together", "Bring them in smaller pieces."
                )
        return found

    def _contents(self, specs: Sequence[str], limit: int) -> list[Object | None]:
        kept = {spec: self._kept(spec, limit) for spec in specs}
        asked = [spec for spec in specs if kept[spec] is None]
        told = iter(self._answers("contents", asked, lambda child: self._object(child, limit)) if asked else ())
        found = [kept[spec] or next(told) for spec in specs]
        for spec, one in zip(specs, found, strict=True):
            if self._copy is not None and one is not None and kept[spec] is None and answers.names_objects(spec):
                answers.keep_answer(self._copy, spec, one, len(one.data))
        return found

    def _kept(self, spec: str, limit: int = SIZE_LIMIT) -> Object | None:
        found = answers.find_answer(self._copy, spec, Object) if self._copy is not None else None
        return found if found is not None and len(found.data) <= limit else None

    def sizes(self, ids: Sequence[str]) -> list[int | None]:
        """The size of each object in bytes, None where there is no such."""
        return self._answers("info", ids, lambda child: _info(child)[1])

    def kinds(self, ids: Sequence[str]) -> list[str]:
        """The kind of each object, "" where there is no such. Nothing is read of them."""
        if self._copy is None:
            return self._kinds(ids)
        kept = {one: answers.find_answer(self._copy, ("kind", one), str) for one in ids}
        asked = [one for one, kind in kept.items() if kind is None]
        told = dict(zip(asked, self._kinds(asked) if asked else (), strict=True))
        for one, kind in told.items():
            if kind and answers.names_objects(one):
                answers.keep_answer(self._copy, ("kind", one), kind, len(kind))
        return [kept[one] or told[one] for one in ids]

    def _kinds(self, ids: Sequence[str]) -> list[str]:
        return self._answers("info", ids, lambda child: _info(child)[0])

    def entries(self, spec: str, limit: int = SIZE_LIMIT) -> dict[bytes, Entry] | None:
        """What a tree holds by name, None if there is no such tree. `spec` may be `<commit>:<folder>`."""
        found = self.read(spec, limit)
        return None if found is None or found.kind != "tree" else dict(_entries(found.data, len(found.id) // 2))

    def close(self) -> None:
        """Ends the child. The next question starts another."""
        if self._child is not None:
            self._child.close()
            self._child = None

    def _answers(self, verb: str, specs: Sequence[str], answer: Callable[[Child], T]) -> list[T]:
        answers: list[T] = []
        left = (f"{verb} {_checked(spec)}\n".encode("utf-8", "surrogateescape") for spec in specs)
        if self._child is None:
            self._child = self._start()
        try:
            for request, count in _requests(left):
                self._child.ask(request)
                answers += [answer(self._child) for _ in range(count)]
        except BaseException:
            self.close()  # answers that nobody read must not answer the next question
            raise
        return answers

    def _object(self, child: Child, limit: int) -> Object | None:
        header = child.line()
        if header.endswith((b" missing", b" ambiguous")):
            return None
        object_id, kind, size = _header(header)
        if size > limit:
            raise GitError(f"the {kind} {object_id} has more than {limit} bytes", "Leave it out of the change.")
        data = child.exactly(size + 1)[:-1]
        raw = b"%s %d\0" % (kind.encode(), size) + data
        if hashlib.new(self._format, raw, usedforsecurity=False).hexdigest() != object_id:
            raise GitError(f"the {kind} {object_id} is not what its id says", "Fetch the repository anew.")
        return Object(object_id, kind, data)


def _info(child: Child) -> tuple[str, int | None]:
    header = child.line()
    return ("", None) if header.endswith((b" missing", b" ambiguous")) else _header(header)[1:]


def _entries(data: bytes, length: int) -> Iterator[tuple[bytes, Entry]]:
    """The entries of a raw tree; ids have `length` bytes."""
    at = 0
    while at < len(data):
        end = data.index(b"\0", at)
        mode, _, name = data[at:end].partition(b" ")
        at = end + 1 + length
        yield name, Entry(mode.decode("ascii").zfill(6), data[end + 1 : at].hex())


def _header(line: bytes) -> tuple[str, str, int]:
    try:
        object_id, kind, size = line.decode("ascii").split(" ")
        return object_id, kind, int(size)
    except ValueError as error:
        raise GitError("git cat-file gave an answer of another form", "Install git 2.39 or newer.") from error


def _checked(spec: str) -> str:
    if not spec or "\n" in spec or "\0" in spec or len(spec) > _REQUEST_LIMIT // 2 or _NO_BYTE.search(spec):
        raise GitError("this cannot name an object", "Name it by its id.")
    return spec


def _requests(lines: Iterable[bytes]) -> Iterator[tuple[bytes, int]]:
    """Questions in bundles that a pipe takes whole, so that neither side waits for the other; how many."""
    bundle: list[bytes] = []
    size = len(_FLUSH)
    for line in lines:
        if size + len(line) > _REQUEST_LIMIT:
            yield b"".join(bundle) + _FLUSH, len(bundle)
            bundle, size = [], len(_FLUSH)
        bundle.append(line)
        size += len(line)
    if bundle:
        yield b"".join(bundle) + _FLUSH, len(bundle)
