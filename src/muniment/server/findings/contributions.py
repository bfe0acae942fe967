"""Contributions of the findings."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from django.db.models import Count, F, Q
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from muniment.access.actions import Action
from muniment.access.authorization import Actor, list_permitted_products
from muniment.server.acts.system_actors import SystemActor
from muniment.server.findings.act_fields import visible_findings
from muniment.server.findings.decision_acts import (
    AcceptFinding,
    AssignFinding,
    CallFalsePositive,
    ConfirmCorrection,
    EndDecision,
)
from muniment.server.findings.due_dates import find_open_findings, overdue_condition, read_due_days
from muniment.server.findings.early_stops import list_quarter_starts, read_quarter
from muniment.server.findings.entered_findings import EnterFinding
from muniment.server.findings.finding_facts import FindingSupplier, describe_finding_state
from muniment.server.findings.finding_lists import FindingFilter, build_text_condition, select_findings
from muniment.server.findings.models import (
    FindingDecision,
    FindingEvent,
    LeakedSecret,
    ProductFinding,
    ReceivedReport,
    ToolCoverage,
)
from muniment.server.findings.report_acts import DeclareCoverage, EndCoverage, SendReport, StoreReport
from muniment.server.findings.scan_acts import ScanProduct, StoreScan
from muniment.server.findings.secret_acts import ConfirmRevocation, NoteRotation, RetractRevocation
from muniment.server.findings.suppressions import find_rules_to_look_at
from muniment.server.guarding.mediation import current_actor
from muniment.server.products.models import Product
from muniment.server.registration import (
    AppContributions,
    GlossaryEntry,
    InboxKind,
    MenuEntry,
    MenuGroup,
    Metric,
    OverviewCard,
    PersonalData,
    ProductTab,
    SearchKind,
)

_SHOWN = 20
_ON_OVERVIEW = 5


def search_findings(actor: Actor, text: str) -> Iterable[ProductFinding]:
    """Findings with a text in their rule, path or requirement."""
    rows = visible_findings(actor).filter(build_text_condition(text)).select_related("product")
    return rows.order_by("-pk")


def find_assigned_findings(actor: Actor) -> Iterable[ProductFinding]:
    """Open findings that a person corrects, the first due on top."""
    days, _problem = read_due_days()
    rows = find_open_findings(ProductFinding.objects.filter(owner=actor.person), days)
    return rows.select_related("product").order_by(F("due_at"), "pk")[:_SHOWN]


def read_overdue_findings(request: HttpRequest) -> Mapping[str, Any] | None:
    """Overdue findings for the overview, the first due on top; None if there is none."""
    actor = current_actor(request)
    if list_permitted_products(actor, Action.SEE_FINDINGS) == frozenset():
        return None
    days, _problem = read_due_days()
    rows = select_findings(actor, FindingFilter(state="overdue"), days)
    found = list(rows[:_ON_OVERVIEW])
    return {"overdue": found, "count": rows.order_by().count()} if found else None


def count_open_findings(product: int) -> int:
    """Number of open findings of a product."""
    days, _problem = read_due_days()
    return find_open_findings(ProductFinding.objects.filter(product=product), days).count()


def measure_findings() -> Iterator[Metric]:
    """Open findings by severity, overdue ones, and secrets in code that are not revoked."""
    days, _problem = read_due_days()
    rows = find_open_findings(ProductFinding.objects.all(), days)
    by_severity = {each["severity"]: each["n"] for each in rows.order_by().values("severity").annotate(n=Count("pk"))}
    yield Metric("muniment_open_findings", "Open findings, by severity.", by_severity, "severity")
    late = rows.filter(overdue_condition()).count()
    yield Metric("muniment_overdue_findings", "Findings open past their due date.", late)
    leaked = LeakedSecret.objects.filter(revoked_at=None).count()
    yield Metric("muniment_leaked_secrets", "Secrets in code that are not revoked.", leaked)
    start = list_quarter_starts(timezone.localdate(), 1)[0]
    figures = [read_quarter(product, start) for product in Product.objects.filter(retired_at=None)]
    shares = {one.slug: one.early_share for one in figures if one.early_share is not None}
    text = "Percentage of this quarter's findings that were stopped on the change."
    yield Metric("muniment_findings_stopped_early_percent", text, shares, "product")


def read_findings(person: str) -> Iterable[Mapping[str, object]]:
    """Findings that are assigned to a person."""
    return list(ProductFinding.objects.filter(owner=person).values("product__slug", "rule", "path", "gone_at"))


def read_decisions(person: str) -> Iterable[Mapping[str, object]]:
    """Decisions about findings that a person requested, approved or answers for."""
    rows = FindingDecision.objects.filter(Q(requester=person) | Q(approver=person) | Q(owner=person))
    return list(rows.values("finding__rule", "kind", "reason", "decided_at", "ends_at"))


def read_leaked_secrets(person: str) -> Iterable[Mapping[str, object]]:
    """Secrets in code that a person rotated, revoked or confirmed to be revoked."""
    rows = LeakedSecret.objects.filter(Q(rotated_by=person) | Q(revoked_by=person) | Q(confirmed_by=person))
    return list(rows.values("product__slug", "path", "rotated_at", "revoked_at", "proof"))


def read_tool_coverages(person: str) -> Iterable[Mapping[str, object]]:
    """Declarations of what tools scan that a person requested or approved."""
    rows = ToolCoverage.objects.filter(Q(requester=person) | Q(approver=person))
    return list(rows.values("repository__name", "tool", "made_at"))


CONTRIBUTIONS = AppContributions(
    urls="muniment.server.findings.urls",
    api=("muniment.server.findings.api", "muniment.server.findings.report_api"),
    acts=(
        ScanProduct,
        EnterFinding,
        AssignFinding,
        CallFalsePositive,
        AcceptFinding,
        ConfirmCorrection,
        EndDecision,
        NoteRotation,
        ConfirmRevocation,
        RetractRevocation,
        SendReport,
        DeclareCoverage,
        EndCoverage,
    ),
    system_acts={SystemActor.CODE_SCAN: (StoreScan, StoreReport)},
    menu=(MenuEntry(MenuGroup.ASSURE, 40, "findings", _("Findings"), "bug", Action.SEE_FINDINGS),),
    search=(SearchKind(45, "findings/found.html", search_findings),),
    inbox=(
        InboxKind(12, "findings/inbox.html", find_assigned_findings, _("Findings to correct")),
        InboxKind(90, "findings/doubtful.html", find_rules_to_look_at, _("Rules that are often wrong")),
    ),
    overview=(OverviewCard(130, "findings/overview.html", read_overdue_findings),),
    product_tabs=(ProductTab(45, "product-findings", _("Findings"), Action.SEE_FINDINGS, count_open_findings),),
    metrics=(measure_findings,),
    glossary=(
        GlossaryEntry(75, _("finding"), _("A weakness that a scan, a report or a person found in a product.")),
        GlossaryEntry(
            76,
            _("baseline"),
            _("The findings that the first scan of a product finds. Their due dates count from that day."),
        ),
    ),
    personal_data=(
        PersonalData("findings", read_findings),
        PersonalData("finding_decisions", read_decisions),
        PersonalData("leaked_secrets", read_leaked_secrets),
        PersonalData(
            "sent_reports",
            lambda person: list(ReceivedReport.objects.filter(person=person).values("repository__name", "received_at")),
        ),
        PersonalData("tool_coverages", read_tool_coverages),
        PersonalData(
            "finding_events",
            lambda person: list(FindingEvent.objects.filter(person=person).values("kind", "happened_at")),
        ),
    ),
    fact_suppliers=(FindingSupplier(),),
    fact_states=(describe_finding_state,),
    demonstration="muniment.server.findings.demonstration",
)
