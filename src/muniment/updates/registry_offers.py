"""Versions of a package that a resolver may choose: what a registry is made to offer.

A locked version is offered with the files that the lock has, so that nothing of it changes. A version with a known
vulnerability, a yanked one, one that is younger than the cool-down or of unknown age, and one below every locked
version of the package are not offered. A name that the lock takes from one registry is not looked up in another.
"""

from collections.abc import Collection, Mapping
from datetime import UTC, datetime

from msgspec import Struct

from muniment.facts import moments
from muniment.updates.advisory_index import AdvisoryIndex
from muniment.updates.dependencies import Dependency, Ecosystem, Lock
from muniment.updates.safe_versions import Release
from muniment.updates.severities import AdvisorySeverity
from muniment.updates.version_plans import LockedEntry
from muniment.updates.versions import VersionKey, find_highest, is_prerelease, parse_version

FIX_HOURS = 24  # floor for a version that fixes a vulnerability, unless that one is critical
DEFAULT_COOL_DOWN = 7  # days, for versions that move along with it


class CoolDown(Struct, frozen=True):
    """Least age of a release: `days` in general, `fix_hours` for one of a vulnerable package."""

    days: int = DEFAULT_COOL_DOWN
    fix_hours: int = FIX_HOURS


class VersionOffers:
    """Offers of all packages of one lock and ecosystem, at one moment.

    `restrict_versions` sets what an attempt may choose.
    """

    def __init__(
        self,
        ecosystem: Ecosystem,
        lock: Lock,
        index: AdvisoryIndex,
        now: str,
        cool_down: CoolDown,
        exploited: Collection[str] = frozenset(),
    ) -> None:
        """`exploited`: identifiers of vulnerabilities that are known to be exploited. Their fixes do not wait."""
        self.ecosystem = ecosystem
        self._index = index
        self._now = now
        self._cool_down = cool_down
        self._exploited = frozenset(exploited)
        self.locked: dict[str, dict[str, tuple[Dependency, ...]]] = {}
        self.hosts: dict[str, frozenset[str]] = {}
        for each in lock.dependencies:
            if each.ecosystem is ecosystem:
                versions = self.locked.setdefault(each.name, {})
                versions[each.version] = (*versions.get(each.version, ()), each)
                self.hosts[each.name] = self.hosts.get(each.name, frozenset()) | {each.source.host}
        self._caps: dict[str, str] = {}
        self._released: frozenset[LockedEntry] = frozenset()

    def is_vulnerable(self, name: str, version: str) -> bool:
        """Whether a vulnerability affects a version, or may affect it."""
        return bool(self._index.match_version(self.ecosystem, name, version))

    def list_candidates(self, name: str, releases: Collection[Release]) -> tuple[str, ...]:
        """Safe versions above the lowest locked one, in ascending order; for a new package all safe ones."""
        locked = self.locked.get(name, {})
        keys = [key for each in locked if (key := parse_version(self.ecosystem, each)) is not None]
        if len(keys) != len(locked):
            return ()  # a locked version without order: nothing is above it
        hours = self._find_least_age(name)
        found: list[tuple[VersionKey, str]] = []
        for each in releases:
            key = parse_version(self.ecosystem, each.version)
            if key is None or each.yanked or each.version in locked or (keys and key <= min(keys)):
                continue
            if is_prerelease(key) and not any(map(is_prerelease, keys)):
                continue
            if not each.published or moments.add_time(each.published, minutes=60 * hours) > self._now:
                continue
            if not self.is_vulnerable(name, each.version):
                found.append((key, each.version))
        found.sort(key=lambda pair: pair[0])
        return tuple(version for _, version in found)

    def keep_above(self, versions: Collection[str], version: str) -> tuple[str, ...]:
        """Select the versions above another one."""
        lowest = parse_version(self.ecosystem, version)
        if lowest is None:
            return ()
        keys = {each: parse_version(self.ecosystem, each) for each in versions}
        return tuple(each for each, key in keys.items() if key is not None and key > lowest)

    def restrict_entries(self, caps: Mapping[LockedEntry, str], released: Collection[LockedEntry]) -> None:
        """Set the caps of single entries: for a resolver that is given all other entries in their place.

        Other entries of a released package are not offered: the resolver could take them in place of a smaller version.
        """
        by_name: dict[str, list[str]] = {}
        for entry, cap in caps.items():
            by_name.setdefault(entry.name, []).append(cap)
        self._caps = {name: find_highest(self.ecosystem, found) for name, found in by_name.items()}
        names = {entry.name for entry in released}
        self._released = frozenset(LockedEntry(name, version) for name in names for version in self.locked[name])

    def restrict_versions(self, caps: Mapping[LockedEntry, str], released: Collection[LockedEntry]) -> None:
        """Set the caps and the entries that leave their version, for the next attempt.

        An entry that has no cap may move to any version, and so may the others of its package.
        """
        by_name: dict[str, str] = {}
        for name, versions in self.locked.items():
            found = [caps.get(LockedEntry(name, each)) for each in versions]
            known = [each for each in found if each is not None]
            if len(known) == len(found) and known:
                by_name[name] = find_highest(self.ecosystem, known)
        self._caps = by_name
        self._released = frozenset(released)

    def select_versions(self, name: str, releases: Collection[Release]) -> frozenset[str]:
        """Versions that are offered in this attempt."""
        offered = self.list_candidates(name, releases)
        highest = parse_version(self.ecosystem, self._caps[name]) if name in self._caps else None
        if highest is not None:
            offered = tuple(each for each in offered if parse_version(self.ecosystem, each) <= highest)
        staying = (each for each in self.locked.get(name, ()) if LockedEntry(name, each) not in self._released)
        return frozenset((*offered, *staying))

    def _find_least_age(self, name: str) -> int:
        """Least age of a new version in hours: a fix waits less, and a critical or exploited one not at all."""
        found = [
            match.vulnerability
            for version in self.locked.get(name, ())
            for match in self._index.match_version(self.ecosystem, name, version)
            if match.certain
        ]
        ratings = {each.rating.severity for each in found}
        if AdvisorySeverity.CRITICAL in ratings or any(not self._exploited.isdisjoint(each.names) for each in found):
            return 0
        return min(self._cool_down.days * 24, self._cool_down.fix_hours) if ratings else self._cool_down.days * 24


def read_registry_moment(text: object) -> str:
    """Moment as registries write it, in our form; "" for one that cannot be read."""
    if not isinstance(text, str):
        return ""
    try:
        found = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        return ""
    return moments.format_moment(found if found.tzinfo else found.replace(tzinfo=UTC))
