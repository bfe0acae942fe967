"""poetry.lock and pylock.toml (PEP 751). Their manifests, not they, record which dependencies are direct."""

from collections.abc import Mapping

from muniment.updates.dependencies import (
    Dependency,
    Ecosystem,
    Lock,
    LockFormat,
    LockFormatError,
    LockSource,
    SourceKind,
)
from muniment.updates.dependency_graph import NOT_REACHED, DependencyPath, Root, find_reaches
from muniment.updates.lock_values import (
    classify_registry,
    decode_toml,
    find_registry_host,
    get_table,
    get_tables,
    get_text,
    get_texts,
    normalise_python_name,
    sort_unique,
    write_header,
)
from muniment.updates.python_manifests import find_manifest

_PYPI = LockSource(SourceKind.PUBLIC_REGISTRY, "pypi.org")
_POETRY_VERSIONS = ("1.", "2.")
_POETRY_SOURCES = {
    "git": SourceKind.GIT,
    "url": SourceKind.ARCHIVE,
    "directory": SourceKind.LOCAL,
    "file": SourceKind.LOCAL,
}


def parse_poetry_lock(path: str, content: bytes, files: Mapping[str, bytes]) -> Lock:
    """Lock of Poetry 1.x and 2.x. Raises LockFormatError."""
    document = decode_toml(content)
    metadata = get_table(document, "metadata")
    format_version = get_text(metadata, "lock-version", "")
    if not format_version.startswith(_POETRY_VERSIONS):
        raise LockFormatError("its lock-version is not 1 or 2, which are known")
    old_files = get_table(metadata, "files")  # of Poetry 1.x, by name
    tables = get_tables(document, "package")
    names = [normalise_python_name(get_text(table, "name")) for table in tables]
    keys = [f"{name}@{get_text(table, 'version')}" for name, table in zip(names, tables, strict=True)]
    required = [[normalise_python_name(name) for name in get_table(table, "dependencies")] for table in tables]
    edges = _link_packages(names, keys, required)
    reaches = _reach_from_manifest(path, files, names, keys, edges)
    dependencies = []
    for name, key, table in zip(names, keys, tables, strict=True):
        reach = reaches.get(key, NOT_REACHED)
        archives = get_tables(table, "files") or get_tables(old_files, get_text(table, "name"))
        source = get_table(table, "source")
        if _POETRY_SOURCES.get(get_text(source, "type", "")) is SourceKind.LOCAL:
            continue
        dependencies.append(
            Dependency(
                Ecosystem.PYPI,
                name,
                get_text(table, "version"),
                reach.relation,
                reach.path,
                _is_for_development(table, reach),
                _classify_poetry_source(source),
                _poetry_markers(table),
                sort_unique(get_text(each, "hash", "") for each in archives),
                edges[key],
            )
        )
    own = {name: value for name, value in metadata.items() if name != "files"}
    header = {**{name: value for name, value in document.items() if name not in ("package", "metadata")}, **own}
    return Lock(path, LockFormat.POETRY, tuple(dependencies), format_version, (), write_header(header))


def _is_for_development(table: dict[str, object], reach: DependencyPath) -> bool:
    """Poetry 2 writes the groups of a package, Poetry before 1.5 its category; else the manifest decides."""
    if "groups" in table:
        return "main" not in get_texts(table, "groups")
    if "category" in table:
        return get_text(table, "category") != "main"
    return reach.development


def _poetry_markers(table: dict[str, object]) -> tuple[str, ...]:
    """Return one marker, or one for each group."""
    markers = table.get("markers")
    if isinstance(markers, dict):
        return sort_unique(str(value) for value in markers.values())
    return (get_text(table, "markers"),) if markers is not None else ()


def _classify_poetry_source(source: dict[str, object]) -> LockSource:
    if not source:
        return _PYPI
    address = get_text(source, "url", "")
    kind = _POETRY_SOURCES.get(get_text(source, "type", ""))
    return classify_registry(address) if kind is None else LockSource(kind, find_registry_host(address))


def parse_pylock(path: str, content: bytes, files: Mapping[str, bytes]) -> Lock:
    """Lock of the standard format for Python. Raises LockFormatError."""
    document = decode_toml(content)
    format_version = get_text(document, "lock-version", "")
    if not format_version.startswith("1."):
        raise LockFormatError("its lock-version is not 1, the only one that is known")
    tables = get_tables(document, "packages")
    names = [normalise_python_name(get_text(table, "name")) for table in tables]
    keys = [f"{name}@{get_text(table, 'version', '')}" for name, table in zip(names, tables, strict=True)]
    required = [
        [normalise_python_name(get_text(each, "name")) for each in get_tables(table, "dependencies")]
        for table in tables
    ]
    edges = _link_packages(names, keys, required)
    reaches = _reach_from_manifest(path, files, names, keys, edges)
    dependencies = []
    for name, key, table in zip(names, keys, tables, strict=True):
        source = _classify_pylock_source(table)
        if source.kind is SourceKind.LOCAL:
            continue
        reach = reaches.get(key, NOT_REACHED)
        marker = get_text(table, "marker", "")
        dependencies.append(
            Dependency(
                Ecosystem.PYPI,
                name,
                get_text(table, "version", ""),
                reach.relation,
                reach.path,
                reach.development,
                source,
                (marker,) if marker else (),
                _pylock_digests(table),
                edges[key],
            )
        )
    gaps = ("it does not say which versions its packages without one have",) if _lacks_version(dependencies) else ()
    header = {name: value for name, value in document.items() if name != "packages"}
    return Lock(path, LockFormat.PYLOCK, tuple(dependencies), format_version, (), write_header(header), gaps)


def _lacks_version(dependencies: list[Dependency]) -> bool:
    return any(not each.version for each in dependencies)


def _classify_pylock_source(table: dict[str, object]) -> LockSource:
    if "vcs" in table:
        return LockSource(SourceKind.GIT, find_registry_host(get_text(get_table(table, "vcs"), "url", "")))
    if "directory" in table:
        return LockSource(SourceKind.LOCAL)
    if "archive" in table:
        return LockSource(SourceKind.ARCHIVE, find_registry_host(get_text(get_table(table, "archive"), "url", "")))
    if "index" in table:
        return classify_registry(get_text(table, "index"))
    archives = [*get_tables(table, "wheels"), *([get_table(table, "sdist")] if "sdist" in table else [])]
    addresses = [get_text(each, "url", "") for each in archives]
    return classify_registry(addresses[0]) if addresses else LockSource(SourceKind.UNKNOWN)


def _pylock_digests(table: dict[str, object]) -> tuple[str, ...]:
    archives = [*get_tables(table, "wheels"), *(get_table(table, kind) for kind in ("sdist", "archive"))]
    digests = (get_table(each, "hashes") for each in archives)
    return sort_unique(f"{name}:{value}" for each in digests for name, value in each.items())


def _link_packages(names: list[str], keys: list[str], required: list[list[str]]) -> dict[str, tuple[str, ...]]:
    """Requirements by key; a name that the lock has several times means all of them."""
    by_name: dict[str, list[str]] = {}
    for name, key in zip(names, keys, strict=True):
        by_name.setdefault(name, []).append(key)
    edges: dict[str, dict[str, None]] = {key: {} for key in keys}
    for key, needed in zip(keys, required, strict=True):
        edges[key].update(dict.fromkeys(target for name in needed for target in by_name.get(name, ())))
    return {key: tuple(targets) for key, targets in edges.items()}


def _reach_from_manifest(
    path: str, files: Mapping[str, bytes], names: list[str], keys: list[str], edges: Mapping[str, tuple[str, ...]]
) -> dict[str, DependencyPath]:
    manifest = find_manifest(path, files)
    if manifest is None or manifest.is_empty:
        return {}
    by_key = dict(zip(keys, names, strict=True))
    production = tuple(key for key in keys if by_key[key] in manifest.production)
    development = tuple(key for key in keys if by_key[key] in manifest.development)
    return find_reaches([Root(manifest.name or path, production, development)], edges, by_key)
