"""Cargo.lock of versions 1 to 4. Source: https://doc.rust-lang.org/cargo/guide/cargo-toml-vs-cargo-lock.html"""

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
from muniment.updates.dependency_graph import NOT_REACHED, Root, find_reaches
from muniment.updates.lock_values import (
    classify_registry,
    decode_toml,
    find_registry_host,
    get_table,
    get_tables,
    get_text,
    get_texts,
    write_header,
)

_NEWEST = 4
_PRODUCTION, _DEVELOPMENT = ("dependencies", "build-dependencies"), ("dev-dependencies",)


def parse_cargo_lock(path: str, content: bytes, files: Mapping[str, bytes]) -> Lock:
    """Lock of a Cargo workspace. Raises LockFormatError."""
    document = decode_toml(content)
    version = document.get("version", 1)
    if version not in range(1, _NEWEST + 1):
        raise LockFormatError(f"its version is not one of 1 to {_NEWEST}, which are known")
    checksums = get_table(document, "metadata")  # of version 1
    tables = get_tables(document, "package")
    keys = [
        _write_key(get_text(each, "name"), get_text(each, "version"), get_text(each, "source", "")) for each in tables
    ]
    names = {key: get_text(each, "name") for key, each in zip(keys, tables, strict=True)}
    by_name: dict[str, list[str]] = {}
    for key, name in names.items():
        by_name.setdefault(name, []).append(key)
    edges = {
        key: tuple(_find_target(text, by_name) for text in get_texts(each, "dependencies"))
        for key, each in zip(keys, tables, strict=True)
    }
    members = [key for key, each in zip(keys, tables, strict=True) if "source" not in each]
    development = _find_development_names(files)
    roots = [_build_root(names[key], edges[key], names, development.get(names[key], frozenset())) for key in members]
    reaches = find_reaches(roots, edges, names)
    dependencies = []
    for key, table in zip(keys, tables, strict=True):
        if key in members:
            continue
        reach = reaches.get(key, NOT_REACHED)
        name, pinned, source = names[key], get_text(table, "version"), get_text(table, "source")
        digest = get_text(table, "checksum", "") or get_text(checksums, f"checksum {name} {pinned} ({source})", "")
        dependencies.append(
            Dependency(
                Ecosystem.CARGO,
                name,
                pinned,
                reach.relation,
                reach.path,
                reach.development,
                _classify_source(source),
                (),
                (f"sha256:{digest}",) if digest else (),
                tuple("@".join(target.split(" ")[:2]) for target in edges[key]),
            )
        )
    header = {name: value for name, value in document.items() if name not in ("package", "metadata")}
    members_by_name = tuple(sorted(names[key] for key in members))
    return Lock(path, LockFormat.CARGO, tuple(dependencies), str(version), members_by_name, write_header(header))


def _write_key(name: str, version: str, source: str) -> str:
    return f"{name} {version} ({source})" if source else f"{name} {version}"


def _find_target(text: str, by_name: Mapping[str, list[str]]) -> str:
    """Key that a requirement means: Cargo writes as much of it as makes it unique."""
    found = [key for key in by_name.get(text.split(" ")[0], ()) if key == text or key.startswith(f"{text} ")]
    if not found:
        raise LockFormatError("a package requires another one that the lock does not have")
    return found[0]


def _build_root(name: str, targets: tuple[str, ...], names: Mapping[str, str], development: frozenset[str]) -> Root:
    return Root(
        name,
        tuple(key for key in targets if names[key] not in development),
        tuple(key for key in targets if names[key] in development),
    )


def _find_development_names(files: Mapping[str, bytes]) -> dict[str, frozenset[str]]:
    """Packages that only tests of a member need, by the member's name. The lock itself does not say it."""
    found = {}
    for path, content in files.items():
        if path.rpartition("/")[2] == "Cargo.toml":
            try:
                manifest = decode_toml(content)
                name = get_text(get_table(manifest, "package"), "name", "")
                production, development = (_declared(manifest, kinds) for kinds in (_PRODUCTION, _DEVELOPMENT))
            except LockFormatError:
                continue  # without it, all dependencies count as production ones
            found[name] = frozenset(development - production)
    return found


def _declared(manifest: dict[str, object], kinds: tuple[str, ...]) -> set[str]:
    """Names of declared packages, for all targets; a renamed one by its real name."""
    targets = get_table(manifest, "target")
    tables = [manifest, *(get_table(targets, target) for target in targets)]
    return {
        get_text(value, "package", name) if isinstance(value, dict) else name
        for table in tables
        for kind in kinds
        for name, value in get_table(table, kind).items()
    }


def _classify_source(source: str) -> LockSource:
    if source.startswith("git+"):
        return LockSource(SourceKind.GIT, find_registry_host(source))
    if source == "registry+https://github.com/rust-lang/crates.io-index":
        return LockSource(SourceKind.PUBLIC_REGISTRY, "index.crates.io")
    return classify_registry(source)
