"""Files that a change touches, as git's plumbing counts them, without the repository's own attributes."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence

from msgspec import Struct

from muniment.errors import GitError
from muniment.facts import paths
from muniment.facts.change import File
from muniment.facts.maybe import Known, Maybe, Unknown
from muniment.git.objects import ObjectReader
from muniment.git.repository import Repository

MOST_CHANGED_FILES = 50_000  # files of one change
DIFF_ARGUMENTS = ("-r", "-z", "-M", "--raw", "--no-abbrev", "--numstat")
_DIFF_SECONDS = 60
_LINE = 80  # bytes of a binary file that count as a line
_CONTENTLESS = (b"000000", b"160000")  # not there; a submodule's commit, which is not here


class DiffRow(Struct):
    """File as git prints it: modes, ids, both paths, and its two numbers (`-` for a binary file)."""

    old_mode: bytes
    new_mode: bytes
    old_id: bytes
    new_id: bytes
    old_path: bytes
    path: bytes
    added: bytes = b""
    deleted: bytes = b""

    @property
    def is_binary(self) -> bool:
        """Whether git counts no lines in it."""
        return self.added == b"-"


def read_changed_files(repository: Repository, bases: Sequence[str], head: str) -> tuple[File, ...]:
    """Files that differ between `head` and any of `bases` (commits or trees; none: the empty tree).

    Raises GitError if an object is missing or there are more than LIMIT.
    """
    found: dict[File, None] = {}
    for base in bases or (_empty_tree_id(repository.object_format),):
        out = repository.run_git_once("diff-tree", *DIFF_ARGUMENTS, values=(base, head), timeout=_DIFF_SECONDS)
        for _, rows in parse_diffs(iter(out.split(b"\0"))):
            found.update(dict.fromkeys(convert_rows(rows, read_binary_sizes(repository.objects, rows))))
    if len(found) > MOST_CHANGED_FILES:
        raise GitError(f"the change touches more than {MOST_CHANGED_FILES} files", "Bring it in smaller pieces.")
    return tuple(sorted(found, key=lambda file: (file.path, file.old_path)))


def read_removed_files(repository: Repository, base: str) -> tuple[File, ...]:
    """Files of `base`, each as deleted. Raises GitError as `read_changed_files` does."""
    return read_changed_files(repository, (base,), _empty_tree_id(repository.object_format))


def parse_diffs(tokens: Iterator[bytes]) -> Iterator[tuple[bytes, list[DiffRow]]]:
    """Rows below each header, from the words (between NULs) of `--raw --numstat -z`; `=` begins a header.

    Without any header (`diff-tree`) everything is below b"". A path is taken where one is due, so none can pose as
    anything else. Raises GitError for a tree that names a path twice.
    """
    header, rows = b"", dict[bytes, DiffRow]()
    for token in tokens:
        word = token.removeprefix(b"\n")
        if word[:1] == b":":
            row = _parse_row(word, tokens)
            if row.path in rows:
                raise GitError("a tree names one path twice", "Look at the repository with git fsck.")
            rows[row.path] = row
        elif word[:1] == b"=":
            if header:
                yield header[1:], list(rows.values())
            header, rows = word, {}
        elif word:
            _add_counts(word, tokens, rows)
    if header or rows:
        yield header[1:], list(rows.values())


def read_binary_sizes(objects: ObjectReader, rows: Iterable[DiffRow]) -> dict[bytes, int]:
    """Size in bytes, by id, of each version of the binary files among `rows`, if it is present."""
    ids = [object_id for row in rows if row.is_binary for object_id in _list_versions(row)]
    found = objects.read_sizes([object_id.decode() for object_id in ids]) if ids else []
    return {object_id: size for object_id, size in zip(ids, found, strict=True) if size is not None}


def convert_rows(rows: Iterable[DiffRow], sizes: Mapping[bytes, int]) -> Iterator[File]:
    """Files of rows, as facts."""
    for row in rows:
        yield File(
            path=paths.decode_path(row.path),
            old_path=paths.decode_path(row.old_path),
            old_mode=row.old_mode.decode(),
            new_mode=row.new_mode.decode(),
            binary=row.is_binary,
            lines=_count_lines(row, sizes),
        )


def _parse_row(word: bytes, tokens: Iterator[bytes]) -> DiffRow:
    old_mode, new_mode, old_id, new_id, kind = word[1:].split(b" ")
    old_path = next(tokens)
    path = next(tokens) if kind[:1] in b"RC" else old_path
    return DiffRow(old_mode, new_mode, old_id, new_id, old_path, path)


def _add_counts(word: bytes, tokens: Iterator[bytes], rows: Mapping[bytes, DiffRow]) -> None:
    added, deleted, path = word.split(b"\t", 2)
    if not path:
        next(tokens)
        path = next(tokens)
    rows[path].added, rows[path].deleted = added, deleted


def _count_lines(row: DiffRow, sizes: Mapping[bytes, int]) -> Maybe[int]:
    if not row.is_binary:
        return Known(int(row.added) + int(row.deleted)) if row.added else Unknown("git did not count its lines")
    there = _list_versions(row)
    if any(object_id not in sizes for object_id in there):
        return Unknown("its content is missing here")
    return Known(-(-max(sizes[object_id] for object_id in there) // _LINE))


def _list_versions(row: DiffRow) -> list[bytes]:
    both = ((row.old_mode, row.old_id), (row.new_mode, row.new_id))
    return [object_id for mode, object_id in both if mode not in _CONTENTLESS]


def _empty_tree_id(object_format: str) -> str:
    return hashlib.new(object_format, b"tree 0\0", usedforsecurity=False).hexdigest()
