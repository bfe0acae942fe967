"""Part of the demonstration about updates: lock files of products, advisories, and updates that were made.

The packages and advisories are invented. The parsers and the matching of the product read them.
"""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from functools import partial

from django.utils import timezone

from muniment.server import moments
from muniment.server.demonstration_story import PRODUCTS, Demonstration, DemonstrationEvent
from muniment.server.products.models import Repository
from muniment.server.updates.advisory_data import load_export, store_export
from muniment.server.updates.lock_reading import find_running_commits, store_reading
from muniment.server.updates.matching import match_products
from muniment.server.updates.models import ENVIRONMENT, AdvisorySource, DependencyReading
from muniment.updates.advisories import Advisory, AffectedPackage, VersionEvent, VersionEventKind
from muniment.updates.advisory_exports import AdvisoryExport, ExportEntry
from muniment.updates.dependencies import Dependency, Ecosystem, Lock, LockFormat, Relation, UnreadFile
from muniment.updates.repository_locks import RepositoryLocks

_TIP = "0be77ac4" * 5
_SOURCE = "https://osv.alderhealth.example/all.zip"
_PYPI, _NPM, _GO = Ecosystem.PYPI, Ecosystem.NPM, Ecosystem.GO
_FILES: Mapping[Ecosystem, tuple[str, LockFormat]] = {
    _PYPI: ("uv.lock", LockFormat.UV),
    _NPM: ("package-lock.json", LockFormat.NPM),
    _GO: ("go.mod", LockFormat.GO),
}
_Packages = tuple[tuple[Ecosystem, str, str, str], ...]  # name, version, and the package that needs it ("": direct)

_LOCKS: tuple[tuple[int, str, _Packages], ...] = (  # days ago, product, packages
    (170, "patient-portal", ((_PYPI, "alder-web", "5.2.7", ""), (_PYPI, "sealbox", "43.0.1", "alder-web"))),
    (170, "billing", ((_PYPI, "alder-web", "5.2.7", ""), (_PYPI, "ledgerlines", "2.1.0", ""))),
    (169, "claims-api", ((_PYPI, "loopserve", "3.12.1", ""), (_PYPI, "sealbox", "43.0.1", "loopserve"))),
    (169, "mobile-app", ((_NPM, "fetchkit", "6.21.1", "mobilekit"), (_NPM, "mobilekit", "0.76.2", ""))),
    (168, "admin-console", ((_NPM, "manytools", "4.17.22", "chartlib"), (_NPM, "chartlib", "2.9.4", ""))),
    (168, "lab-gateway", ((_GO, "alderhealth.example/hl7", "v1.4.0", ""),)),
    (120, "patient-portal", ((_PYPI, "alder-web", "5.2.7", ""), (_PYPI, "sealbox", "43.0.3", "alder-web"))),
    (118, "claims-api", ((_PYPI, "loopserve", "3.12.1", ""), (_PYPI, "sealbox", "43.0.3", "loopserve"))),
    (1, "billing", ((_PYPI, "alder-web", "5.2.9", ""), (_PYPI, "ledgerlines", "2.1.0", ""))),
)
_HARMLESS: _Packages = ((_PYPI, "ledgerlines", "2.1.0", ""),)
_ADVISORIES: tuple[tuple[int, str, str, Ecosystem, str, str, str], ...] = (  # days ago, id, alias, ..., fixed, severity
    (122, "ALD-2026-0007", "CVE-2026-90007", _PYPI, "sealbox", "43.0.3", "HIGH"),
    (15, "ALD-2026-0041", "CVE-2026-90041", _PYPI, "alder-web", "5.2.9", "HIGH"),
    (23, "ALD-2026-0039", "CVE-2026-90039", _NPM, "fetchkit", "6.23.0", "MODERATE"),
    (12, "ALD-2026-0044", "CVE-2026-90044", _GO, "alderhealth.example/hl7", "1.5.0", "HIGH"),
    (4, "ALD-2026-0046", "", _PYPI, "loopserve", "3.12.4", ""),
    (61, "ALD-2026-0021", "CVE-2026-90021", _NPM, "manytools", "4.17.23", "LOW"),
)


def list_events(company: Demonstration) -> Iterator[DemonstrationEvent]:
    """Events of half a year: readings of lock files and of advisories, in their order."""
    for days, product, packages in _LOCKS:
        run = partial(_read_locks, product, packages)
        yield DemonstrationEvent(company.find_moment(days, 5, 30), "worker", run)
    yield DemonstrationEvent(company.find_moment(168, 5, 40), "worker", _read_analytics)
    for days, *_advisory in _ADVISORIES:
        run = partial(_read_advisories, company, days)
        yield DemonstrationEvent(company.find_moment(days, 6), "worker", run)
    yield DemonstrationEvent(company.find_moment(0, 6), "worker", partial(_read_advisories, company, 0))
    yield DemonstrationEvent(company.find_moment(0, 23), "worker", _read_all_locks)


def _read_all_locks() -> None:
    """Read the lock files of every product once more, with what runs in its environments now."""
    newest = {product: packages for _days, product, packages in _LOCKS}
    for product in PRODUCTS:
        if product.slug == "analytics":
            _read_analytics()
        else:
            _read_locks(product.slug, newest.get(product.slug, _HARMLESS))


def _read_locks(product: str, packages: _Packages) -> None:
    locks = []
    for ecosystem in dict.fromkeys(one[0] for one in packages):
        path, form = _FILES[ecosystem]
        dependencies = tuple(_make_dependency(product, *one) for one in packages if one[0] is ecosystem)
        locks.append(Lock(path, form, dependencies))
    _store_locks(product, RepositoryLocks(tuple(locks), ()))


def _read_analytics() -> None:
    """Analytics has a manifest without a lock file: its dependencies are unknown."""
    _store_locks("analytics", RepositoryLocks((), (UnreadFile("pyproject.toml", "it has no lock"),)))


def _store_locks(product: str, found: RepositoryLocks) -> None:
    repository = Repository.objects.select_related("product").filter(product__slug=product).earliest("pk")
    reading, _ = DependencyReading.objects.get_or_create(repository=repository)
    reading.started_at = timezone.now()
    running = find_running_commits(repository.product_id)
    commits = {"refs/heads/main": _TIP, **{f"{ENVIRONMENT}{name}": commit for name, commit in running.items()}}
    store_reading(reading, commits, dict.fromkeys(commits, found))
    match_products([repository.pk])


def _make_dependency(product: str, ecosystem: Ecosystem, name: str, version: str, needed_by: str) -> Dependency:
    route = (product, needed_by, name) if needed_by else (product, name)
    relation = Relation.TRANSITIVE if needed_by else Relation.DIRECT
    return Dependency(ecosystem, name, version, relation, route)


def _read_advisories(company: Demonstration, days: int) -> None:
    """Read the advisories that were published until some days ago."""
    entries: Mapping[str, ExportEntry] = {
        f"{one[1]}.json": ExportEntry(0, 0, _make_advisory(company, *one)) for one in _ADVISORIES if one[0] >= days
    }
    as_of = moments.format_moment(timezone.now() - timedelta(minutes=11))
    source, _ = AdvisorySource.objects.get_or_create(location=_SOURCE)
    source.tried_at = timezone.now()
    store_export(source, load_export(source), AdvisoryExport(dict(entries), as_of))
    match_products()


def _make_advisory(
    company: Demonstration,
    days: int,
    name: str,
    alias: str,
    ecosystem: Ecosystem,
    package: str,
    fixed: str,
    severity: str,
) -> Advisory:
    published = moments.format_moment(company.find_moment(days, 4))
    events = (VersionEvent(VersionEventKind.INTRODUCED, "0"), VersionEvent(VersionEventKind.FIXED, fixed))
    affected = AffectedPackage(ecosystem, package, (events,))
    aliases = (alias,) if alias else ()
    summary = f"{package} before {fixed} lets a hostile request read data of others."
    return Advisory(name, aliases, published, published, "", summary, severity, (), (affected,))
