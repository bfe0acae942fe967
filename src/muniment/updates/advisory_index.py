"""Advisories by package, aliases joined; and locked dependencies by package, to ask which products one affects."""

from collections.abc import Iterable, Iterator, Mapping

from msgspec import Struct

from muniment.updates.advisories import Advisory, Affected, AffectedPackage
from muniment.updates.dependencies import Dependency, Ecosystem, Lock
from muniment.updates.severities import SeverityRating, rate_severity


class Vulnerability(Struct, frozen=True, dict=True):
    """Group of advisories: all that name each other as aliases, withdrawn ones left out.

    `id` is that of the first advisory in order; `published` the earliest moment that one of them states, "" if none.
    """

    id: str
    names: tuple[str, ...]
    published: str
    is_malware: bool
    rating: SeverityRating
    summary: str


class AdvisoryMatch(Struct, frozen=True):
    """Vulnerability of a version. `certain` is false where no advisory says whether this version is affected."""

    vulnerability: Vulnerability
    certain: bool


class _Candidate(Struct, frozen=True):
    """Vulnerability, and all that its advisories say of one package."""

    vulnerability: Vulnerability
    packages: tuple[AffectedPackage, ...]


PackageKey = tuple[Ecosystem, str]


class AdvisoryIndex:
    """Index of advisories. Withdrawn ones match nothing; their aliases do."""

    def __init__(self, advisories: Iterable[Advisory]) -> None:
        self._candidates: dict[PackageKey, tuple[_Candidate, ...]] = {}
        self._vulnerabilities: dict[str, Vulnerability] = {}
        self._packages: dict[str, list[PackageKey]] = {}
        self._matches: dict[tuple[Ecosystem, str, str], tuple[AdvisoryMatch, ...]] = {}
        candidates: dict[PackageKey, list[_Candidate]] = {}
        for group in group_aliases(each for each in advisories if not each.withdrawn):
            vulnerability = _build_vulnerability(group)
            by_package: dict[PackageKey, list[AffectedPackage]] = {}
            for affected in (each for advisory in group for each in advisory.affected):
                by_package.setdefault((affected.ecosystem, affected.name), []).append(affected)
            for package, entries in by_package.items():
                candidates.setdefault(package, []).append(_Candidate(vulnerability, tuple(entries)))
            for name in vulnerability.names:
                self._vulnerabilities[name.upper()] = vulnerability
                self._packages.setdefault(name.upper(), []).extend(by_package)
        self._candidates = {package: tuple(entries) for package, entries in candidates.items()}

    def find_vulnerability(self, name: str) -> Vulnerability | None:
        """Vulnerability by one of its identifiers; None if no advisory that is not withdrawn has it."""
        return self._vulnerabilities.get(name.upper())

    def list_packages(self, name: str) -> tuple[PackageKey, ...]:
        """Packages that a vulnerability affects in some versions."""
        return tuple(self._packages.get(name.upper(), ()))

    def match_version(self, ecosystem: Ecosystem, name: str, version: str) -> tuple[AdvisoryMatch, ...]:
        """Vulnerabilities of a version, with those that may be ones."""
        key = (ecosystem, name, version)
        found = self._matches.get(key)
        if found is None:
            candidates = self._candidates.get((ecosystem, name), ())
            found = tuple(_match_candidates(candidates, version)) if candidates else ()
            self._matches[key] = found
        return found

    def list_fixed_versions(self, ecosystem: Ecosystem, name: str) -> tuple[str, ...]:
        """Versions of a package at which a vulnerable range ends, in no order."""
        candidates = self._candidates.get((ecosystem, name), ())
        found = (version for each in candidates for package in each.packages for version in package.fixed_versions)
        return tuple(dict.fromkeys(found))


def _match_candidates(candidates: Iterable[_Candidate], version: str) -> Iterator[AdvisoryMatch]:
    """Match candidates of all aliases: a version is safe only if all of them agree."""
    for each in candidates:
        results = {package.check_version(version) for package in each.packages}
        if Affected.YES in results:
            yield AdvisoryMatch(each.vulnerability, True)
        elif Affected.UNDETERMINED in results:
            yield AdvisoryMatch(each.vulnerability, False)


def _build_vulnerability(group: list[Advisory]) -> Vulnerability:
    ordered = sorted(group, key=lambda each: each.id)
    first = ordered[0]
    names = dict.fromkeys(name for each in ordered for name in (each.id, *each.aliases))
    return Vulnerability(
        first.id,
        tuple(names),
        min((each.published for each in ordered if each.published), default=""),
        any(each.is_malware for each in ordered),
        rate_severity(first, ordered),
        first.summary,
    )


def group_aliases(advisories: Iterable[Advisory]) -> list[list[Advisory]]:
    """Advisories by vulnerability: those that share an identifier, through any number of aliases."""
    found = list(advisories)
    parents: dict[str, str] = {}

    def find_root(name: str) -> str:
        root = name
        while parents.setdefault(root, root) != root:
            root = parents[root]
        while parents[name] != root:
            parents[name], name = root, parents[name]
        return root

    for each in found:
        for alias in each.aliases:
            parents[find_root(alias)] = find_root(each.id)
    groups: dict[str, list[Advisory]] = {}
    for each in found:
        groups.setdefault(find_root(each.id), []).append(each)
    return list(groups.values())


class LockedDependency(Struct, frozen=True):
    """Dependency of a lock of a product."""

    product: str
    lock: str
    dependency: Dependency


class DependencyIndex:
    """Locked dependencies of all products, by package."""

    def __init__(self, locks: Mapping[str, Iterable[Lock]]) -> None:
        """`locks`: those of each product, by its name."""
        self._by_package: dict[PackageKey, dict[str, list[LockedDependency]]] = {}
        for product, product_locks in locks.items():
            for lock in product_locks:
                for each in lock.dependencies:
                    versions = self._by_package.setdefault((each.ecosystem, each.name), {})
                    versions.setdefault(each.version, []).append(LockedDependency(product, lock.path, each))

    def find_matches(self, advisories: AdvisoryIndex) -> Iterator[tuple[LockedDependency, tuple[AdvisoryMatch, ...]]]:
        """Every dependency that has a vulnerability, or may have one. Each version is matched once."""
        for (ecosystem, name), versions in self._by_package.items():
            for version, users in versions.items():
                matches = advisories.match_version(ecosystem, name, version)
                if matches:
                    yield from ((user, matches) for user in users)

    def find_affected(self, advisories: AdvisoryIndex, name: str) -> tuple[tuple[LockedDependency, bool], ...]:
        """Dependencies that a vulnerability affects, each with whether that is certain."""
        vulnerability = advisories.find_vulnerability(name)
        return tuple(
            (user, match.certain)
            for ecosystem, package in dict.fromkeys(advisories.list_packages(name))
            for version, users in self._by_package.get((ecosystem, package), {}).items()
            for match in advisories.match_version(ecosystem, package, version)
            if match.vulnerability is vulnerability
            for user in users
        )

    def find_package(self, ecosystem: Ecosystem, name: str) -> tuple[LockedDependency, ...]:
        """Dependencies on a package, in all versions."""
        versions = self._by_package.get((ecosystem, name), {})
        return tuple(user for users in versions.values() for user in users)
