"""Findings, as programs see them."""

from typing import Any

from django.http import HttpRequest
from ninja import Query, Router

from muniment.access.actions import Action
from muniment.server.acts.schemas import build_body_schema
from muniment.server.api_operations import Cursor, for_action, page_by_number, run_act
from muniment.server.findings.act_fields import visible_findings, visible_secrets
from muniment.server.findings.decision_acts import (
    AcceptFinding,
    AssignFinding,
    CallFalsePositive,
    ConfirmCorrection,
    EndDecision,
)
from muniment.server.findings.due_dates import find_due_date, read_due_days
from muniment.server.findings.entered_findings import EnterFinding
from muniment.server.findings.models import FindingDecision, LeakedSecret, ProductFinding
from muniment.server.findings.scan_acts import ScanProduct
from muniment.server.findings.secret_acts import ConfirmRevocation, NoteRotation, RetractRevocation
from muniment.server.findings.views import find_decision_resource, find_finding_resource, find_secret_resource
from muniment.server.guarding.mediation import current_actor, find_no_resource
from muniment.server.products.views import find_product_resource

router = Router()

# types that are made at run time, from the fields of the acts
AssignFindingBody = build_body_schema(AssignFinding, fixed=("finding",))
FalsePositiveBody = build_body_schema(CallFalsePositive, fixed=("finding",))
AcceptFindingBody = build_body_schema(AcceptFinding, fixed=("finding",))
FindingCorrectionBody = build_body_schema(ConfirmCorrection, fixed=("finding",))
EnterFindingBody = build_body_schema(EnterFinding, fixed=("product",))
RevocationBody = build_body_schema(ConfirmRevocation, fixed=("leak",))


@router.get("/findings")
@for_action(Action.SEE_FINDINGS, find_no_resource)
def serve_findings(request: HttpRequest, cursor: Query[Cursor]) -> dict[str, Any]:
    """List the findings that the token may see, corrected ones too."""
    days, _problem = read_due_days()
    rows = visible_findings(current_actor(request)).select_related("product", "repository", "owner")
    return page_by_number(rows, cursor, lambda row: _serialize_finding(row, days))


@router.post("/products/{slug}/findings")
@for_action(Action.HANDLE_FINDING, find_product_resource)
def create_finding(request: HttpRequest, slug: str, body: EnterFindingBody) -> dict[str, Any]:  # type: ignore[valid-type]
    """Enter a finding by hand."""
    return run_act(request, EnterFinding, {"product": slug})


@router.post("/products/{slug}/findings/scan")
@for_action(Action.SCAN_CODE, find_product_resource)
def scan_now(request: HttpRequest, slug: str) -> dict[str, Any]:
    """Have a product scanned now."""
    return run_act(request, ScanProduct, {"product": slug})


@router.post("/findings/{number}/assign")
@for_action(Action.HANDLE_FINDING, find_finding_resource)
def assign_owner(request: HttpRequest, number: int, body: AssignFindingBody) -> dict[str, Any]:  # type: ignore[valid-type]
    """Name who corrects a finding."""
    return run_act(request, AssignFinding, {"finding": number})


@router.post("/findings/{number}/false-positive")
@for_action(Action.DECIDE_FINDING, find_finding_resource)
def call_false_positive(request: HttpRequest, number: int, body: FalsePositiveBody) -> dict[str, Any]:  # type: ignore[valid-type]
    """Request that a finding counts as a false positive for a year."""
    return run_act(request, CallFalsePositive, {"finding": number})


@router.post("/findings/{number}/accept")
@for_action(Action.DECIDE_FINDING, find_finding_resource)
def accept_risk(request: HttpRequest, number: int, body: AcceptFindingBody) -> dict[str, Any]:  # type: ignore[valid-type]
    """Request that the risk of a finding is accepted until a day."""
    return run_act(request, AcceptFinding, {"finding": number})


@router.post("/findings/{number}/corrected")
@for_action(Action.DECIDE_FINDING, find_finding_resource)
def confirm_correction(request: HttpRequest, number: int, body: FindingCorrectionBody) -> dict[str, Any]:  # type: ignore[valid-type]
    """Request that a finding of no scan counts as corrected."""
    return run_act(request, ConfirmCorrection, {"finding": number})


@router.post("/findings/decisions/{number}/end")
@for_action(Action.HANDLE_FINDING, find_decision_resource)
def end_finding_decision(request: HttpRequest, number: int) -> dict[str, Any]:
    """End a decision: its finding is open again."""
    return run_act(request, EndDecision, {"decision": number})


@router.get("/leaked-secrets")
@for_action(Action.SEE_FINDINGS, find_no_resource)
def list_leaked_secrets(request: HttpRequest, cursor: Query[Cursor]) -> dict[str, Any]:
    """List the secrets that were found in code. No value is stored."""
    rows = visible_secrets(current_actor(request)).select_related("product", "repository")
    return page_by_number(rows, cursor, _serialize_secret)


@router.post("/leaked-secrets/{number}/rotated")
@for_action(Action.HANDLE_FINDING, find_secret_resource)
def note_rotation(request: HttpRequest, number: int) -> dict[str, Any]:
    """State that a secret was rotated."""
    return run_act(request, NoteRotation, {"leak": number})


@router.post("/leaked-secrets/{number}/revoked")
@for_action(Action.CONFIRM_REVOCATION, find_secret_resource)
def request_revocation(request: HttpRequest, number: int, body: RevocationBody) -> dict[str, Any]:  # type: ignore[valid-type]
    """State that a secret is revoked; a second person confirms it."""
    return run_act(request, ConfirmRevocation, {"leak": number})


@router.post("/leaked-secrets/{number}/retract")
@for_action(Action.HANDLE_FINDING, find_secret_resource)
def retract_revocation(request: HttpRequest, number: int) -> dict[str, Any]:
    """State that a secret still works: its incident is opened again."""
    return run_act(request, RetractRevocation, {"leak": number})


def _serialize_finding(row: ProductFinding, days: dict[str, int]) -> dict[str, Any]:
    current = FindingDecision.find_in_force().filter(finding=row).first()
    return {
        "number": row.pk,
        "product": row.product.slug,
        "repository": row.repository.name if row.repository is not None else None,
        "source": row.source,
        "tool": row.tool,
        "rule": row.rule,
        "title": row.shown_title,
        "severity": row.severity,
        "severity_given": row.is_severity_given,
        "cwe": row.cwe or None,
        "owasp_2021": row.owasp_2021 or None,
        "owasp_2025": row.owasp_2025 or None,
        "requirement": row.requirement,
        "path": row.path,
        "line": row.line or None,
        "fingerprint": row.fingerprint,
        "first_found_at": row.first_found_at.isoformat(),
        "due_at": find_due_date(row, days).isoformat(),
        "baseline": row.is_baseline,
        "corrected_at": row.gone_at.isoformat() if row.gone_at is not None else None,
        "owner": row.owner.slug if row.owner is not None else None,
        "owner_basis": row.owner_basis or "product",
        "owner_team": row.owner_name,
        "decision": None
        if current is None
        else {
            "number": current.pk,
            "kind": current.kind,
            "until": current.ends_at.isoformat() if current.ends_at is not None else None,
        },
    }


def _serialize_secret(row: LeakedSecret) -> dict[str, Any]:
    return {
        "number": row.pk,
        "product": row.product.slug,
        "repository": row.repository.name,
        "rule": row.rule,
        "title": row.shown_title,
        "path": row.path,
        "line": row.line,
        "first_found_at": row.first_found_at.isoformat(),
        "in_code": row.gone_at is None,
        "rotated_at": row.rotated_at.isoformat() if row.rotated_at is not None else None,
        "revoked_at": row.revoked_at.isoformat() if row.revoked_at is not None else None,
    }
