"""Versions of a package-lock.json, chosen by npm itself in a confined child.

A vulnerable package is taken out of the lock, and npm puts it back in a version that it is offered. So the manifest
stays as it is, and no package becomes a direct dependency. Source: https://docs.npmjs.com/cli/commands/npm-install
"""

from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType

from muniment.errors import ProgramError
from muniment.programs.process import ProcessResult
from muniment.updates.dependencies import Lock, LockFormatError, SourceKind
from muniment.updates.lock_values import decode_lock_json
from muniment.updates.npm_lock_text import (
    merge_changes,
    read_packages,
    remove_folders,
    write_document,
    write_lock_like,
)
from muniment.updates.npm_locks import Packages, parse_npm_lock
from muniment.updates.npm_manifests import reduce_npmrc, reduce_package_json
from muniment.updates.npm_registry import NPM_HOST, NpmRegistry
from muniment.updates.registry_access import RegistrySource
from muniment.updates.registry_offers import VersionOffers
from muniment.updates.resolver_child import RESOLVER_SECONDS, ResolverFolder, ResolverTool
from muniment.updates.resolver_errors import ResolverError, describe_output
from muniment.updates.version_plans import Conflict, LockedEntry, Solution

_FLAGS = ("--package-lock-only", "--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier")
_CONFLICTS = (b"npm error code ETARGET", b"npm error code ERESOLVE", b"npm error code E404", b"npm ERR! code")
_FOLDER = "node_modules/"
_ALL_LEVELS = 64


class NpmResolver:
    """npm for one lock. Leaving the `with` removes its folder. `content`: the lock after all that was accepted."""

    tool_name = "npm"

    def __init__(
        self,
        lock: Lock,
        content: bytes,
        files: Mapping[str, bytes],
        offers: VersionOffers,
        source: RegistrySource,
        tool: ResolverTool,
    ) -> None:
        """`files`: contents of the repository's manifests by path. Raises ResolverError or LockFormatError."""
        self._lock, self._original, self._files = lock, content, files
        self._offers = offers
        hosts = {
            each.source.host
            for each in lock.dependencies
            if each.source.kind in (SourceKind.PUBLIC_REGISTRY, SourceKind.OTHER_REGISTRY)
        }
        self.registry = NpmRegistry(source, offers, frozenset({*hosts, NPM_HOST}))
        self._folder_name = lock.path.rpartition("/")[0]
        self._folder = ResolverFolder(tool, self.registry, RESOLVER_SECONDS)
        self._packages = read_packages(content)
        self._without: Packages = {}
        self._accepted: Packages = self._packages
        self._last: Packages = self._packages
        self._written = content  # text that npm wrote last
        self._solved = content  # the same of the last solution
        self.movable: frozenset[LockedEntry] = frozenset()  # besides the released ones
        self.result: Lock = lock
        self.content: bytes = content

    def __enter__(self) -> "NpmResolver":
        return self

    def __exit__(self, *_: object) -> None:
        self._folder.__exit__(None, None, None)

    def list_candidates(self, entry: LockedEntry) -> tuple[str, ...]:
        """Safe versions above an entry, ascending."""
        found = self._offers.list_candidates(entry.name, self.registry.list_releases(entry.name))
        return self._offers.keep_above(found, entry.version)

    def list_parent_options(self, parent: LockedEntry, children: Collection[str]) -> list[str]:
        """Versions that a parent may have: its own, and the first ones that require its children in other ranges."""
        options, ranges = [parent.version], None
        for version in (parent.version, *self.list_candidates(parent)):
            required = self.registry.read_requirements(parent.name, version)
            found = [required.get(name) for name in sorted(children)]
            if ranges is not None and found != ranges:
                options.append(version)
            ranges = found
        return options

    def read_range(self, parent: str, version: str, child: str) -> str:
        """Range in which a version of a parent requires a package, "" if it does not, or that is not known."""
        return self.registry.read_requirements(parent, version).get(child, "")

    def check_lock(self, content: bytes) -> None:
        """Raises ResolverError if npm would install other versions than a lock has: it is not that of its manifests."""
        if self._is_old:
            found = self._solve_lock(content)
            if self._written != self._original and content == self._original:
                raise LockFormatError("it is of version 2, and this npm would change it without an update")
        else:
            write_lock_like(self._original, self._packages)
            found = self._solve_lock(content)
        if isinstance(found, Conflict):
            raise ResolverError(f"npm does not accept this lock: {found.reason}", "Run npm install, commit its result.")
        if _list_versions(found) != _list_versions(read_packages(content)):
            raise ResolverError(
                "this lock is not that of its manifests: npm would change it",
                "Run npm install --package-lock-only, and commit its result.",
            )
        if content == self._original:
            self._without = self._accepted = found

    def run_attempt(self, caps: Mapping[LockedEntry, str], released: frozenset[LockedEntry]) -> Solution | Conflict:
        """Run npm once. An entry without a cap, or with one above its version, is taken out too.

        Raises ResolverError if it gives no answer.
        """
        self._offers.restrict_entries(caps, released)
        moving = {each for each in self.movable if caps.get(each, "") != each.version} | released
        folders = {folder for folder, entry in _list_versions(self._accepted).items() if entry in moving}
        links = {folder for folder, package in self._accepted.items() if package.get("link")}
        if links:
            # npm completes what members of a workspace require only where it visits them anew, step by step. What
            # stays is offered in its version alone, and comes back as it was.
            above = {each for entry in moving for each in list_requirers(self.result, entry, _ALL_LEVELS)} - moving
            self._offers.restrict_entries({**{each: each.version for each in above}, **caps}, released)
            folders |= links | {folder for folder, entry in _list_versions(self._accepted).items() if entry in above}
        document = {**decode_lock_json(self._original), "packages": remove_folders(self._accepted, folders)}
        document.pop("dependencies", None)  # of version 2, the same once more: npm writes it anew
        start = write_document(self._original, document)
        found = self._solve_lock(start)
        if isinstance(found, Conflict):
            return found
        self._last, self._solved = found, self._written
        return _read_solution(_list_versions(self._accepted), _list_versions(found))

    def write_project(self, lock: bytes | None) -> None:
        """Write manifests and lock."""
        manifests = self._list_manifests()
        self._folder.write_files(manifests if lock is None else {**manifests, self._lock.path: lock})

    def read_lock(self) -> bytes | None:
        """Lock as it stands in the folder; None if it is no plain file."""
        return self._folder.read_file(self._lock.path)

    @property
    def _is_old(self) -> bool:
        """Whether the lock has each package twice (version 2): then npm alone can write it."""
        return "dependencies" in decode_lock_json(self._original)

    def has_entry(self, entry: LockedEntry) -> bool:
        """Whether the lock has an entry after all that was accepted."""
        return entry in _list_versions(self._accepted).values()

    def accept_last(self) -> None:
        """Go on from the last solution. Raises ResolverError if it cannot be written in the layout of the lock."""
        self._accepted = self._last
        try:
            if self._is_old:
                self.content = self._solved
            else:
                merged = merge_changes(self._packages, self._without, self._accepted)
                self.content = write_lock_like(self._original, merged)
            self.result = parse_npm_lock(self._lock.path, self.content, {})
        except LockFormatError as error:
            raise ResolverError(f"npm wrote a lock that is refused: {error}", "Run npm install yourself.") from None

    def _solve_lock(self, lock: bytes) -> Packages | Conflict:
        self.write_project(lock)
        done = self.run_npm()
        if done.code:
            if done.err.startswith(_CONFLICTS):
                return Conflict(describe_output(done.err))
            raise ResolverError(f"npm gave no lock: {describe_output(done.err)}", "Run npm install, and correct it.")
        self._written = self.read_lock() or b""
        try:
            return read_packages(self._written)
        except LockFormatError as error:
            raise ResolverError(f"npm wrote a lock that is refused: {error}", "Run npm install yourself.") from None

    def run_npm(self) -> ProcessResult:
        """Run npm install. Raises ResolverError if it cannot be confined, or takes too long."""
        cache, home = f"{self._folder.folder_path}/cache", f"{self._folder.folder_path}/home"
        settings = {
            "npm_config_cache": cache,
            "npm_config_globalconfig": f"{home}/none",
            "npm_config_userconfig": f"{home}/none-either",
            "npm_config_registry": f"https://{NPM_HOST}/",
            "npm_config_fetch_retries": "1",
            "npm_config_loglevel": "error",
            **self._list_settings(),
        }
        try:
            return self._folder.run_tool(("install", *_FLAGS), settings, self._folder_name)
        except ProgramError as error:
            raise ResolverError(error.message, error.remedy) from None

    def _list_settings(self) -> Mapping[str, str]:
        """A lock without addresses of the registry stays one."""
        packages = [each for folder, each in self._packages.items() if _FOLDER in folder and not each.get("link")]
        if packages and not any("resolved" in each for each in packages):
            return {"npm_config_omit_lockfile_registry_resolved": "true"}
        return MappingProxyType({})

    def _list_manifests(self) -> dict[str, bytes]:
        hosts = self.registry.allowed_hosts
        found = {}
        for path, content in self._files.items():
            name = path.rpartition("/")[2]
            if name == "package.json":
                found[path] = reduce_package_json(content)
            elif path == f"{self._folder_name}/.npmrc".lstrip("/"):
                found[path] = reduce_npmrc(content, hosts)
        return found


def _list_versions(packages: Packages) -> dict[str, LockedEntry]:
    """Entry of each folder that has a package from elsewhere."""
    found = {}
    for folder, package in packages.items():
        version = package.get("version")
        if _FOLDER in folder and not package.get("link") and isinstance(version, str):
            name = package.get("name")
            found[folder] = LockedEntry(name if isinstance(name, str) else folder.rpartition(_FOLDER)[2], version)
    return found


def _read_solution(before: Mapping[str, LockedEntry], after: Mapping[str, LockedEntry]) -> dict[LockedEntry, str]:
    """New version of each entry, "" for one that vanished. One that is left in any folder has not moved."""
    left = set(after.values())
    solution = {}
    for folder, entry in before.items():
        new = after.get(folder)
        if entry in left:
            solution[entry] = entry.version
        elif new is not None and new.name == entry.name:
            solution[entry] = new.version
        else:
            solution[entry] = _find_replacement(folder, entry, after)
    return solution


def _find_replacement(folder: str, entry: LockedEntry, after: Mapping[str, LockedEntry]) -> str:
    """Version that took the place of a package and is now found in a folder above, "" for none."""
    above = folder
    while f"/{_FOLDER}" in above:
        above = above.rpartition(f"/{_FOLDER}")[0]
        parent = above.rpartition(_FOLDER)[0]
        found = after.get(f"{parent}{_FOLDER}{entry.name}")
        if found is not None:
            return found.version
    return ""


def list_requirers(lock: Lock, entry: LockedEntry, levels: int) -> Sequence[LockedEntry]:
    """Entries that require another one, through at most so many steps; the nearest last."""
    requirers: dict[str, list[LockedEntry]] = {}
    for each in lock.dependencies:
        for key in each.requires:
            requirers.setdefault(key, []).append(LockedEntry(each.name, each.version))
    found: dict[LockedEntry, None] = {}
    nearest = [entry]
    for _ in range(levels):
        nearest = [
            above for each in nearest for above in requirers.get(f"{each.name}@{each.version}", ()) if above != entry
        ]
        nearest = [each for each in dict.fromkeys(nearest) if each not in found]
        found |= dict.fromkeys(nearest)
    return tuple(reversed(found))
