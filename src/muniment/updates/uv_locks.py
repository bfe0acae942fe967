"""uv.lock: every package of a workspace, with the forks that markers make.

Source: https://docs.astral.sh/uv/concepts/projects/layout/#the-lockfile; the format is uv's own.
"""

from collections.abc import Mapping

from msgspec import Struct

from muniment.updates.dependencies import (
    Dependency,
    Ecosystem,
    Lock,
    LockFormat,
    LockFormatError,
    LockSource,
    SourceKind,
)
from muniment.updates.dependency_graph import NOT_REACHED, Root, find_reaches
from muniment.updates.lock_values import (
    classify_registry,
    decode_toml,
    find_registry_host,
    get_table,
    get_tables,
    get_text,
    get_texts,
    normalise_python_name,
    require_tables,
    sort_unique,
    write_header,
)

_VERSION = 1
_MEMBER_SOURCES = ("editable", "virtual")
_LOCAL_SOURCES = (*_MEMBER_SOURCES, "directory", "path")


class _Package(Struct, frozen=True):
    """Entry of the lock. `source` is as the lock writes it."""

    key: str
    name: str
    version: str
    source: dict[str, str]
    table: dict[str, object]


def parse_uv_lock(path: str, content: bytes, _files: Mapping[str, bytes]) -> Lock:
    """Lock of a uv workspace. Raises LockFormatError."""
    document = decode_toml(content)
    if document.get("version") != _VERSION:
        raise LockFormatError("its version is not 1, the only one that is known")
    packages = _list_packages(get_tables(document, "package"))
    by_name: dict[str, list[_Package]] = {}
    for package in packages:
        by_name.setdefault(package.name, []).append(package)
    edges = {each.key: _find_targets(_production_entries(each.table), by_name) for each in packages}
    members = [each for each in packages if any(kind in each.source for kind in _MEMBER_SOURCES)]
    roots = [
        Root(each.name, edges[each.key], _find_targets(_development_entries(each.table), by_name)) for each in members
    ]
    reaches = find_reaches(roots, edges, {each.key: each.name for each in packages})
    markers = _collect_markers(packages, by_name)
    dependencies = []
    for package in packages:
        if any(kind in package.source for kind in _LOCAL_SOURCES):
            continue
        reach = reaches.get(package.key, NOT_REACHED)
        forks = get_texts(package.table, "resolution-markers")
        dependencies.append(
            Dependency(
                Ecosystem.PYPI,
                package.name,
                package.version,
                reach.relation,
                reach.path,
                reach.development,
                _classify_source(package.source),
                forks or markers.get(package.key, ()),
                _list_digests(package.table),
                tuple(key.partition("#")[0] for key in edges[package.key]),
            )
        )
    named = get_texts(get_table(document, "manifest"), "members")
    header = {key: value for key, value in document.items() if key != "package"}
    return Lock(
        path,
        LockFormat.UV,
        tuple(dependencies),
        f"{_VERSION}.{document.get('revision', 0)}",
        tuple(sorted({*named, *(each.name for each in members)})),
        write_header(header),
    )


def _list_packages(tables: list[dict[str, object]]) -> list[_Package]:
    packages: list[_Package] = []
    seen: set[str] = set()
    for table in tables:
        name = normalise_python_name(get_text(table, "name"))
        source = {key: value for key, value in get_table(table, "source").items() if isinstance(value, str)}
        if not source:
            raise LockFormatError("a package has no source")
        local = any(kind in source for kind in _LOCAL_SOURCES)
        version = get_text(table, "version", "" if local else None)  # a project may compute its own version
        key = f"{name}@{version}"
        if key in seen:  # one version from two indexes, as for different platforms
            key = f"{key}#{len(packages)}"
        seen.add(key)
        packages.append(_Package(key, name, version, source, table))
    return packages


def _production_entries(table: dict[str, object]) -> list[dict[str, object]]:
    extras = get_table(table, "optional-dependencies")
    optional = [entry for name in extras for entry in get_tables(extras, name)]
    return [*get_tables(table, "dependencies"), *optional]


def _development_entries(table: dict[str, object]) -> list[dict[str, object]]:
    groups = get_table(table, "dev-dependencies")
    return [entry for name in groups for entry in get_tables(groups, name)]


def _find_targets(entries: list[dict[str, object]], by_name: Mapping[str, list[_Package]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(each.key for entry in entries for each in _find_packages(entry, by_name)))


def _find_packages(entry: dict[str, object], by_name: Mapping[str, list[_Package]]) -> list[_Package]:
    """Packages that a requirement means: those with the version and source that it names, if it does."""
    packages = by_name.get(normalise_python_name(get_text(entry, "name")), [])
    version, source = entry.get("version"), entry.get("source")
    found = [
        each
        for each in packages
        if (version is None or each.version == version) and (source is None or each.source == source)
    ]
    if not found:
        raise LockFormatError("a package requires another one that the lock does not have")
    return found


def _collect_markers(packages: list[_Package], by_name: Mapping[str, list[_Package]]) -> dict[str, tuple[str, ...]]:
    """Markers of packages that every requirement makes conditional."""
    found: dict[str, list[str]] = {}
    for package in packages:
        for entry in (*_production_entries(package.table), *_development_entries(package.table)):
            for target in _find_packages(entry, by_name):
                found.setdefault(target.key, []).append(get_text(entry, "marker", ""))
    return {key: sort_unique(markers) for key, markers in found.items() if all(markers)}


def _classify_source(source: dict[str, str]) -> LockSource:
    if "registry" in source:
        found = classify_registry(source["registry"])
        return found if found.host else LockSource(SourceKind.LOCAL)
    if "git" in source:
        return LockSource(SourceKind.GIT, find_registry_host(source["git"]))
    if "url" in source:
        return LockSource(SourceKind.ARCHIVE, find_registry_host(source["url"]))
    return LockSource(SourceKind.UNKNOWN)


def _list_digests(table: dict[str, object]) -> tuple[str, ...]:
    archives = [*get_tables(table, "wheels"), *require_tables([table["sdist"]] if "sdist" in table else [], "sdist")]
    return sort_unique(get_text(each, "hash", "") for each in archives)
