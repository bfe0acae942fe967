"""Figures of the overview, for the products that an actor may see, from states that are stored when they change."""

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from typing import Any

from django.db.models import Case, Count, QuerySet, When
from django.utils import timezone
from msgspec import Struct

from muniment.access.actions import Action
from muniment.access.authorization import Actor, list_permitted_products
from muniment.policy.model import Policy, Section
from muniment.server.changes.models import Change
from muniment.server.incidents.models import Incident
from muniment.server.policies.policy_in_force import current_policy
from muniment.server.policies.state_counts import (
    Excepted,
    ProductScope,
    StateCounts,
    count_by_clause,
    count_by_product_and_section,
    count_by_section,
    count_fully_passing,
    find_excepted_checks,
    find_least_passing,
    find_scope,
    list_evaluated_clauses,
    sum_counts,
)
from muniment.server.policies.state_snapshots import TrendPoint, find_change_in_points, read_trend
from muniment.server.products.models import Product
from muniment.server.remembered_sql import remember_sql

ATTENTION = 10  # products that the overview lists


class SectionFigures(Struct, frozen=True):
    """Checks of one section of the policy, over all products of the overview."""

    section: Section
    clause_count: int
    counts: StateCounts


class ProductFigures(Struct, frozen=True):
    """Checks of one product: all, and by the sections in the order of the policy."""

    slug: str
    name: str
    counts: StateCounts
    sections: tuple[tuple[Section, StateCounts], ...]


class WorkFigures(Struct, frozen=True):
    """Open changes and incidents that the actor may see, and how many of them are blocked or due today."""

    open_changes: int
    blocked_changes: int
    open_incidents: int
    incidents_due: int


class OverviewFigures(Struct, frozen=True):
    """All figures of the overview. `counts` sums the checks of all products; `attention` has the worst products."""

    product_count: int
    clause_count: int  # that this version evaluates
    counts: StateCounts
    failing_clauses: int
    fully_passing: int
    sections: tuple[SectionFigures, ...]
    attention: tuple[ProductFigures, ...]
    trend: tuple[TrendPoint, ...]
    work: WorkFigures

    @property
    def passing_share(self) -> int:
        """Percentage of the checks that pass, rounded down: 100 says that all do."""
        return 100 * self.counts.passing // self.counts.total if self.counts.total else 0

    @property
    def change_in_points(self) -> int | None:
        """By how many points the share changed since the last point of the trend; None without one."""
        return find_change_in_points(self.trend)

    @property
    def worst_section(self) -> SectionFigures | None:
        """Section with most failing checks; None where nothing fails."""
        worst = max(self.sections, key=lambda one: one.counts.failing, default=None)
        return worst if worst is not None and worst.counts.failing else None


def read_overview_figures(actor: Actor, today: date | None = None) -> OverviewFigures:
    """Read the figures for the products that an actor may see."""
    policy, scope = current_policy(), find_scope(actor)
    excepted = find_excepted_checks(scope)
    by_clause = count_by_clause(policy, scope, excepted)
    counts = sum_counts(by_clause.values())
    by_section = count_by_section(policy, by_clause)
    return OverviewFigures(
        product_count=scope.size,
        clause_count=len(list_evaluated_clauses(policy)),
        counts=counts,
        failing_clauses=sum(one.failing > 0 for one in by_clause.values()),
        fully_passing=count_fully_passing(policy, scope),
        sections=_list_sections(policy, by_section),
        attention=_list_worst_products(policy, scope, excepted),
        trend=tuple(read_trend(scope, counts, today or timezone.now().date())),
        work=_count_work(actor, scope),
    )


def _list_sections(policy: Policy | None, by_section: dict[str, StateCounts]) -> tuple[SectionFigures, ...]:
    if policy is None:
        return ()
    return tuple(
        SectionFigures(section, sum(clause.section == section.id for clause in policy.clauses), by_section[section.id])
        for section in policy.sections
    )


def _list_worst_products(
    policy: Policy | None, scope: ProductScope, excepted: Iterable[Excepted]
) -> tuple[ProductFigures, ...]:
    if policy is None:
        return ()
    listed = find_least_passing(policy, scope, excepted, ATTENTION)
    rows = {number: (slug, name) for number, slug, name in _read_names(tuple(listed))}
    counted = count_by_product_and_section(policy, listed, excepted, scope.version)
    return tuple(
        ProductFigures(
            *rows[product],
            sum_counts(counted[product].values()),
            tuple((section, counted[product][section.id]) for section in policy.sections),
        )
        for product in listed
    )


@remember_sql
def _read_names(products: tuple[int, ...]) -> "QuerySet[Any, tuple[int, str, str]]":
    return Product.objects.filter(pk__in=products).values_list("pk", "slug", "name")


def _count_work(actor: Actor, scope: ProductScope) -> WorkFigures:
    changes = dict(_count_open_changes(*scope.query_arguments))
    tomorrow = timezone.now().replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    incidents = dict(_count_open_incidents(list_permitted_products(actor, Action.SEE_INCIDENTS), tomorrow))
    opened = sum(changes.values())
    return WorkFigures(opened, opened - changes.get(True, 0), sum(incidents.values()), incidents.get(True, 0))


@remember_sql
def _count_open_changes(
    ids: tuple[int, ...] | None, retired: tuple[int, ...]
) -> "QuerySet[Any, tuple[bool | None, int]]":
    """Number of open changes by their decision, None for those without one."""
    opened = Change.objects.filter(state=Change.State.OPEN)
    rows = ProductScope.from_query_arguments(ids, retired).filter_rows(opened, "repository__product")
    return rows.values_list("decision__allowed").annotate(count=Count("*"))


@remember_sql
def _count_open_incidents(products: frozenset[str] | None, tomorrow: datetime) -> "QuerySet[Any, tuple[bool, int]]":
    """Number of open incidents by whether they are due before tomorrow."""
    rows = Incident.objects.filter(closed_at=None)
    if products is not None:
        rows = rows.filter(product__slug__in=products)
    due = Case(When(due_at__lt=tomorrow, then=True), default=False)
    return rows.annotate(is_due=due).values_list("is_due").annotate(count=Count("*"))
