"""pnpm-lock.yaml of versions 6 and 9, with workspaces. Source: https://github.com/pnpm/spec/tree/master/lockfile"""

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
    find_registry_host,
    get_table,
    get_tables_by_name,
    get_text,
    write_header,
)
from muniment.updates.yaml_documents import decode_yaml

_PRODUCTION = ("dependencies", "optionalDependencies")
_NOT_PACKAGES = ("link:", "workspace:")

_NOT_IN_HEADER = frozenset(
    {"packages", "snapshots", "importers", "dependencies", "devDependencies", "optionalDependencies"}
)


def parse_pnpm_lock(path: str, content: bytes, _files: Mapping[str, bytes]) -> Lock:
    """Lock of a pnpm project or workspace. Raises LockFormatError."""
    document = decode_yaml(content)
    version = str(document.get("lockfileVersion", ""))
    if not version.startswith(("6.", "9.")):
        raise LockFormatError("its lockfileVersion is not 6 or 9, which are known")
    packages = {_strip_slash(key): value for key, value in get_tables_by_name(document, "packages").items()}
    snapshots = packages if version.startswith("6.") else get_tables_by_name(document, "snapshots")
    importers = get_tables_by_name(document, "importers") or {".": document}
    edges = {key: _find_targets(each, _PRODUCTION, snapshots) for key, each in snapshots.items()}
    split = {key: _split_key(key) for key in snapshots}
    roots = [
        Root(name, _find_targets(each, _PRODUCTION, snapshots), _find_targets(each, ("devDependencies",), snapshots))
        for name, each in importers.items()
    ]
    reaches = find_reaches(roots, edges, {key: name for key, (name, _) in split.items()})
    dependencies = []
    for key in snapshots:
        name, plain_version = split[key]
        entry = packages.get(key) or packages.get(f"{name}@{plain_version}")
        if entry is None:
            raise LockFormatError("a snapshot has no package")
        resolution = get_table(entry, "resolution")
        source = _classify_source(plain_version, resolution)
        if source.kind is SourceKind.LOCAL:
            continue
        reach = reaches.get(key, NOT_REACHED)
        dependencies.append(
            Dependency(
                Ecosystem.NPM,
                get_text(entry, "name", name),
                get_text(entry, "version", plain_version),
                reach.relation,
                reach.path,
                reach.development,
                source,
                (),
                tuple(get_text(resolution, "integrity", "").split()),
                tuple("@".join(split[target]) for target in edges[key]),
            )
        )
    header = {key: value for key, value in document.items() if key not in _NOT_IN_HEADER}
    return Lock(
        path,
        LockFormat.PNPM,
        _merge_peer_variants(dependencies),
        version,
        tuple(sorted(importers)),
        write_header(header),
    )


def _merge_peer_variants(dependencies: list[Dependency]) -> tuple[Dependency, ...]:
    """Merge the entries of a name and version: pnpm writes one for each set of peers. Production paths count first."""
    merged: dict[str, Dependency] = {}
    for each in sorted(dependencies, key=lambda each: (each.development, len(each.path) or 1_000)):
        merged.setdefault(each.key, each)
    return tuple(merged[key] for key in sorted(merged))


def _strip_slash(key: str) -> str:
    """Keys of version 6 begin with a slash."""
    return key.removeprefix("/")


def _find_targets(
    table: dict[str, object], kinds: tuple[str, ...], snapshots: Mapping[str, dict[str, object]]
) -> tuple[str, ...]:
    found: dict[str, None] = {}
    for kind in kinds:
        for name, value in get_table(table, kind).items():
            reference = value.get("version") if isinstance(value, dict) else value
            if not isinstance(reference, str):
                raise LockFormatError("a requirement has no version")
            if reference.startswith(_NOT_PACKAGES):
                continue
            reference = _strip_slash(reference)
            key = f"{name}@{reference}"
            target = key if key in snapshots else reference  # an alias refers to the key itself
            if target not in snapshots:
                raise LockFormatError("a package requires another one that the lock does not have")
            found[target] = None
    return tuple(found)


def _split_key(key: str) -> tuple[str, str]:
    """Name and version of `@scope/name@1.0.0(peer@2.0.0)`."""
    plain = key.partition("(")[0]
    at = plain.find("@", 1)
    if at < 1:
        raise LockFormatError("the key of a package has no version")
    return plain[:at], plain[at + 1 :]


def _classify_source(version: str, resolution: dict[str, object]) -> LockSource:
    if resolution.get("type") == "git":
        return LockSource(SourceKind.GIT, find_registry_host(get_text(resolution, "repo", "")))
    if resolution.get("type") == "directory" or version.startswith("file:"):
        return LockSource(SourceKind.LOCAL)
    tarball = get_text(resolution, "tarball", "")
    if tarball:
        return (
            classify_registry(tarball)
            if "integrity" in resolution
            else LockSource(SourceKind.ARCHIVE, find_registry_host(tarball))
        )
    return LockSource(SourceKind.UNKNOWN)  # the registry of its configuration, which the lock does not name
