"""Text of a uv.lock: which blocks an update changed, byte for byte, and a header that no update writes."""

import re
from collections.abc import Mapping

from muniment.updates.dependencies import LockFormatError
from muniment.updates.lock_values import decode_toml, get_list, get_table, get_text
from muniment.updates.python_registry import OWN_WHEELS
from muniment.updates.text_comparison import TextComparison
from muniment.updates.uv_manifests import UNKNOWN_VERSION

_PACKAGE = re.compile(rb"^\[\[package\]\]\n", re.MULTILINE)
_FORKS_NAME = "resolution-markers"
_FORKS = re.compile(rb"^resolution-markers = \[\n(?:    .*\n)*\]\n", re.MULTILINE)
_OWN_WHEELS = re.compile(
    rb'^wheels = \[\n    \{ url = "https://[^"\n]*' + re.escape(OWN_WHEELS).encode() + rb"[^\n]*\n\]\n", re.MULTILINE
)
_NAME_LINE = re.compile(rb'^name = "[^"\n]*"\n', re.MULTILINE)
_LACKS_VERSION = re.compile(rb'\[\[package\]\]\nname = "[^"\n]*"\nsource = \{ (?:editable|virtual|directory) = ')
_VERSION_LINE = f'version = "{UNKNOWN_VERSION}"\n'.encode()
_REQUIRES = re.compile(rb"^requires-python = .*\n", re.MULTILINE)


def split_lock(content: bytes) -> tuple[bytes, tuple[bytes, ...]]:
    """Header of a lock, and the block of each package, as they stand."""
    starts = [found.start() for found in _PACKAGE.finditer(content)]
    if not starts:
        return content, ()
    ends = (*starts[1:], len(content))
    return content[: starts[0]], tuple(content[start:end] for start, end in zip(starts, ends, strict=True))


def restore_lock(before: bytes, after: bytes) -> bytes:
    """The new lock with the old header, the forks of the new one, and without the wheels that only our proxy has.

    No update writes more of the header. Raises LockFormatError if the headers differ in more.
    """
    old, _ = split_lock(before)
    new, blocks = split_lock(after)
    if old != new:
        if _read_revision(old) != _read_revision(new):
            raise OtherRevisionError(_read_revision(new), _read_revision(old))
        if _read_header(old) != _read_header(new):
            raise LockFormatError("its header differs from the one before")
        old = _replace_forks(old, new)
    own = (_OWN_WHEELS.sub(b"", block).replace(_VERSION_LINE, b"") for block in blocks)
    known = _index_blocks(before)
    return old + b"".join(_keep_block(known.get(_key_block(block)), block) for block in own)


def state_versions(content: bytes) -> bytes:
    """The lock with a version for each project that computes its own: uv would build it to find that it has none."""
    header, blocks = split_lock(content)
    return header + b"".join(
        _NAME_LINE.sub(lambda line: line[0] + _VERSION_LINE, block, count=1) if _LACKS_VERSION.match(block) else block
        for block in blocks
    )


def _keep_block(old: bytes | None, new: bytes) -> bytes:
    """The old block if the new one says the same of the same version: versions of uv write files in other ways."""
    if old is None or old == new:
        return new
    (before,), (after,) = (get_list(decode_toml(block), "package") for block in (old, new))
    assert isinstance(before, dict)  # noqa: S101 -- they were indexed
    assert isinstance(after, dict)  # noqa: S101
    same = all(before.get(key) == after.get(key) for key in (before.keys() | after.keys()) - {"wheels", "sdist"})
    return old if same and _list_digests(after) <= _list_digests(before) else new


def _list_digests(package: Mapping[str, object]) -> set[str]:
    archives = [*get_list(package, "wheels"), *([package["sdist"]] if "sdist" in package else [])]
    return {str(each.get("hash")) for each in archives if isinstance(each, dict)}


def _replace_forks(old: bytes, new: bytes) -> bytes:
    """Old header with the array `resolution-markers` of the new one, which uv writes below `requires-python`."""
    found = _FORKS.search(new)
    without = _FORKS.sub(b"", old)
    return _REQUIRES.sub(lambda line: line[0] + (found[0] if found else b""), without, count=1)


class OtherRevisionError(LockFormatError):
    """The lock was written by a version of uv of another format."""

    def __init__(self, written: str, expected: str) -> None:
        super().__init__(f"it has revision {written}, and the lock of the repository has revision {expected}")


def _read_revision(header: bytes) -> str:
    return str(decode_toml(header).get("revision", 0))


def _read_header(header: bytes) -> dict[str, object]:
    """Entries of a header, its forks left out."""
    return {key: value for key, value in decode_toml(header).items() if key != _FORKS_NAME}


def compare_blocks(before: bytes, after: bytes) -> TextComparison:
    """Compare the blocks of packages. One that keeps its version may only name other versions of what it requires."""
    old = _index_blocks(before)
    new = _index_blocks(after)
    both = old.keys() & new.keys()
    altered = [key for key in both if old[key] != new[key] and _strip_versions(old[key]) != _strip_versions(new[key])]
    return TextComparison(sum(old[key] == new[key] for key in both), tuple(sorted(name for name, _, _ in altered)))


def _index_blocks(content: bytes) -> dict[tuple[str, str, str], bytes]:
    found = {}
    for block in split_lock(content)[1]:
        found[_key_block(block)] = block
    return found


def _key_block(block: bytes) -> tuple[str, str, str]:
    (package,) = get_list(decode_toml(block), "package")
    if not isinstance(package, dict):
        raise LockFormatError("a package is not a table")
    source = str(sorted(get_table(package, "source").items()))
    return get_text(package, "name"), get_text(package, "version", ""), source


def _strip_versions(block: bytes) -> Mapping[str, object]:
    """Block without what tells several versions of one requirement apart, which an update of that one changes."""
    (package,) = get_list(decode_toml(block), "package")
    assert isinstance(package, dict)  # noqa: S101 -- checked when it was indexed
    return _strip_entries(package)  # type: ignore[return-value]


def _strip_entries(value: object) -> object:
    match value:
        case {"name": str(name), **rest} if not rest.keys() - {"version", "source", "marker", "extra"}:
            return {"name": name, "extra": rest.get("extra")}
        case dict():
            return {key: _strip_entries(each) for key, each in value.items()}
        case list():
            stripped = [_strip_entries(each) for each in value]
            return list({repr(each): each for each in stripped}.values())
        case _:
            return value
