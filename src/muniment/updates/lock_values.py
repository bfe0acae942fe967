"""Typed access to decoded lock files: a value of another type is a LockFormatError, never a default."""

import json
import re
import tomllib
from collections.abc import Iterable, Mapping
from urllib.parse import urlsplit

import msgspec

from muniment.updates.dependencies import LockFormatError, LockSource, SourceKind

LARGEST_LOCK = 64 << 20  # bytes; the largest public lock files have about 10 MiB
_PUBLIC_HOSTS = frozenset(
    {
        "pypi.org",
        "files.pythonhosted.org",
        "registry.npmjs.org",
        "registry.yarnpkg.com",
        "proxy.golang.org",
        "crates.io",
        "index.crates.io",
        "static.crates.io",
        "repo.maven.apache.org",
        "repo1.maven.org",
    }
)
_PYTHON_SEPARATORS = re.compile(r"[-_.]+")


def decode_text(content: bytes) -> str:
    """Text of a file in UTF-8. Raises LockFormatError."""
    if len(content) > LARGEST_LOCK:
        raise LockFormatError(f"it has more than {LARGEST_LOCK >> 20} MiB")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise LockFormatError("it is not UTF-8") from None


def decode_toml(content: bytes) -> dict[str, object]:
    """Document of a TOML file. Raises LockFormatError."""
    try:
        return tomllib.loads(decode_text(content))
    except ValueError:  # also for a number with more digits than Python converts
        raise LockFormatError("it is not TOML") from None
    except RecursionError:
        raise LockFormatError("it is nested too deeply") from None


def decode_lock_json(content: bytes) -> dict[str, object]:
    """Object of a JSON file. Raises LockFormatError, also for a key that stands twice in one object."""
    try:
        document = json.loads(decode_text(content), object_pairs_hook=_object_without_duplicates)
    except LockFormatError:
        raise
    except ValueError:
        raise LockFormatError("it is not JSON") from None
    except RecursionError:
        raise LockFormatError("it is nested too deeply") from None
    if not isinstance(document, dict):
        raise LockFormatError("it is not a JSON object")
    return document


def _object_without_duplicates(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """The installer and we might read different ones of two values with the same key."""
    result = dict(pairs)
    if len(result) != len(pairs):
        raise LockFormatError("a key stands twice in one object")
    return result


def get_text(table: Mapping[str, object], key: str, default: str | None = None) -> str:
    """Text at `key`; `default` if it is absent. Raises LockFormatError."""
    value = table.get(key, default)
    if not isinstance(value, str):
        raise LockFormatError(f"the entry {key!r} of a package is missing, or not text")
    return value


def get_table(table: Mapping[str, object], key: str) -> dict[str, object]:
    """Table at `key`, {} if it is absent. Raises LockFormatError."""
    value = table.get(key)
    if value is None:
        return {}
    if not isinstance(value, dict) or not all(isinstance(name, str) for name in value):
        raise LockFormatError(f"the entry {key!r} is not a table")
    return value


def get_tables_by_name(table: Mapping[str, object], key: str) -> dict[str, dict[str, object]]:
    """Table of tables at `key`, {} if it is absent. Raises LockFormatError."""
    found = get_table(table, key)
    tables = {name: each for name, each in found.items() if isinstance(each, dict)}
    if len(tables) != len(found):
        raise LockFormatError(f"an entry of {key!r} is not an object")
    return tables


def get_list(table: Mapping[str, object], key: str) -> list[object]:
    """List at `key`, [] if it is absent. Raises LockFormatError."""
    value = table.get(key)
    if value is None:
        return []
    if not isinstance(value, list):
        raise LockFormatError(f"the entry {key!r} is not a list")
    return value


def get_tables(table: Mapping[str, object], key: str) -> list[dict[str, object]]:
    """List of tables at `key`, [] if it is absent. Raises LockFormatError."""
    return require_tables(get_list(table, key), key)


def require_tables(values: list[object], key: str) -> list[dict[str, object]]:
    """The values, each of which is a table. Raises LockFormatError."""
    tables = [value for value in values if isinstance(value, dict)]
    if len(tables) != len(values):
        raise LockFormatError(f"an entry of {key!r} is not a table")
    return tables


def get_texts(table: Mapping[str, object], key: str) -> tuple[str, ...]:
    """List of texts at `key`, () if it is absent. Raises LockFormatError."""
    values = get_list(table, key)
    texts = tuple(value for value in values if isinstance(value, str))
    if len(texts) != len(values):
        raise LockFormatError(f"an entry of {key!r} is not text")
    return texts


def write_header(entries: Mapping[str, object]) -> tuple[tuple[str, str], ...]:
    """Entries of a lock besides its packages, for comparison."""
    encode = msgspec.json.encode
    return tuple((name, encode(value, order="sorted").decode()) for name, value in sorted(entries.items()))


def normalise_python_name(name: str) -> str:
    """Name of a Python project as PyPI compares it (PEP 503)."""
    return _PYTHON_SEPARATORS.sub("-", name).lower()


def find_registry_host(address: str) -> str:
    """Host of an address, without port and credentials; "" if it has none."""
    try:
        return (urlsplit(address.removeprefix("git+").removeprefix("registry+").removeprefix("sparse+")).hostname) or ""
    except ValueError:
        return ""


def classify_registry(address: str) -> LockSource:
    """Source for the address of a registry, or of a file in it."""
    host = find_registry_host(address)
    if not host:
        return LockSource(SourceKind.UNKNOWN)
    return LockSource(SourceKind.PUBLIC_REGISTRY if host in _PUBLIC_HOSTS else SourceKind.OTHER_REGISTRY, host)


def sort_unique(values: Iterable[str]) -> tuple[str, ...]:
    """Distinct values that are not empty, sorted."""
    return tuple(sorted({value for value in values if value}))
