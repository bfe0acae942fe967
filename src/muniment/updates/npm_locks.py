"""package-lock.json and npm-shrinkwrap.json of versions 2 and 3, with workspaces.

Source: https://docs.npmjs.com/cli/configuring-npm/package-lock-json. A requirement means the nearest folder
`node_modules` above the package that has the name, as Node resolves it.
"""

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
    decode_lock_json,
    find_registry_host,
    get_table,
    get_tables_by_name,
    get_text,
    write_header,
)

Packages = Mapping[str, dict[str, object]]  # by folder
_FOLDER = "node_modules/"
_VERSIONS = (2, 3)
_PRODUCTION = ("dependencies", "optionalDependencies", "peerDependencies")


def parse_npm_lock(path: str, content: bytes, _files: Mapping[str, bytes]) -> Lock:
    """Lock of an npm project or workspace. Raises LockFormatError."""
    document = decode_lock_json(content)
    version = document.get("lockfileVersion")
    if version not in _VERSIONS:
        raise LockFormatError("its lockfileVersion is not 2 or 3: write it with npm 7 or newer")
    packages = get_tables_by_name(document, "packages")
    if "" not in packages:
        raise LockFormatError("it has no root package")
    members = [folder for folder in packages if _FOLDER not in f"{folder}/"]
    edges = {folder: _find_targets(folder, each, packages, _PRODUCTION) for folder, each in packages.items()}
    names = {folder: _read_name(folder, each) for folder, each in packages.items()}
    roots = [
        Root(
            _name_member(folder, packages[folder]),
            edges[folder],
            _find_targets(folder, packages[folder], packages, ("devDependencies",)),
        )
        for folder in members
    ]
    reaches = find_reaches(roots, edges, names)
    installed = [folder for folder, each in packages.items() if folder not in members and not each.get("link")]
    dependencies = [
        _build_dependency(
            names[folder],
            packages[folder],
            reaches.get(folder, NOT_REACHED),
            tuple(f"{names[key]}@{packages[key].get('version', '')}" for key in edges[folder]),
        )
        for folder in installed
    ]
    header = {key: value for key, value in document.items() if key not in ("packages", "dependencies")}
    header |= {f"member {folder}": packages[folder] for folder in members}
    return Lock(
        path,
        LockFormat.NPM,
        tuple(dependencies),
        str(version),
        tuple(sorted(_name_member(folder, packages[folder]) for folder in members)),
        write_header(header),
    )


def _build_dependency(
    name: str, package: dict[str, object], reach: DependencyPath, requires: tuple[str, ...]
) -> Dependency:
    marked = bool(package.get("dev") or package.get("devOptional"))
    address = get_text(package, "resolved", "")
    return Dependency(
        Ecosystem.NPM,
        name,
        get_text(package, "version"),
        reach.relation,
        reach.path,
        reach.development or (marked and not reach.path),
        LockSource(SourceKind.LOCAL) if package.get("inBundle") else _classify_source(address),
        _read_platforms(package),
        tuple(get_text(package, "integrity", "").split()),
        requires,
    )


def _name_member(folder: str, package: dict[str, object]) -> str:
    return get_text(package, "name", folder or ".")


def _read_name(folder: str, package: dict[str, object]) -> str:
    """Name of a package: the one that it states, which an alias does, else that of its folder."""
    return get_text(package, "name", folder.rpartition(_FOLDER)[2])


def _find_targets(
    folder: str, package: dict[str, object], packages: Packages, kinds: tuple[str, ...]
) -> tuple[str, ...]:
    found: dict[str, None] = {}
    for kind in kinds:
        for name in get_table(package, kind):
            target = _resolve_name(folder, name, packages)
            if target is not None:  # an optional or peer dependency may be absent
                found[target] = None
    return tuple(found)


def _resolve_name(folder: str, name: str, packages: Packages) -> str | None:
    """Folder of the package that `name` means in `folder`, links followed; None if it is not installed."""
    above: str | None = folder
    while above is not None:
        candidate = f"{above}/{_FOLDER}{name}" if above else f"{_FOLDER}{name}"
        package = packages.get(candidate)
        if package is not None:
            if not package.get("link"):
                return candidate
            target = get_text(package, "resolved")
            return target if target in packages else None
        above = _parent_folder(above)
    return None


def _parent_folder(folder: str) -> str | None:
    """Next folder that may have packages below it; None above the root."""
    if not folder:
        return None
    return folder.rpartition("/")[0] if "/" in folder else ""


def _classify_source(address: str) -> LockSource:
    if not address:
        return LockSource(SourceKind.UNKNOWN)  # left out by omit-lockfile-registry-resolved
    if address.startswith(("git+", "git:", "git@")):
        return LockSource(SourceKind.GIT, find_registry_host(address))
    if address.startswith("file:"):
        return LockSource(SourceKind.LOCAL)
    if "/-/" in address or address.endswith(".tgz"):
        return classify_registry(address)
    return LockSource(SourceKind.ARCHIVE, find_registry_host(address))


def _read_platforms(package: dict[str, object]) -> tuple[str, ...]:
    """Systems and processors that a package is limited to."""
    limits = ((kind, package.get(kind)) for kind in ("os", "cpu", "libc"))
    return tuple(f"{kind}: {', '.join(map(str, each))}" for kind, each in limits if isinstance(each, list) and each)
