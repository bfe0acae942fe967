"""Pages of one product: its state against the policy with what to fix first, and its settings."""

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import Any, NamedTuple

from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET

from muniment.access.actions import Action
from muniment.policy.model import Clause, Policy
from muniment.server.changes.models import Change
from muniment.server.changes.product_changes import find_open_changes
from muniment.server.changes.repository_acts import select_never_read
from muniment.server.components.fragments import render_fragment
from muniment.server.guarding.mediation import is_action_allowed, require_action
from muniment.server.incidents.models import Incident, find_open_incidents
from muniment.server.policies.models import Freeze, MonitoringPeriod, PolicyException
from muniment.server.policies.monitoring_periods import ClauseMonitoring, find_monitoring
from muniment.server.policies.policy_in_force import current_policy
from muniment.server.policies.state_counts import (
    ProductScope,
    StateCounts,
    count_states,
    find_excepted_checks,
    is_evaluated,
    sum_counts,
)
from muniment.server.products.models import SIGNALS, ClauseResult, ClauseState, Environment, Product, Repository
from muniment.server.products.views import could_with_second_factor, find_product_resource, is_being_read
from muniment.server.remembered_sql import remember_instances, remember_sql

_MOST_FIXES, _MOST_OPEN, _MOST_EXCEPTIONS = 8, 6, 20
_CODES = {
    ClauseResult.MET: "passing",
    ClauseResult.EXCEPTED: "exception",
    ClauseResult.NOT_EVALUATED: "not_evaluated",
    ClauseResult.UNKNOWN: "unknown",
    ClauseResult.VIOLATED: "failing",
}
_SIGNALS = {
    "deployed": gettext_lazy("Is deployed"),
    "has_users": gettext_lazy("Has users"),
    "holds_personal_data": gettext_lazy("Holds personal data"),
    "supported": gettext_lazy("Is supported"),
}


class ClauseLine(NamedTuple):
    """Clause with its state for a product. `status` is a code of the components."""

    clause: Clause
    state: ClauseResult
    since: datetime | None
    reason: str
    monitoring: tuple[ClauseMonitoring, ...] = ()

    @property
    def status(self) -> str:
        """Code of the state for the components."""
        return _CODES[self.state]


class SectionLines(NamedTuple):
    """Section of the policy with the clauses that this version evaluates, the worst first."""

    name: str
    counts: StateCounts
    lines: tuple[ClauseLine, ...]


class Fix(NamedTuple):
    """Thing to fix: what, why, where it is done, by when. `tone` is a class of the stylesheet."""

    text: str
    reason: str
    address: str
    due_at: datetime | None = None
    tone: str = "failing"

    @property
    def is_overdue(self) -> bool:
        """Whether it should be done by now."""
        return self.due_at is not None and self.due_at < timezone.now()


@require_GET
@require_action(Action.SEE_PRODUCT, find_product_resource)
def show_product(request: HttpRequest, slug: str) -> HttpResponse:
    """Show a product: what to fix first, its clauses by section, what is open, and facts about it."""
    found = _find_product(slug)
    policy, now = current_policy(), timezone.now()
    lines = read_clause_lines(found, policy)
    names = {line.clause.id: line.clause.name for line in lines}
    repositories = _read_repositories(found.pk)
    incidents = _read_incidents(found.pk)
    fixes = list_fixes(incidents, repositories, lines)
    open_ = _read_open_changes(found.pk)
    sections = group_by_section(policy, lines)
    context: dict[str, object] = {
        "product": found,
        "counts": sum_counts(section.counts for section in sections),
        "sections": sections,
        "checks": render_fragment("products/checks.html", _make_checks(sections)),
        "not_evaluated": [line for line in lines if line.state is ClauseResult.NOT_EVALUATED],
        "fixes": fixes[:_MOST_FIXES],
        "more_fixes": max(len(fixes) - _MOST_FIXES, 0),
        "repositories": repositories,
        "being_read": is_being_read(repositories),
        "open": open_[:_MOST_OPEN],
        "more_open": len(open_) > _MOST_OPEN,
        "exceptions": [(names.get(one.clause, one.clause), one) for one in _read_exceptions(found.pk, now)],
        "monitored": [(names.get(one.clause, one.clause), one) for one in _read_monitored(found.pk, now.date())],
        "freezes": _read_freezes(found.pk, now),
        "environments": _read_environments(found.pk),
        "signals": _list_signals(found),
        "may_monitor": could_with_second_factor(request, Action.START_MONITORING, slug),
        "may_end": could_with_second_factor(request, Action.END_EXCEPTION, slug),
        "may_see_deployments": could_with_second_factor(request, Action.SEE_DEPLOYMENTS, slug),
        "may_see_exceptions": is_action_allowed(request, Action.SEE_EXCEPTIONS),
    }
    return render(request, "products/product.html", context)


class _CheckRow(NamedTuple):
    """Clause as the card of the checks shows it. `days` are those that each monitoring lasted so far."""

    id: str
    name: str
    status: str
    reason: str
    since: datetime | None
    monitoring: tuple[ClauseMonitoring, ...]
    days: tuple[int, ...]


class _CheckSection(NamedTuple):
    name: str
    counts: StateCounts
    lines: tuple[_CheckRow, ...]


class _Checks(NamedTuple):
    sections: tuple[_CheckSection, ...]


def _make_checks(sections: Iterable[SectionLines]) -> _Checks:
    """Values that the card of the checks shows: it is rendered once for them."""
    return _Checks(
        tuple(_CheckSection(one.name, one.counts, tuple(map(_make_check_row, one.lines))) for one in sections)
    )


def _make_check_row(line: ClauseLine) -> _CheckRow:
    days = tuple(one.days for one in line.monitoring)
    clause = line.clause
    return _CheckRow(clause.id, clause.name, line.status, str(line.reason), line.since, line.monitoring, days)


@require_GET
@require_action(Action.SEE_PRODUCT, find_product_resource)
def show_product_settings(request: HttpRequest, slug: str) -> HttpResponse:
    """Show the repositories of a product and the facts about it, with the forms for who may change them."""
    found = get_object_or_404(Product, slug=slug)
    repositories = list(found.repositories.select_related("scan", "hook_log", "forge_link"))
    may_change = could_with_second_factor(request, Action.CHANGE_PRODUCT, slug)
    context: dict[str, object] = {
        "product": found,
        "repositories": repositories,
        "being_read": is_being_read(repositories),
        "signals": _list_signals(found),
        "may_change": may_change,
        "never_read": select_never_read(found.repositories.all()) if may_change else (),
        "may_retire": could_with_second_factor(request, Action.RETIRE_PRODUCT, slug),
    }
    return render(request, "products/settings.html", context)


def read_clause_lines(product: Product, policy: Policy | None) -> list[ClauseLine]:
    """Line for each clause of the policy, with the worst state of the product's repositories."""
    if policy is None:
        return []
    worst: dict[str, tuple[int, datetime, str]] = {}
    for clause_id, state, since, reason in _read_states(product.pk):
        known = worst.get(clause_id)
        if known is None or (-state, since) < (-known[0], known[1]):
            worst[clause_id] = (state, since, reason)
    excepted = {one.clause for one in find_excepted_checks(ProductScope((product.pk,), (), 1))}
    monitoring = find_monitoring(policy.clauses, [product])
    return [
        _make_line(clause, worst, excepted)._replace(monitoring=tuple(monitoring.get(clause.id, ())))
        for clause in policy.clauses
    ]


def _make_line(clause: Clause, worst: Mapping[str, tuple[int, datetime, str]], excepted: set[str]) -> ClauseLine:
    if not is_evaluated(clause):
        return ClauseLine(clause, ClauseResult.NOT_EVALUATED, None, "")
    if clause.id not in worst:
        return ClauseLine(clause, ClauseResult.UNKNOWN, None, _("Not evaluated yet."))
    state, since, reason = worst[clause.id]
    return ClauseLine(clause, ClauseResult.EXCEPTED if clause.id in excepted else ClauseResult(state), since, reason)


def group_by_section(policy: Policy | None, lines: Iterable[ClauseLine]) -> list[SectionLines]:
    """Sections of the policy with their evaluated clauses, the worst first; sections without any are left out."""
    grouped: dict[str, list[ClauseLine]] = {}
    for line in lines:
        if line.state is not ClauseResult.NOT_EVALUATED:
            grouped.setdefault(line.clause.section, []).append(line)
    found = []
    for section in policy.sections if policy is not None else ():
        own = sorted(grouped.get(section.id, ()), key=lambda line: -line.state)
        if own:
            counted: dict[int, int] = {}
            for line in own:
                counted[line.state] = counted.get(line.state, 0) + 1
            found.append(SectionLines(section.name, count_states(counted), tuple(own)))
    return found


def list_fixes(
    incidents: Iterable[Incident], repositories: Iterable[Repository], lines: Iterable[ClauseLine]
) -> list[Fix]:
    """Things to fix: incidents by due date, repositories that could not be read, failing clauses."""
    fixes = [Fix(one.summary, str(one.what.text), reverse("incident", args=[one.pk]), one.due_at) for one in incidents]
    for repository in repositories:
        problem = _find_problem(repository)
        if problem:
            text = _("%(repository)s could not be read") % {"repository": repository.name}
            fixes.append(Fix(text, problem, "", tone="unknown"))
    failing = (line for line in lines if line.state is ClauseResult.VIOLATED)
    return [*fixes, *(Fix(line.clause.name, line.reason, f"#clause-{line.clause.id}") for line in failing)]


def _find_problem(repository: Repository) -> str:
    """Why a repository could not be read, "" if it could."""
    parts = [
        getattr(repository, name).problem for name in ("scan", "forge_link", "hook_log") if hasattr(repository, name)
    ]
    return next(filter(None, parts), "")


def _list_signals(product: Product) -> list[tuple[str, bool | None]]:
    return [(str(_SIGNALS[name]), getattr(product, name)) for name in SIGNALS]


def _find_product(slug: str) -> Product:
    """Product with a handle. Raises Http404."""
    found = _read_products(slug)
    if not found:
        raise Http404
    return found[0]


@remember_instances
def _read_products(slug: str) -> "QuerySet[Product]":
    return Product.objects.filter(slug=slug)


@remember_sql
def _read_states(product: int) -> "QuerySet[Any, tuple[str, int, datetime, str]]":
    rows = ClauseState.objects.filter(repository__product=product)
    return rows.values_list("clause", "state", "changed_at", "reason")


@remember_instances
def _read_repositories(product: int) -> "QuerySet[Repository]":
    rows = Repository.objects.filter(product=product)
    return rows.select_related("scan", "hook_log", "forge_link__connection")


@remember_instances
def _read_incidents(product: int) -> "QuerySet[Incident]":
    return find_open_incidents().filter(product=product)[: _MOST_FIXES + 1]


@remember_instances
def _read_open_changes(product: int) -> "QuerySet[Change]":
    return find_open_changes(product)[: _MOST_OPEN + 1]


@remember_instances
def _read_exceptions(product: int, now: datetime) -> "QuerySet[PolicyException]":
    rows = PolicyException.find_in_force(now).filter(repository__product=product)
    return rows.select_related("repository__product", "requester", "approver")[:_MOST_EXCEPTIONS]


@remember_instances
def _read_monitored(product: int, today: date) -> "QuerySet[MonitoringPeriod]":
    rows = MonitoringPeriod.find_current_periods(today).filter(product=product)
    return rows.select_related("requester", "approver")


@remember_instances
def _read_freezes(product: int, now: datetime) -> "QuerySet[Freeze]":
    return Freeze.find_current_freezes(now).filter(Q(product=None) | Q(product=product))


@remember_instances
def _read_environments(product: int) -> "QuerySet[Environment]":
    return Environment.objects.filter(product=product, ended_at=None)
