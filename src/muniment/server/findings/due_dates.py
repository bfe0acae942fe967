"""Due dates of findings, by the days that the policy in force gives each severity."""

from collections.abc import Iterable
from datetime import datetime, timedelta

import msgspec
from django.db.models import Case, DateTimeField, DurationField, Exists, ExpressionWrapper, F, OuterRef, Q, Value, When
from django.db.models.query import QuerySet
from django.utils import timezone

from muniment.controls.no_overdue_findings import CONTROL, Parameters
from muniment.errors import MunimentError
from muniment.policy.model import Clause
from muniment.server.findings.models import FindingDecision, FindingSeverity, ProductFinding
from muniment.server.policies.policy_in_force import current_clauses


def find_due_days(clauses: Iterable[Clause]) -> dict[str, int]:
    """Find the strictest number of days for each severity; that of the control where no clause has it."""
    own = [msgspec.convert(one.parameters, Parameters) for one in clauses if one.control == CONTROL.name]
    given = own or [Parameters()]
    return {level: min(one.find_days(level) for one in given) for level in FindingSeverity.values}


def read_due_days() -> tuple[dict[str, int], str]:
    """Read the days from the policy in force. Where it cannot be read, those of the control, with the reason."""
    try:
        return find_due_days(current_clauses()), ""
    except MunimentError as error:
        return find_due_days(()), error.message


def annotate_due_dates(rows: "QuerySet[ProductFinding]", days: dict[str, int]) -> "QuerySet[ProductFinding]":
    """Annotate findings with `due_at`, and with `is_decided`: whether a decision about each is in force."""
    cases = [When(severity=level, then=Value(timedelta(days=number))) for level, number in days.items()]
    high = Value(timedelta(days=days[FindingSeverity.HIGH]))
    duration = Case(*cases, default=high, output_field=DurationField())
    due = ExpressionWrapper(F("clock_from") + duration, output_field=DateTimeField())
    decided = Exists(FindingDecision.find_in_force().filter(finding=OuterRef("pk")))
    return rows.annotate(due_at=due, is_decided=decided)


def find_open_findings(rows: "QuerySet[ProductFinding]", days: dict[str, int]) -> "QuerySet[ProductFinding]":
    """Findings that are in the code, and that no decision excuses, with `due_at`."""
    return annotate_due_dates(rows.filter(gone_at=None), days).filter(Q(is_decided=False))


def find_due_date(finding: ProductFinding, days: dict[str, int]) -> datetime:
    """Due date of one finding."""
    number = days.get(finding.severity, days[FindingSeverity.HIGH])
    return finding.clock_from + timedelta(days=number)


def overdue_condition() -> Q:
    """Condition on annotated findings that are overdue."""
    return Q(due_at__lt=timezone.now())
