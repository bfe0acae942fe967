"""Supplies the fact about the open advisories of a product. Rows about advisories are compared with their records."""

from collections.abc import Collection, Iterator, Mapping

from muniment.facts import kinds
from muniment.facts.facts import Fact
from muniment.facts.maybe import Known
from muniment.facts.update_facts import AdvisoryData, LockReading, OpenAdvisory, ProductAdvisories, UnreadLock
from muniment.server import moments
from muniment.server.products.models import Product, Repository
from muniment.server.records import row_checks
from muniment.server.updates.advisory_data import load_index
from muniment.server.updates.lock_reading import find_running_commits
from muniment.server.updates.models import AdvisorySource, DependencyReading, LockEntry, ProductAdvisory
from muniment.server.updates.release_facts import load_exploited
from muniment.updates.dependencies import Ecosystem
from muniment.workflows.change_dependencies import AdvisorySet
from muniment.workflows.fact_suppliers import create_fact

_SOURCE = "record"
_TABLES = (Product, Repository, ProductAdvisory)


class AdvisorySupplier:
    """Supplier of the open advisories of a product (`workflows.fact_suppliers`)."""

    names = frozenset({kinds.PRODUCT_ADVISORIES.name})

    def supply_facts(self, product: str, names: Collection[str], now: str) -> Mapping[str, Fact]:
        """Supply the fact. Raises RowsDifferError if a row differs from the ledger."""
        found = row_checks.read_recorded(lambda: read_product_advisories(product), *_TABLES)
        return {name: create_fact(Known(found), _SOURCE, now) for name in names if name in self.names}


def describe_advisory_state() -> str:
    """Text that differs once the fact may: after a reading, a matching, or news from a source."""
    newest = DependencyReading.objects.order_by("-started_at").values_list("started_at", "finished_at").first()
    sources = list(AdvisorySource.objects.order_by("pk").values_list("pk", "as_of", "problem"))
    return f"{row_checks.format_versions(ProductAdvisory)} {newest} {sources}"


def read_product_advisories(product: str) -> ProductAdvisories:
    """Open advisories of a product, the readings of its repositories, and the age of the advisories they need."""
    rows = ProductAdvisory.objects.filter(product__slug=product, ended_at=None).order_by("pk")
    repositories = Repository.objects.filter(product__slug=product).select_related("dependency_reading").order_by("pk")
    readings = [(row, getattr(row, "dependency_reading", None)) for row in repositories]
    return ProductAdvisories(
        readings=(*(_describe_reading(row, reading) for row, reading in readings), *_list_unread_places(readings)),
        data=tuple(_describe_data(ecosystem) for ecosystem in list_product_ecosystems(product)),
        advisories=tuple(map(_describe_advisory, rows)),
    )


def list_product_ecosystems(product: str) -> list[str]:
    """Ecosystems of a product's locks that advisories are needed for."""
    rows = LockEntry.objects.filter(lock__repository__product__slug=product).exclude(ecosystem=Ecosystem.IMAGE.value)
    return sorted(rows.order_by().values_list("ecosystem", flat=True).distinct())


def _describe_reading(repository: Repository, reading: DependencyReading | None) -> LockReading:
    if reading is None:
        return LockReading(repository.name, "")
    return LockReading(
        repository=repository.name,
        read_at=moments.format_moment(reading.finished_at) if reading.finished_at is not None else "",
        problem=reading.problem,
        unread=tuple(UnreadLock(path, why) for path, why in sorted({(path, why) for _, path, why in reading.unread})),
    )


def _list_unread_places(readings: list[tuple[Repository, DependencyReading | None]]) -> Iterator[LockReading]:
    """List the environments that run a commit of no repository that was read: their dependencies are unknown."""
    known = {commit for _, reading in readings if reading is not None for _place, commit in reading.places}
    if not readings:
        return
    product = readings[0][0].product_id
    for name, commit in sorted(find_running_commits(product).items()):
        if commit not in known:
            unread = UnreadLock(name, f"it runs the commit {commit[:7]}, which no repository of the product has")
            yield LockReading(name, moments.current_moment(), unread=(unread,))


def provide_advisories(ecosystems: Collection[Ecosystem], now: str) -> AdvisorySet:
    """Provide the stored advisories for the evaluation of a change, with their age for each ecosystem."""
    data = tuple(_describe_data(each.value) for each in ecosystems)
    return AdvisorySet(load_index(), data, load_exploited())


def _describe_data(ecosystem: str) -> AdvisoryData:
    """Age of the newest source that has the ecosystem, with the problem of its last reading."""
    sources = [row for row in AdvisorySource.objects.order_by("-as_of", "pk") if ecosystem in row.ecosystems]
    if sources:
        return AdvisoryData(ecosystem, sources[0].as_of, sources[0].problem)
    problems = AdvisorySource.objects.exclude(problem="").filter(read_at=None).order_by("pk")
    return AdvisoryData(ecosystem, "", next((row.problem for row in problems), ""))


def _describe_advisory(row: ProductAdvisory) -> OpenAdvisory:
    return OpenAdvisory(
        number=row.pk,
        advisory=row.advisory,
        package=row.package,
        version=row.shown_versions,
        path=row.lock_path,
        severity=row.severity,
        clock_from=moments.format_moment(row.clock_from) if row.clock_from is not None else "",
        is_malware=row.is_malware,
        is_certain=row.is_certain,
        is_development=row.is_development,
    )
