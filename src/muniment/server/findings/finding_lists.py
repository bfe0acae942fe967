"""Lists of findings: their filters, the figures above them, and each row as a page shows it."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from django.db.models import Count, F, Q
from django.db.models.query import QuerySet
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from muniment.access.actions import Action
from muniment.access.authorization import Actor
from muniment.scanners.rule_titles import find_rules_by_title
from muniment.server.acts.inputs import Label
from muniment.server.findings.act_fields import visible_secrets
from muniment.server.findings.due_dates import annotate_due_dates
from muniment.server.findings.models import DecisionKind, FindingSeverity, ProductFinding
from muniment.server.products.visible_products import within_reach


class FindingState(StrEnum):
    """State of a finding, by which a list is filtered."""

    OPEN = "open"
    OVERDUE = "overdue"
    BASELINE = "baseline"
    MONITORING = "monitoring"
    FALSE_POSITIVE = "false-positive"
    ACCEPTED = "accepted"
    CORRECTED = "corrected"


STATE_TEXTS: Mapping[FindingState, Label] = {
    FindingState.OPEN: _("Open"),
    FindingState.OVERDUE: _("Overdue"),
    FindingState.BASELINE: _("Baseline"),
    FindingState.MONITORING: _("New rule, monitored"),
    FindingState.FALSE_POSITIVE: _("False positive"),
    FindingState.ACCEPTED: _("Risk accepted"),
    FindingState.CORRECTED: _("Corrected"),
}


class FindingFilter(NamedTuple):
    """Filter of a list. Each is "" for all; `state` is one of FindingState."""

    text: str = ""
    product: str = ""
    severity: str = ""
    state: str = FindingState.OPEN


class FindingFigures(NamedTuple):
    """Figures of open findings, and of secrets in the code that are not revoked."""

    open: int
    serious: int
    not_given: int
    overdue: int
    baseline: int
    secrets: int


def select_findings(actor: Actor, chosen: FindingFilter, days: dict[str, int]) -> "QuerySet[ProductFinding]":
    """Findings that an actor may see and the filter chooses, the first due on top."""
    rows = annotate_due_dates(ProductFinding.objects.filter(within_reach(actor, Action.SEE_FINDINGS, "product")), days)
    rows = rows.filter(_build_state_condition(chosen.state))
    if chosen.product:
        rows = rows.filter(product__slug=chosen.product)
    if chosen.severity in FindingSeverity.values:
        rows = rows.filter(severity=chosen.severity)
    if chosen.text:
        rows = rows.filter(build_text_condition(chosen.text))
    return rows.select_related("product", "repository", "owner").order_by(F("due_at"), "pk")


def build_text_condition(text: str) -> Q:
    """Condition on a finding that has a text in its rule, path or requirement, or that CWE."""
    found = (
        Q(rule__in=find_rules_by_title(text))
        | Q(rule__icontains=text)
        | Q(path__icontains=text)
        | Q(requirement__icontains=text)
    )
    number = text.lower().removeprefix("cwe-")
    return found | Q(cwe=int(number)) if number.isascii() and number.isdigit() and len(number) < 5 else found


def _build_state_condition(state: str) -> Q:
    now = timezone.now()
    present = Q(gone_at=None)
    waiting = present & Q(is_decided=False)
    conditions = {
        FindingState.OPEN: waiting,
        FindingState.OVERDUE: waiting & Q(due_at__lt=now),
        FindingState.BASELINE: waiting & Q(is_baseline=True),
        FindingState.MONITORING: waiting & Q(clock_from__gt=now),
        FindingState.FALSE_POSITIVE: present & _decided_as(DecisionKind.FALSE_POSITIVE, now),
        FindingState.ACCEPTED: present & _decided_as(DecisionKind.ACCEPTED, now),
        FindingState.CORRECTED: Q(gone_at__isnull=False),
    }
    return conditions[FindingState(state)] if state in list(FindingState) else Q()


def _decided_as(kind: DecisionKind, now: datetime) -> Q:
    return Q(decisions__kind=kind, decisions__ended_at=None, decisions__ends_at__gt=now)


def count_findings(actor: Actor, days: dict[str, int], product: str = "") -> FindingFigures:
    """Figures of the findings that an actor may see, of one product or of all."""
    rows = select_findings(actor, FindingFilter(product=product), days).order_by()
    serious = Q(severity__in=(FindingSeverity.CRITICAL, FindingSeverity.HIGH))
    found = rows.aggregate(
        all=Count("pk"),
        serious=Count("pk", filter=serious),
        not_given=Count("pk", filter=Q(is_severity_given=False)),
        overdue=Count("pk", filter=Q(due_at__lt=timezone.now())),
        baseline=Count("pk", filter=Q(is_baseline=True)),
    )
    secrets = visible_secrets(actor).filter(revoked_at=None)
    if product:
        secrets = secrets.filter(product__slug=product)
    return FindingFigures(
        open=found["all"],
        serious=found["serious"],
        not_given=found["not_given"],
        overdue=found["overdue"],
        baseline=found["baseline"],
        secrets=secrets.count(),
    )


def find_state(finding: ProductFinding, due_at: datetime, decision: str) -> FindingState:
    """State of one finding. `decision` is the kind of the decision in force, "" for none."""
    if finding.gone_at is not None:
        return FindingState.CORRECTED
    if decision:
        return FindingState(decision)
    now = timezone.now()
    if finding.clock_from > now:
        return FindingState.MONITORING
    if due_at < now:
        return FindingState.OVERDUE
    return FindingState.BASELINE if finding.is_baseline else FindingState.OPEN
