"""Reads objects through one git process for all, and verifies each by hashing it again."""

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple, TypeVar

from msgspec import Struct

from muniment.errors import GitError
from muniment.git import cached_answers
from muniment.programs.process import ChildProcess

SIZE_LIMIT = 1 << 20
TOTAL_LIMIT = 256 << 20
_SLICE = 200  # objects between two looks at their total size
_REQUEST_LIMIT = 4096  # what any pipe takes at once
_FLUSH = b"flush\n"
_NO_BYTE = re.compile("[\ud800-\udc7f\udd00-\udfff]")  # surrogates that stand for no byte of a name
T = TypeVar("T")


class GitObject(Struct, frozen=True):
    """Object of git. `kind` is `commit`, `tree`, `blob` or `tag`."""

    id: str
    kind: str
    data: bytes


class TreeEntry(NamedTuple):
    """An entry of a tree: git's six octal digits, and an id."""

    mode: str
    id: str


class ObjectReader:
    """Objects of one repository, by id, or by any other name that `git cat-file` takes."""

    def __init__(
        self, start: Callable[[], ChildProcess], object_format: str, copy: cached_answers.Copy | None = None
    ) -> None:
        """`start` starts a `cat-file --batch-command --buffer`; it is called when first needed.

        `copy` identifies one of our own copies, whose small objects are cached in memory.
        """
        self._start = start
        self._copy = copy
        self._format = object_format
        self._child: ChildProcess | None = None

    def read_git_object(self, spec: str, limit: int = SIZE_LIMIT) -> GitObject | None:
        """Read one object, None if it does not exist. Raises GitError if larger than `limit` bytes or corrupt."""
        return self.read_git_objects([spec], limit)[0]

    def read_git_objects(self, ids: Sequence[str], limit: int = SIZE_LIMIT) -> list[GitObject | None]:
        """Objects in the order of `ids`, as by `read_git_object`.

        Raises GitError if they have more than TOTAL_LIMIT bytes.
        """
        found: list[GitObject | None] = []
        total = 0
        for at in range(0, len(ids), _SLICE):
            found += self._read_contents(ids[at : at + _SLICE], limit)
            total += sum(len(one.data) for one in found[at:] if one is not None)
            if total > TOTAL_LIMIT:
                raise GitError(
                    f"the objects have more than {TOTAL_LIMIT >> 20} MiB together", "Bring them in smaller pieces."
                )
        return found

    def _read_contents(self, specs: Sequence[str], limit: int) -> list[GitObject | None]:
        cached = {spec: self._find_cached(spec, limit) for spec in specs}
        asked = [spec for spec in specs if cached[spec] is None]
        queried = iter(
            self._query_all("contents", asked, lambda child: self._read_answer(child, limit)) if asked else ()
        )
        found = [cached[spec] or next(queried) for spec in specs]
        for spec, one in zip(specs, found, strict=True):
            if (
                self._copy is not None
                and one is not None
                and cached[spec] is None
                and cached_answers.are_full_ids(spec)
            ):
                cached_answers.cache_answer(self._copy, spec, one, len(one.data))
        return found

    def _find_cached(self, spec: str, limit: int = SIZE_LIMIT) -> GitObject | None:
        found = cached_answers.find_answer(self._copy, spec, GitObject) if self._copy is not None else None
        return found if found is not None and len(found.data) <= limit else None

    def read_sizes(self, ids: Sequence[str]) -> list[int | None]:
        """Size of each object in bytes, None where there is no such."""
        return self._query_all("info", ids, lambda child: _read_info(child)[1])

    def read_kinds(self, ids: Sequence[str]) -> list[str]:
        """Kind of each object, "" where there is no such. Their content is not read."""
        if self._copy is None:
            return self._query_kinds(ids)
        cached = {one: cached_answers.find_answer(self._copy, ("kind", one), str) for one in ids}
        asked = [one for one, kind in cached.items() if kind is None]
        queried = dict(zip(asked, self._query_kinds(asked) if asked else (), strict=True))
        for one, kind in queried.items():
            if kind and cached_answers.are_full_ids(one):
                cached_answers.cache_answer(self._copy, ("kind", one), kind, len(kind))
        return [cached[one] or queried[one] for one in ids]

    def _query_kinds(self, ids: Sequence[str]) -> list[str]:
        return self._query_all("info", ids, lambda child: _read_info(child)[0])

    def read_tree(self, spec: str, limit: int = SIZE_LIMIT) -> dict[bytes, TreeEntry] | None:
        """Entries of a tree by name, None if there is no such tree. `spec` may be `<commit>:<folder>`."""
        found = self.read_git_object(spec, limit)
        return None if found is None or found.kind != "tree" else dict(_parse_tree(found.data, len(found.id) // 2))

    def close(self) -> None:
        """End the child. The next question starts another."""
        if self._child is not None:
            self._child.close()
            self._child = None

    def _query_all(self, verb: str, specs: Sequence[str], answer: Callable[[ChildProcess], T]) -> list[T]:
        answers: list[T] = []
        left = (f"{verb} {_check_spec(spec)}\n".encode("utf-8", "surrogateescape") for spec in specs)
        if self._child is None:
            self._child = self._start()
        try:
            for request, count in _bundle_requests(left):
                self._child.write_request(request)
                answers += [answer(self._child) for _ in range(count)]
        except BaseException:
            self.close()  # answers that nobody read must not answer the next question
            raise
        return answers

    def _read_answer(self, child: ChildProcess, limit: int) -> GitObject | None:
        header = child.read_line()
        if header.endswith((b" missing", b" ambiguous")):
            return None
        object_id, kind, size = _parse_header(header)
        if size > limit:
            raise GitError(f"the {kind} {object_id} has more than {limit} bytes", "Leave it out of the change.")
        data = child.read_exactly(size + 1)[:-1]
        raw = b"%s %d\0" % (kind.encode(), size) + data
        if hashlib.new(self._format, raw, usedforsecurity=False).hexdigest() != object_id:
            raise GitError(f"the {kind} {object_id} is not what its id says", "Fetch the repository anew.")
        return GitObject(object_id, kind, data)


def _read_info(child: ChildProcess) -> tuple[str, int | None]:
    header = child.read_line()
    return ("", None) if header.endswith((b" missing", b" ambiguous")) else _parse_header(header)[1:]


def _parse_tree(data: bytes, length: int) -> Iterator[tuple[bytes, TreeEntry]]:
    """Entries of a raw tree; ids have `length` bytes."""
    at = 0
    while at < len(data):
        end = data.index(b"\0", at)
        mode, _, name = data[at:end].partition(b" ")
        at = end + 1 + length
        yield name, TreeEntry(mode.decode("ascii").zfill(6), data[end + 1 : at].hex())


def _parse_header(line: bytes) -> tuple[str, str, int]:
    try:
        object_id, kind, size = line.decode("ascii").split(" ")
        return object_id, kind, int(size)
    except ValueError as error:
        raise GitError("git cat-file gave an answer of another form", "Install git 2.39 or newer.") from error


def _check_spec(spec: str) -> str:
    if not spec or "\n" in spec or "\0" in spec or len(spec) > _REQUEST_LIMIT // 2 or _NO_BYTE.search(spec):
        raise GitError("this cannot name an object", "Name it by its id.")
    return spec


def _bundle_requests(lines: Iterable[bytes]) -> Iterator[tuple[bytes, int]]:
    """Requests in bundles that a pipe takes whole, so that neither side waits for the other; each with its count."""
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
