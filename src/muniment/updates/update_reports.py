"""Report on the dependencies of a repository: vulnerable ones, what each moves to, and what is unknown."""

from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum

from msgspec import Struct

from muniment.updates.advisory_exports import AdvisoryExport, is_stale
from muniment.updates.advisory_index import AdvisoryIndex, AdvisoryMatch
from muniment.updates.dependencies import Dependency, Ecosystem, Lock, LockFormat
from muniment.updates.due_dates import DEFAULT_DAYS
from muniment.updates.package_urls import write_package_url
from muniment.updates.repository_locks import RepositoryLocks
from muniment.updates.safe_versions import SafeVersion, find_safe_version
from muniment.updates.severities import AdvisorySeverity

DAYS_OF_DATA = 7  # until a policy says otherwise
_NOT_MATCHED = (Ecosystem.IMAGE,)  # an image is pinned or not; what it contains is not in a lock

_GAP_REMEDIES = {LockFormat.MAVEN: "Commit a CycloneDX SBOM next to it, as bom.json."}


class ReportResult(StrEnum):
    """Result of a report."""

    VULNERABLE = "vulnerable"
    UNKNOWN = "unknown"
    NO_KNOWN_VULNERABILITY = "no-known-vulnerability"


class VulnerableDependency(Struct, frozen=True):
    """Vulnerability of a dependency. `safe_version` is "" if none is known; `days` 0 for malware: at once."""

    lock: str
    package: str
    version: str
    relation: str
    path: tuple[str, ...]
    development: bool
    advisories: tuple[str, ...]
    summary: str
    severity: AdvisorySeverity
    severity_origin: str
    malware: bool
    published: str
    days: int
    safe_version: str


class UnknownPart(Struct, frozen=True):
    """File, ecosystem or source whose vulnerabilities are unknown, with the reason and the next step."""

    subject: str
    reason: str
    remedy: str


class UnpinnedReference(Struct, frozen=True):
    """Reference whose content may change: an image without digest, an action by tag."""

    lock: str
    package: str
    version: str


class UpdateReport(Struct, frozen=True):
    """Report on one commit."""

    result: ReportResult
    commit: str
    locks: int
    dependencies: int
    vulnerable: tuple[VulnerableDependency, ...]
    unknown: tuple[UnknownPart, ...]
    unpinned: tuple[UnpinnedReference, ...]


def list_ecosystems(locks: Iterable[Lock]) -> tuple[Ecosystem, ...]:
    """Ecosystems of which advisories are needed."""
    found = {each.ecosystem for lock in locks for each in lock.dependencies}
    return tuple(each for each in Ecosystem if each in found and each not in _NOT_MATCHED)


def build_update_report(
    commit: str, found: RepositoryLocks, exports: Mapping[str, AdvisoryExport], failures: Mapping[str, str], now: str
) -> UpdateReport:
    """Report on locks. `exports` and `failures` by the location of the advisories."""
    index = AdvisoryIndex(each for export in exports.values() for each in export.advisories)
    vulnerable: list[VulnerableDependency] = []
    unknown = [*_list_unread(found), *_list_data_problems(found, exports, failures, now)]
    for lock in found.locks:
        for dependency in lock.dependencies:
            for match in index.match_version(dependency.ecosystem, dependency.name, dependency.version):
                if match.certain:
                    vulnerable.append(_describe_match(index, lock, dependency, match))
                else:
                    unknown.append(_describe_uncertain(lock, dependency, match))
    vulnerable.sort(
        key=lambda each: (not each.malware, tuple(AdvisorySeverity).index(each.severity), each.lock, each.package)
    )
    unpinned = tuple(
        UnpinnedReference(lock.path, each.name, each.version)
        for lock in found.locks
        for each in lock.dependencies
        if not each.pinned
    )
    result = (
        ReportResult.VULNERABLE
        if vulnerable
        else ReportResult.UNKNOWN
        if unknown
        else ReportResult.NO_KNOWN_VULNERABILITY
    )
    count = sum(len(lock.dependencies) for lock in found.locks)
    return UpdateReport(result, commit, len(found.locks), count, tuple(vulnerable), tuple(unknown), unpinned)


def _list_unread(found: RepositoryLocks) -> Iterator[UnknownPart]:
    for each in found.unread:
        yield UnknownPart(each.path, each.reason, "Correct this file, or lock its dependencies.")
    for lock in found.locks:
        for gap in lock.gaps:
            yield UnknownPart(lock.path, gap, _GAP_REMEDIES.get(lock.format, "Correct this file so that it states it."))


def _list_data_problems(
    found: RepositoryLocks, exports: Mapping[str, AdvisoryExport], failures: Mapping[str, str], now: str
) -> Iterator[UnknownPart]:
    for location, reason in failures.items():
        yield UnknownPart(location, reason, "Name another source of advisories: --advisories FILE or URL.")
    for location, export in exports.items():
        if is_stale(export.as_of, now, DAYS_OF_DATA):
            age = f"its newest advisory is of {export.as_of[:10]}" if export.as_of else "its age is unknown"
            yield UnknownPart(location, f"{age}, and data count for {DAYS_OF_DATA} days", "Fetch it again.")
    covered = {each for export in exports.values() for each in export.ecosystems}
    for ecosystem in list_ecosystems(found.locks):
        if ecosystem not in covered:
            remedy = f"Add OSV's export of {ecosystem.value}: --advisories FILE or URL."
            yield UnknownPart(ecosystem.value, "no advisories for this ecosystem were read", remedy)


def _describe_match(
    index: AdvisoryIndex, lock: Lock, dependency: Dependency, match: AdvisoryMatch
) -> VulnerableDependency:
    safe = find_safe_version(index, dependency.ecosystem, dependency.name, dependency.version)
    vulnerability = match.vulnerability
    severity = vulnerability.rating.severity
    return VulnerableDependency(
        lock.path,
        write_package_url(dependency),
        dependency.version,
        dependency.relation.value,
        dependency.path,
        dependency.development,
        vulnerability.names,
        vulnerability.summary,
        severity,
        vulnerability.rating.origin.value,
        vulnerability.is_malware,
        vulnerability.published,
        0 if vulnerability.is_malware else DEFAULT_DAYS[severity],
        safe.version if isinstance(safe, SafeVersion) else "",
    )


def _describe_uncertain(lock: Lock, dependency: Dependency, match: AdvisoryMatch) -> UnknownPart:
    return UnknownPart(
        lock.path,
        f"{match.vulnerability.id} does not say whether it affects {dependency.name} {dependency.version}".strip(),
        "Read the advisory, and update the package if it does.",
    )
