"""Reports of other tools, as pipelines send them."""

from typing import Any

from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from ninja import Router

from muniment.access.actions import Action
from muniment.server.acts.execution import execute_act
from muniment.server.acts.parser import parse_act
from muniment.server.acts.schemas import build_body_schema
from muniment.server.api_operations import for_action, run_act
from muniment.server.findings.models import ReceivedReport
from muniment.server.findings.report_acts import DeclareCoverage, EndCoverage, SendReport
from muniment.server.findings.report_files import read_report
from muniment.server.findings.report_views import find_declaration_resource, find_report_resource
from muniment.server.guarding.mediation import current_actor
from muniment.server.products.views import find_product_resource

router = Router()

CoverageDeclarationBody = build_body_schema(DeclareCoverage, fixed=())  # a type that is made at run time


@router.post("/products/{slug}/findings/import")
@for_action(Action.HANDLE_FINDING, find_product_resource)
def send_report(request: HttpRequest, slug: str, repository: str) -> dict[str, Any]:
    """Send a SARIF file as the body, plain or by gzip, for the protected branch of a repository of the product."""
    packed, actor = read_report(request), current_actor(request)
    act = parse_act(SendReport, {"repository": repository, "digest": packed.digest}, actor)
    return {"report": execute_act(actor, act, secret=packed.content).result}


@router.get("/reports/{number}")
@for_action(Action.SEE_FINDINGS, find_report_resource)
def serve_report(request: HttpRequest, number: int) -> dict[str, Any]:
    """State of a report that was sent: whether it is imported, and why not."""
    row = get_object_or_404(ReceivedReport.objects.defer("content", "plan"), pk=number)
    return {"report": row.pk, "digest": row.digest, "imported_at": row.read_at, "problem": row.problem}


@router.post("/products/{slug}/tool-coverage")
@for_action(Action.DECLARE_COVERAGE, find_product_resource)
def declare_tool_coverage(request: HttpRequest, slug: str, body: CoverageDeclarationBody) -> dict[str, Any]:  # type: ignore[valid-type]
    """Request a declaration of what a tool scans."""
    return run_act(request, DeclareCoverage, {})


@router.post("/tool-coverage/{number}/end")
@for_action(Action.HANDLE_FINDING, find_declaration_resource)
def end_tool_coverage(request: HttpRequest, number: int) -> dict[str, Any]:
    """End a declaration of what a tool scans."""
    return run_act(request, EndCoverage, {"declaration": number})
