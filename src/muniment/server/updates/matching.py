"""Matches the locked packages of all products with all advisories, in process, and stores what changed as an act."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from itertools import groupby
from typing import NamedTuple

from django.db import transaction
from django.utils import timezone
from msgspec import structs

from muniment.facts import canonical
from muniment.server import moments
from muniment.server.acts.execution import execute_system_act
from muniment.server.acts.system_actors import SystemActor
from muniment.server.incidents.kinds import GONE, MALWARE_LOCKED
from muniment.server.incidents.lifecycle import close_incident, open_incident
from muniment.server.incidents.models import Incident
from muniment.server.records import row_checks
from muniment.server.updates.advisory_data import clean_advisory_text, find_first_sight, load_index
from muniment.server.updates.due_days import read_update_days
from muniment.server.updates.matching_acts import StoreMatching, make_details
from muniment.server.updates.matching_plan import (
    FoundAdvisory,
    KnownAdvisory,
    MatchingClock,
    MatchingPlan,
    encode_plan,
    plan_matching,
)
from muniment.server.updates.models import AdvisorySource, DependencyReading, LockEntry, ProductAdvisory
from muniment.updates.advisory_index import AdvisoryIndex, AdvisoryMatch
from muniment.updates.dependencies import Ecosystem
from muniment.updates.safe_versions import SafeVersion, find_safe_version

_COLUMNS = (
    *("lock__repository", "lock__path", "ecosystem", "name", "version", "lock__place"),
    *("route", "is_development", "introduced_at"),
)
_AT_ONCE = 5_000


class PackageUser(NamedTuple):
    """Locked package of one place of a lock: the values of `_COLUMNS`."""

    repository: int
    lock_path: str
    ecosystem: str
    name: str
    version: str
    place: str
    route: list[str]
    is_development: bool
    introduced_at: datetime


def match_products(repositories: Iterable[int] | None = None) -> None:
    """Match the locks of some repositories, or of all. One that fails does not stop the others."""
    if not AdvisorySource.objects.exclude(read_at=None).exists():
        return  # without advisories nothing is known: no row begins or ends
    index = load_index()
    readings = DependencyReading.objects.exclude(first_read_at=None).select_related("repository__product")
    if repositories is not None:
        readings = readings.filter(repository__in=list(repositories))
    rows = list(readings)
    found = find_advisories(index, [row.repository_id for row in rows])
    for reading in rows:
        store_matching(reading, found.get(reading.repository_id, []))


def find_advisories(index: AdvisoryIndex, repositories: list[int]) -> dict[int, list[FoundAdvisory]]:
    """Find what affects the locks of repositories. Each version is matched once."""
    packages = LockEntry.objects.filter(lock__repository__in=repositories)
    versions = packages.values_list("ecosystem", "name", "version").distinct()
    affected = {key for key in versions.iterator(_AT_ONCE) if index.match_version(Ecosystem(key[0]), key[1], key[2])}
    users = packages.filter(name__in={name for _, name, _ in affected}).values_list(*_COLUMNS)
    rows = map(PackageUser._make, users.order_by(*_COLUMNS[:6]).iterator(_AT_ONCE))
    chosen = (row for row in rows if (row.ecosystem, row.name, row.version) in affected)
    found: dict[int, list[FoundAdvisory]] = {}
    for (repository, *_, ecosystem, name), group in groupby(chosen, key=lambda row: row[:4]):
        found.setdefault(repository, []).extend(_join_users(index, Ecosystem(ecosystem), name, list(group)))
    first_seen = find_first_sight({name for lines in found.values() for one in lines for name in one.names})
    now = moments.current_moment()
    return {number: [_add_first_sight(one, first_seen, now) for one in lines] for number, lines in found.items()}


def _add_first_sight(one: FoundAdvisory, first_seen: Mapping[str, str], now: str) -> FoundAdvisory:
    seen = [first_seen[name] for name in one.names if name in first_seen]
    return structs.replace(one, first_seen=min(seen, default=now))


def _join_users(
    index: AdvisoryIndex, ecosystem: Ecosystem, name: str, rows: list[PackageUser]
) -> Iterator[FoundAdvisory]:
    """Join the versions and places of one package of one lock, for each vulnerability."""
    matches: dict[str, tuple[AdvisoryMatch, list[PackageUser]]] = {}
    for row in rows:
        for match in index.match_version(ecosystem, name, row.version):
            known, users = matches.setdefault(match.vulnerability.id, (match, []))
            users.append(row)
            if match.certain and not known.certain:
                matches[match.vulnerability.id] = (match, users)
    for match, users in matches.values():
        yield _build_found(index, ecosystem, name, match, users)


def _build_found(
    index: AdvisoryIndex, ecosystem: Ecosystem, name: str, match: AdvisoryMatch, users: list[PackageUser]
) -> FoundAdvisory:
    vulnerability = match.vulnerability
    versions = tuple(sorted({row.version for row in users}))
    route = min((row.route for row in users), key=lambda names: (not names, len(names)))
    return FoundAdvisory(
        lock_path=users[0].lock_path,
        ecosystem=ecosystem.value,
        package=name,
        advisory=vulnerability.id[:200],
        names=vulnerability.names,
        summary=clean_advisory_text(vulnerability.summary)[:300],
        versions=versions,
        places=tuple(sorted({row.place for row in users})),
        route=tuple(route),
        severity=vulnerability.rating.severity.value,
        severity_origin=vulnerability.rating.origin.value,
        is_certain=match.certain,
        is_malware=vulnerability.is_malware,
        is_development=all(row.is_development for row in users),
        safe_version=_find_safe(index, ecosystem, name, versions),
        published=vulnerability.published,
        first_seen="",
        introduced=moments.format_moment(min(row.introduced_at for row in users)),
    )


def _find_safe(index: AdvisoryIndex, ecosystem: Ecosystem, name: str, versions: tuple[str, ...]) -> str:
    """Smallest safe version above each affected one, "" where one of them has none."""
    found = [find_safe_version(index, ecosystem, name, version) for version in versions]
    safe = dict.fromkeys(each.version for each in found if isinstance(each, SafeVersion))
    return ", ".join(safe)[:200] if all(isinstance(each, SafeVersion) for each in found) else ""


def store_matching(reading: DependencyReading, found: list[FoundAdvisory]) -> MatchingPlan:
    """Store what changed of one repository, in one act, and open or close the incidents of malware."""
    days, _problem = read_update_days()
    known = row_checks.read_recorded(lambda: list(_load_known(reading.repository_id)), ProductAdvisory)
    clock = MatchingClock(
        moments.current_moment(),
        moments.format_moment(reading.first_read_at or timezone.now()),
        moments.format_moment(reading.matched_at) if reading.matched_at is not None else "",
        days,
    )
    unread = frozenset((place, path) for place, path, _ in reading.unread)
    plan = plan_matching(found, known, clock, unread)
    with transaction.atomic():
        if plan.needs_record:
            reading.plan = encode_plan(plan)
            reading.save(update_fields=["plan"])
            values = {"reading": reading.pk, "digest": canonical.digest_bytes(reading.plan)}
            execute_system_act(SystemActor.DEPENDENCY_SCAN, StoreMatching, values)
        for one in plan.moved:
            ProductAdvisory.objects.filter(pk=one.number).update(**make_details(one.found))
        reading.matched_at, reading.plan = timezone.now(), b""
        reading.save(update_fields=["matched_at", "plan"])
        report_malware(reading.repository_id)
    return plan


def _load_known(repository: int) -> Iterator[KnownAdvisory]:
    for row in ProductAdvisory.objects.filter(repository=repository).order_by("pk"):
        yield KnownAdvisory(
            row.pk,
            row.lock_path,
            row.ecosystem,
            row.package,
            row.advisory,
            tuple(row.names),
            tuple(row.places),
            row.severity,
            row.is_certain,
            row.is_malware,
            row.is_development,
            moments.format_moment(row.clock_from) if row.clock_from is not None else "",
            row.ended_at is not None,
        )


def report_malware(repository: int) -> None:
    """Open the incident of each malicious package in a lock, and close those of packages that are gone."""
    rows = ProductAdvisory.objects.filter(repository=repository, is_malware=True).select_related("product")
    for row in rows.filter(ended_at=None):
        text = f"{row.lock_path} of {row.product.name} has malware: {row.package} {row.shown_versions}."
        open_incident(MALWARE_LOCKED, row.product, row.incident_subject, text, link=f"/updates/{row.pk}")
    ended = {row.incident_subject for row in rows.exclude(ended_at=None)}
    for incident in Incident.objects.filter(kind=MALWARE_LOCKED, closed_at=None, subject__in=ended):
        close_incident(incident, GONE, "No branch and no environment has the package any more.")
