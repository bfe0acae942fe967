"""Manifests of a uv workspace as its resolver gets them: what shapes the resolution, and nothing else.

Left out are indexes, find-links, credentials and caches, what says how packages are built, and every other tool's
settings. An index stays by name and address if the lock has packages from its host, since sources refer to it.
Source: https://docs.astral.sh/uv/reference/settings/
"""

from collections.abc import Collection, Mapping

from muniment.updates.dependencies import LockFormatError
from muniment.updates.lock_values import (
    decode_toml,
    get_list,
    get_table,
    get_tables,
    get_text,
    get_texts,
    normalise_python_name,
)
from muniment.updates.python_registry import PYPI, PYPI_FILES, PythonIndex, read_index
from muniment.updates.toml_text import write_toml

_PROJECT = ("name", "version", "requires-python", "dependencies", "optional-dependencies", "dynamic")
_SETTINGS = (
    "conflicts",
    "constraint-dependencies",
    "default-groups",
    "dependency-groups",
    "dependency-metadata",
    "dev-dependencies",
    "environments",
    "exclude-dependencies",
    "exclude-newer",
    "exclude-newer-package",
    "fork-strategy",
    "managed",
    "override-dependencies",
    "package",
    "prerelease",
    "required-environments",
    "required-version",
    "resolution",
    "sources",
    "workspace",
)
UNKNOWN_VERSION = "0+muniment.computed"  # of a project that computes its own; no lock has it
_INDEX = ("name", "url", "explicit", "default")


def reduce_pyproject(content: bytes, hosts: Collection[str]) -> bytes:
    """Content of a pyproject.toml with only what shapes the resolution. Raises LockFormatError.

    `hosts`: those that the lock has packages from.
    """
    document = decode_toml(content)
    tool = get_table(get_table(document, "tool"), "uv")
    project = {key: value for key, value in get_table(document, "project").items() if key in _PROJECT}
    if "version" in get_texts(project, "dynamic"):  # to compute it, the project would be built
        project |= {
            "version": UNKNOWN_VERSION,
            "dynamic": [each for each in get_texts(project, "dynamic") if each != "version"],
        }
    settings = {key: value for key, value in tool.items() if key in _SETTINGS}
    indexes = [
        {key: value for key, value in each.items() if key in _INDEX}
        for each in get_tables(tool, "index")
        if (index := read_index(get_text(each, "url", ""))) is not None and index.host in hosts
    ]
    if indexes:
        settings["index"] = indexes
    reduced: dict[str, object] = {"project": project} if project else {}
    groups, build = get_table(document, "dependency-groups"), get_table(document, "build-system")
    if groups:
        reduced["dependency-groups"] = groups
    if build:  # its presence makes the project a package. uv builds members even with --no-build: by nothing, then
        reduced["build-system"] = {"requires": [], "build-backend": "muniment_builds_nothing"}
    if settings:
        reduced["tool"] = {"uv": settings}
    try:
        return write_toml(reduced)
    except ValueError:
        raise LockFormatError("its manifest has a value that cannot be copied") from None


def list_indexes(lock: bytes) -> tuple[tuple[PythonIndex, ...], frozenset[str]]:
    """Indexes that a uv.lock takes packages from, and the hosts of its files. Raises LockFormatError."""
    indexes: dict[PythonIndex, None] = {}
    hosts: set[str] = set()
    for package in get_tables(decode_toml(lock), "package"):
        address = get_table(package, "source").get("registry")
        if not isinstance(address, str):
            continue
        index = read_index(address)
        if index is None:
            continue  # a folder as index, or an address that no proxy serves: its packages are not found
        indexes[index] = None
        archives = [*get_tables(package, "wheels"), *([get_table(package, "sdist")] if "sdist" in package else [])]
        for archive in archives:
            file = read_index(get_text(archive, "url", "").rpartition("/")[0])
            if file is not None:
                hosts.add(file.host)
    if PYPI in indexes:
        hosts.add(PYPI_FILES)
    return tuple(indexes), frozenset(hosts)


def find_unbuilt_metadata(lock: bytes) -> dict[tuple[str, str], bytes]:
    """Metadata, as the lock has them, of locked versions without a wheel, which would be built: by name and version.

    The lock records names and markers of what they require, no ranges. Raises LockFormatError.
    """
    found: dict[tuple[str, str], bytes] = {}
    for package in get_tables(decode_toml(lock), "package"):
        name, version = normalise_python_name(get_text(package, "name")), get_text(package, "version", "")
        if "registry" not in get_table(package, "source") or get_list(package, "wheels") or "sdist" not in package:
            continue
        extras = get_table(package, "optional-dependencies")
        lines = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}"]
        lines += [f"Provides-Extra: {extra}" for extra in extras]
        lines += [_write_requirement(each) for each in get_tables(package, "dependencies")]
        lines += [_write_requirement(each, extra) for extra in extras for each in get_tables(extras, extra)]
        if all(map(str.isprintable, lines)):  # a line end would make a header of its own
            found[name, version] = "\n".join((*lines, "", "")).encode()
    return found


def _write_requirement(entry: Mapping[str, object], extra: str = "") -> str:
    named = [each for each in get_list(entry, "extra") if isinstance(each, str)]
    marker = get_text(entry, "marker", "")
    conditions = [f"({marker})"] if marker else []
    conditions += [f"extra == '{extra}'"] if extra else []
    extras = f"[{','.join(named)}]" if named else ""
    condition = f" ; {' and '.join(conditions)}" if conditions else ""
    return f"Requires-Dist: {get_text(entry, 'name')}{extras}{condition}"
