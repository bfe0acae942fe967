"""Findings by where they were found: on the change, after the merge, in production; and the days until they are fixed.

Found in production is what a person entered (a penetration test, a customer) and what another tool found at an address
of the running software. The baseline of a product counts nowhere: nobody looked before.
"""

import datetime
from collections.abc import Iterable, Iterator
from statistics import median
from typing import NamedTuple

from django.db.models import Q
from django.utils import timezone

from muniment.access.actions import Action
from muniment.access.authorization import Actor, list_permitted_products
from muniment.controls import no_new_findings
from muniment.decision.report import DecisionReport
from muniment.errors import StoreError
from muniment.server.changes.models import Decision
from muniment.server.components.charts import LineChart, make_line_chart
from muniment.server.findings.models import CodeScan, FindingSource, ProductFinding, StoppedFinding
from muniment.server.policies.state_snapshots import begin_quarter, format_quarter
from muniment.server.products.models import Product
from muniment.server.records.record_details import read_all_details

QUARTERS = 4
_AT_ONCE = 200  # decisions of one repository in one run
_STOPPING = (no_new_findings.Reasons.NEW_FINDING.code, no_new_findings.Reasons.SECRET_IN_CODE.code)


class EarlyFigures(NamedTuple):
    """Figures of one product and quarter. `days` is the median from found to fixed, None if none was fixed."""

    product: str
    slug: str
    quarter: str
    stopped: int
    merged: int
    production: int
    days: int | None

    @property
    def found_count(self) -> int:
        """Number of all findings."""
        return self.stopped + self.merged + self.production

    @property
    def early_share(self) -> int | None:
        """Percentage that was stopped on the change; None without a finding."""
        return 100 * self.stopped // self.found_count if self.found_count else None


def count_stopped_findings() -> None:
    """Count the findings in decisions that were made since the last run, of each repository."""
    for scan in CodeScan.objects.select_related("repository").defer("plan", "unscanned"):
        rows = Decision.objects.filter(change__repository=scan.repository_id, pk__gt=scan.counted_decision)
        rows = rows.exclude(record=None, hook_record=None).order_by("pk")[:_AT_ONCE]  # supposed ones of the past
        decisions = list(rows)
        if not decisions:
            continue
        denied = [one for one in decisions if not one.allowed and one.explanation_digest]
        StoppedFinding.objects.bulk_create(_list_stopped(scan, denied), ignore_conflicts=True)
        CodeScan.objects.filter(pk=scan.pk).update(counted_decision=decisions[-1].pk)


def _list_stopped(scan: CodeScan, denied: list[Decision]) -> Iterator[StoppedFinding]:
    try:
        reports = read_all_details([one.explanation_digest for one in denied], DecisionReport)
    except StoreError:  # what is missing is no finding; the ledger's own check reports it
        return
    for one in denied:
        report = reports[one.explanation_digest]
        for rule, path in _list_places(report) if isinstance(report, DecisionReport) else ():
            yield StoppedFinding(
                product_id=scan.repository.product_id,
                change_id=one.change_id,
                rule=rule[:200],
                path=path[:1000],
                stopped_at=one.decided_at,
            )


def _list_places(report: DecisionReport) -> dict[tuple[str, str], None]:
    return {
        (str(reason.details["rule"]), str(reason.details["path"])): None
        for result in report.results
        if result.control == no_new_findings.CONTROL.name
        for reason in result.reasons
        if reason.code in _STOPPING
    }


def list_quarter_starts(today: datetime.date, count: int = QUARTERS) -> list[datetime.date]:
    """First days of quarters up to that of a day, the oldest first."""
    found = [begin_quarter(today)]
    while len(found) < count:
        found.append(begin_quarter(found[-1] - datetime.timedelta(days=1)))
    return found[::-1]


def read_early_figures(actor: Actor) -> list[EarlyFigures]:
    """Read the figures of each product that the actor may see, and quarter with a finding, the newest quarter first."""
    permitted = list_permitted_products(actor, Action.SEE_FINDINGS)
    products = Product.objects.filter(retired_at=None).order_by("name")
    if permitted is not None:
        products = products.filter(slug__in=permitted)
    starts = list_quarter_starts(timezone.localdate())[::-1]
    figures = [read_quarter(product, start) for start in starts for product in products]
    return [one for one in figures if one.found_count or one.days is not None]


def read_quarter(product: Product, start: datetime.date) -> EarlyFigures:
    """Read the figures of a product in the quarter that begins on a day."""
    span = (_begin_day(start), _begin_day(begin_quarter(start + datetime.timedelta(days=100))))
    rows = ProductFinding.objects.filter(product=product)
    found = rows.filter(first_found_at__gte=span[0], first_found_at__lt=span[1], is_baseline=False)
    live = Q(source=FindingSource.ENTERED) | Q(source=FindingSource.IMPORTED, path__contains="://")
    production = found.filter(live).count()
    fixed = rows.filter(gone_at__gte=span[0], gone_at__lt=span[1]).values_list("first_found_at", "gone_at")
    days = [(gone - first).days for first, gone in fixed if gone is not None]
    return EarlyFigures(
        product=product.name,
        slug=product.slug,
        quarter=format_quarter(start),
        stopped=product.stopped_findings.filter(stopped_at__gte=span[0], stopped_at__lt=span[1]).count(),
        merged=found.count() - production,
        production=production,
        days=round(median(days)) if days else None,
    )


def _begin_day(day: datetime.date) -> datetime.datetime:
    return timezone.make_aware(datetime.datetime.combine(day, datetime.time()))


def draw_early_share(figures: Iterable[EarlyFigures]) -> LineChart | None:
    """Draw the share stopped early over the quarters, of all products together. None with less than two quarters."""
    totals: dict[str, list[int]] = {}
    for one in figures:
        total = totals.setdefault(one.quarter, [0, 0])
        total[0] += one.stopped
        total[1] += one.found_count
    shares = [(quarter, 100 * early // found) for quarter, (early, found) in totals.items() if found]
    return make_line_chart(shares[::-1], unit="%", top=100) if len(shares) > 1 else None
