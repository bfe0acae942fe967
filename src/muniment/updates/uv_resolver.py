"""Versions of a uv.lock, chosen by uv itself in a confined child.

Source: https://docs.astral.sh/uv/concepts/projects/sync/#upgrading-locked-package-versions
"""

import re
from collections.abc import Mapping, Sequence

from muniment.errors import ProgramError
from muniment.programs.process import ProcessResult
from muniment.updates.dependencies import Dependency, Ecosystem, Lock, LockFormatError
from muniment.updates.lock_values import decode_toml, get_text
from muniment.updates.python_registry import PYPI, PYPI_FILES, PythonRegistry
from muniment.updates.registry_access import RegistrySource
from muniment.updates.registry_offers import VersionOffers
from muniment.updates.resolver_child import RESOLVER_SECONDS, ResolverFolder, ResolverTool
from muniment.updates.resolver_errors import ResolverError, describe_output
from muniment.updates.resolver_tools import find_python
from muniment.updates.uv_lock_text import OtherRevisionError, restore_lock, state_versions
from muniment.updates.uv_locks import parse_uv_lock
from muniment.updates.uv_manifests import find_unbuilt_metadata, list_indexes, reduce_pyproject
from muniment.updates.version_plans import Conflict, LockedEntry, Solution
from muniment.updates.versions import find_highest

_NO_SOLUTION = "No solution found"
_FLAGS = ("--no-build", "--no-python-downloads", "--no-progress", "--color=never")
_PLAIN_ENVIRONMENT: Mapping[str, str] = {"UV_KEYRING_PROVIDER": "disabled", "UV_PYTHON_DOWNLOADS": "never"}
_MARKER = re.compile(r"[A-Za-z0-9_.'\"<>=!~ ()+*-]{1,2000}")


class UvResolver:
    """uv for one lock. Leaving the `with` removes its folder. `result` and `content`: the lock of the last solution."""

    tool_name = "uv"

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
        indexes, hosts = list_indexes(content)
        self.registry = PythonRegistry(
            source, offers, indexes or (PYPI,), hosts or (PYPI_FILES,), find_unbuilt_metadata(content)
        )
        python = find_python(get_text(decode_toml(content), "requires-python", ""))
        if python is None:
            raise ResolverError("this machine has no Python that the project allows", "Install one of its versions.")
        self._python = python
        self._folder_name = lock.path.rpartition("/")[0]
        self._folder = ResolverFolder(
            ResolverTool(tool.program, tool.location, (*tool.readable, *python.readable, str(python.location))),
            self.registry,
            RESOLVER_SECONDS,
        )
        self.result: Lock = lock
        self.content: bytes = content

    def __enter__(self) -> "UvResolver":
        return self

    def __exit__(self, *_: object) -> None:
        self._folder.__exit__(None, None, None)

    def list_candidates(self, entry: LockedEntry) -> tuple[str, ...]:
        """Safe versions above an entry, ascending."""
        found = self._offers.list_candidates(entry.name, self.registry.list_releases(entry.name))
        return self._offers.keep_above(found, entry.version)

    def check_lock(self, content: bytes) -> None:
        """Raises ResolverError if uv does not take a lock as that of its manifests."""
        self.write_project(content)
        done = self.run_uv(["--check"])
        if done.code:
            raise ResolverError(
                f"uv does not accept this lock: {describe_output(done.err)}", "Run uv lock, and commit its result."
            )

    def run_attempt(self, caps: Mapping[LockedEntry, str], released: frozenset[LockedEntry]) -> Solution | Conflict:
        """Run uv once. Raises ResolverError if it gives no answer, which is neither a solution nor a conflict."""
        self._offers.restrict_versions(caps, released)
        self.write_project(self._original)
        done = self.run_uv(self._list_upgrades(caps, released))
        if done.code:
            text = describe_output(done.err)
            if _NO_SOLUTION in done.err.decode("utf-8", "replace"):
                return Conflict(text)
            raise ResolverError(f"uv gave no lock: {text}", "Run uv lock --no-build, and correct what it names.")
        content = self.read_lock()
        if content is None:
            raise ResolverError("uv wrote no lock that can be read", "Run uv lock, and commit its result.")
        try:
            self.content = restore_lock(self._original, content)
            self.result = parse_uv_lock(self._lock.path, self.content, {})
        except OtherRevisionError:
            raise
        except LockFormatError as error:
            raise ResolverError(f"uv wrote a lock that is refused: {error}", "Run uv lock yourself.") from None
        return _read_solution(self._lock, self.result)

    def read_lock(self) -> bytes | None:
        """Lock as it stands in the folder; None if it is no plain file."""
        return self._folder.read_file(self._lock.path)

    def write_project(self, lock: bytes | None) -> None:
        """Write manifests and lock."""
        hosts = {each for hosts in self._offers.hosts.values() for each in hosts if each}
        manifests = {
            path: reduce_pyproject(content, hosts)
            for path, content in self._files.items()
            if path.rpartition("/")[2] == "pyproject.toml"
        }
        self._folder.write_files(manifests if lock is None else {**manifests, self._lock.path: state_versions(lock)})

    def _list_upgrades(self, caps: Mapping[LockedEntry, str], released: frozenset[LockedEntry]) -> list[str]:
        """Packages that have to move. One that the lock has several times moves in each fork, by its marker."""
        found = []
        for entry in sorted(released):
            forks = self._offers.locked[entry.name]
            if len(forks) == 1:
                found.append(f"--upgrade-package={entry.name}")
                continue
            cap = f",<={caps[entry]}" if entry in caps else ""
            for each in forks[entry.version]:
                marker = _join_markers(each)
                found.append(f"--upgrade-package={entry.name}>{entry.version}{cap}{marker}")
        return found

    def run_uv(self, options: Sequence[str]) -> ProcessResult:
        """Run uv lock with further options. Raises ResolverError if it cannot be confined, or takes too long."""
        cache = f"--cache-dir={self._folder.folder_path}/cache"
        try:
            return self._folder.run_tool(
                ("lock", *_FLAGS, cache, ("--python", str(self._python.location)), *options),
                _PLAIN_ENVIRONMENT,
                self._folder_name,
            )
        except ProgramError as error:
            raise ResolverError(error.message, error.remedy) from None


def _join_markers(dependency: Dependency) -> str:
    if not dependency.markers:
        return ""
    marker = " or ".join(f"({each})" for each in dependency.markers)
    if not _MARKER.fullmatch(marker):
        raise ResolverError("a marker of the lock is of another form", "Run uv lock, and commit its result.")
    return f" ; {marker}"


def _read_solution(before: Lock, after: Lock) -> dict[LockedEntry, str]:
    """New version of each entry: by its fork, else the highest. An entry whose package vanished keeps its own."""
    found: dict[str, list[Dependency]] = {}
    for each in after.dependencies:
        found.setdefault(each.name, []).append(each)
    counts: dict[str, int] = {}
    for each in before.dependencies:
        counts[each.name] = counts.get(each.name, 0) + 1
    solution = {}
    for each in before.dependencies:
        new = found.get(each.name, [])
        same = [other for other in new if counts[each.name] > 1 and set(other.markers) & set(each.markers)]
        versions = {other.version for other in same or new}
        solution[LockedEntry(each.name, each.version)] = (
            each.version if each.version in versions or not versions else find_highest(Ecosystem.PYPI, versions)
        )
    return solution
