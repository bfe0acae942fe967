"""Releases that a change brings into its locks, each with its age by the registry and the vulnerabilities it fixes.

Only the service asks registries: a hook or a check does not wait for a network, and answers unknown.
"""

from collections.abc import Callable, Iterator

from muniment.facts.change import Revision
from muniment.facts.maybe import Known, Maybe, Unknown
from muniment.facts.update_facts import ChangeReleases, NewRelease
from muniment.git.repository import Repository
from muniment.updates.advisory_index import AdvisoryIndex, Vulnerability
from muniment.updates.dependencies import Dependency, SourceKind
from muniment.updates.release_ages import ReleaseAge
from muniment.updates.severities import AdvisorySeverity
from muniment.workflows.change_dependencies import (
    MOST_IN_FACT,
    AdvisorySet,
    AlteredLock,
    find_altered_locks,
    load_advisories,
)

AgeProvider = Callable[[str], Callable[[Dependency], ReleaseAge]]  # for the current moment, the ages of releases
_PROVIDERS: list[AgeProvider] = []
_NO_PROVIDER = "only the service asks registries for the age of releases"
_TOO_MANY = f"the change brings more than {MOST_IN_FACT} releases"


def register_age_provider(provider: AgeProvider) -> None:
    """Have the ages of releases of this process come from `provider`."""
    _PROVIDERS[:] = [provider]


def find_release_ages(repository: Repository, revision: Revision, now: str) -> Maybe[ChangeReleases]:
    """Find the releases that a revision brings. It never raises."""
    altered = find_altered_locks(repository, revision)
    if isinstance(altered, Unknown):
        return altered
    locks, unread = altered.value.locks, altered.value.unread
    new = [(each, one) for each in locks for one in _list_new(each)]
    if not new:
        return Known(ChangeReleases(len(locks), (), unread))
    if not _PROVIDERS:
        return Unknown(_NO_PROVIDER)
    advisories = load_advisories([each.lock for each in locks], now)
    find_age = _PROVIDERS[0](now)
    releases = [_describe_release(each, one, advisories, find_age(one)) for each, one in new[:MOST_IN_FACT]]
    if len(new) > MOST_IN_FACT:
        releases.append(_describe_release(*new[MOST_IN_FACT], advisories, ReleaseAge("", _TOO_MANY)))
    return Known(ChangeReleases(len(locks), tuple(releases), unread))


def _list_new(altered: AlteredLock) -> Iterator[Dependency]:
    """Packages of a lock in a version that it did not have, without those of the repository itself."""
    known = {(each.ecosystem, each.key) for lock in altered.earlier for each in lock.dependencies}
    packages = {(each.ecosystem, each.key): each for each in altered.lock.dependencies}
    for key, each in packages.items():
        if key not in known and each.source.kind is not SourceKind.LOCAL:
            yield each


def _describe_release(altered: AlteredLock, one: Dependency, advisories: AdvisorySet, age: ReleaseAge) -> NewRelease:
    fixed = _list_fixed(altered, one, advisories.index)
    severities = [each.rating.severity for each in fixed]
    return NewRelease(
        altered.lock.path,
        one.name,
        one.version,
        age.published,
        age.why,
        next((each.value for each in AdvisorySeverity if each in severities), ""),
        any(not advisories.exploited.isdisjoint(each.names) for each in fixed),
    )


def _list_fixed(altered: AlteredLock, one: Dependency, index: AdvisoryIndex) -> list[Vulnerability]:
    """Vulnerabilities that the versions before certainly have, and this one has not."""
    left = {match.vulnerability.id for match in index.match_version(one.ecosystem, one.name, one.version)}
    return [
        match.vulnerability
        for lock in altered.earlier
        for old in lock.dependencies
        if (old.ecosystem, old.name) == (one.ecosystem, one.name)
        for match in index.match_version(old.ecosystem, old.name, old.version)
        if match.certain and match.vulnerability.id not in left
    ]
