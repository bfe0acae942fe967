"""The smallest version above the locked one that no known vulnerability affects."""

from collections.abc import Iterable
from enum import StrEnum

from msgspec import Struct

from muniment.updates.advisory_index import AdvisoryIndex
from muniment.updates.dependencies import Ecosystem
from muniment.updates.versions import VersionKey, is_prerelease, parse_version


class Release(Struct, frozen=True):
    """Version that a registry offers. `published`: moment of its latest file, "" if the registry states none."""

    version: str
    yanked: bool = False
    published: str = ""


class NoSafeVersion(StrEnum):
    """Reason why no version is proposed."""

    NOT_ORDERED = "not-ordered"  # the locked version is none of the ecosystem's form
    NONE_KNOWN = "none-known"  # every later version is affected, or no advisory names a fixed one


class SafeVersion(Struct, frozen=True):
    """Version to move to. `exists` is false where it is known from advisories alone, not from the registry."""

    version: str
    exists: bool


def find_safe_version(
    index: AdvisoryIndex,
    ecosystem: Ecosystem,
    name: str,
    current: str,
    releases: Iterable[Release] | None = None,
) -> SafeVersion | NoSafeVersion:
    """Smallest safe version that is not below `current`, joint over all vulnerabilities of the package.

    Candidates are the releases of the registry, else the fixed versions that advisories name. A version that may be
    affected is not safe. A yanked release is never proposed; a pre-release only if the current version is one too.
    A current version without vulnerabilities is its own answer.
    """
    key = parse_version(ecosystem, current)
    if key is None:
        return NoSafeVersion.NOT_ORDERED
    if not index.match_version(ecosystem, name, current):
        return SafeVersion(current, True)
    known = releases is not None
    versions = (
        [each.version for each in releases if not each.yanked]
        if releases is not None
        else index.list_fixed_versions(ecosystem, name)
    )
    for candidate, text in _order_candidates(ecosystem, versions):
        if candidate <= key or (is_prerelease(candidate) and not is_prerelease(key)):
            continue
        if not index.match_version(ecosystem, name, text):
            return SafeVersion(text, known)
    return NoSafeVersion.NONE_KNOWN


def _order_candidates(ecosystem: Ecosystem, versions: Iterable[str]) -> list[tuple[VersionKey, str]]:
    parsed = ((parse_version(ecosystem, text), text) for text in versions)
    return sorted(((key, text) for key, text in parsed if key is not None), key=lambda each: each[0])


def find_safe_versions(
    index: AdvisoryIndex, packages: Iterable[tuple[Ecosystem, str, str]]
) -> dict[tuple[Ecosystem, str, str], SafeVersion | NoSafeVersion]:
    """Answer for each package and version that has a vulnerability, from advisories alone."""
    return {
        package: find_safe_version(index, *package)
        for package in dict.fromkeys(packages)
        if index.match_version(*package)
    }
