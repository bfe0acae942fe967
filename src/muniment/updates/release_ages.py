"""Moments at which releases were published, by the registries that are public."""

from collections.abc import Mapping

from msgspec import Struct

from muniment.updates.advisory_index import AdvisoryIndex
from muniment.updates.dependencies import Dependency, Ecosystem, Lock, LockFormat, SourceKind
from muniment.updates.npm_registry import NPM_HOST, NpmRegistry
from muniment.updates.python_registry import PythonRegistry
from muniment.updates.registry_access import RegistrySource
from muniment.updates.registry_offers import CoolDown, VersionOffers
from muniment.updates.safe_versions import Release
from muniment.updates.versions import parse_version

_OTHER_SOURCE = "it does not come from a public registry"
_NOT_READ = "the age of packages of {} is not read"
_NOT_NAMED = "the registry does not answer, or does not have it"


class ReleaseAge(Struct, frozen=True):
    """Moment of the latest file of a release, "" if it is not known; then `why` says why."""

    published: str
    why: str = ""


class ReleaseAges:
    """Ages of releases, each package asked for once. A name of another registry is never asked for in a public one."""

    def __init__(self, source: RegistrySource, now: str) -> None:
        empty = AdvisoryIndex(())
        self._registries: Mapping[Ecosystem, PythonRegistry | NpmRegistry] = {
            Ecosystem.PYPI: PythonRegistry(
                source,
                VersionOffers(Ecosystem.PYPI, Lock("", LockFormat.UV, ()), empty, now, CoolDown()),
            ),
            Ecosystem.NPM: NpmRegistry(
                source,
                VersionOffers(Ecosystem.NPM, Lock("", LockFormat.NPM, ()), empty, now, CoolDown()),
                frozenset({NPM_HOST}),
            ),
        }

    def find_age(self, dependency: Dependency) -> ReleaseAge:
        """Age of the release that a lock pins."""
        registry = self._registries.get(dependency.ecosystem)
        if registry is None:
            return ReleaseAge("", _NOT_READ.format(dependency.ecosystem.value))
        if dependency.source.kind is not SourceKind.PUBLIC_REGISTRY:
            return ReleaseAge("", _OTHER_SOURCE)
        found = _find_release(registry.list_releases(dependency.name), dependency)
        if found is None or not found.published:
            return ReleaseAge("", _NOT_NAMED)
        return ReleaseAge(found.published)


def _find_release(releases: tuple[Release, ...], dependency: Dependency) -> Release | None:
    wanted = parse_version(dependency.ecosystem, dependency.version)
    return next(
        (
            each
            for each in releases
            if each.version == dependency.version
            or (wanted is not None and parse_version(dependency.ecosystem, each.version) == wanted)
        ),
        None,
    )
