"""Direct dependencies that a pyproject.toml declares: for locks that do not repeat them."""

import re
from collections.abc import Iterable, Mapping

from msgspec import Struct

from muniment.updates.dependencies import LockFormatError
from muniment.updates.lock_values import (
    decode_toml,
    get_list,
    get_table,
    get_text,
    get_texts,
    normalise_python_name,
)

_NAME = re.compile(r"\s*([A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)")


class PythonManifest(Struct, frozen=True):
    """Names of direct dependencies, normalised."""

    name: str
    production: frozenset[str]
    development: frozenset[str]

    @property
    def is_empty(self) -> bool:
        """Whether the project declares no dependency at all."""
        return not self.production and not self.development


def parse_pyproject(content: bytes) -> PythonManifest:
    """Names that [project], [dependency-groups] and [tool.poetry] declare. Raises LockFormatError."""
    document = decode_toml(content)
    project, groups = get_table(document, "project"), get_table(document, "dependency-groups")
    poetry = get_table(get_table(document, "tool"), "poetry")
    optional = get_table(project, "optional-dependencies")
    production = {
        *_read_names(get_texts(project, "dependencies")),
        *_read_names(text for extra in optional for text in get_texts(optional, extra)),
        *_poetry_names(poetry, "dependencies"),
    }
    in_groups = (entry for group in groups for entry in get_list(groups, group) if isinstance(entry, str))
    development = {*_read_names(in_groups), *_poetry_names(poetry, "dev-dependencies")}
    poetry_groups = get_table(poetry, "group")
    for group in poetry_groups:
        development |= _poetry_names(get_table(poetry_groups, group), "dependencies")
    name = get_text(project, "name", "") or get_text(poetry, "name", "")
    return PythonManifest(name, frozenset(production), frozenset(development))


def find_manifest(lock: str, files: Mapping[str, bytes]) -> PythonManifest | None:
    """Manifest in the folder of a lock; None if there is none that can be read."""
    content = files.get(f"{lock.rpartition('/')[0]}/pyproject.toml".lstrip("/"))
    if content is None:
        return None
    try:
        return parse_pyproject(content)
    except LockFormatError:
        return None


def _read_names(requirements: Iterable[str]) -> set[str]:
    return {normalise_python_name(match[1]) for text in requirements if (match := _NAME.match(text))}


def _poetry_names(table: Mapping[str, object], key: str) -> set[str]:
    return {normalise_python_name(name) for name in get_table(table, key)} - {"python"}
