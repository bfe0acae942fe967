"""Pages of reports of other tools: what their forms do, and what the page of a product shows of them."""

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from muniment.access.actions import Action
from muniment.access.authorization import Resource
from muniment.errors import RefusedError
from muniment.server.acts.submission import submit_act
from muniment.server.error_text import format_error_text
from muniment.server.findings.models import ReceivedReport, ToolCoverage, ToolImport
from muniment.server.findings.report_acts import DeclareCoverage, EndCoverage, SendReport
from muniment.server.findings.report_files import read_report
from muniment.server.guarding.mediation import require_action
from muniment.server.products.models import Product
from muniment.server.products.views import could_with_second_factor, find_product_resource

_SHOWN = 10


def find_declaration_resource(request: HttpRequest, number: int, **_: Any) -> Resource:
    """Resource of a declaration. Raises Http404, for everybody alike, if there is none."""
    found = ToolCoverage.objects.select_related("repository__product").filter(pk=number).first()
    if found is None:
        raise Http404
    return found.access_resource


def find_report_resource(request: HttpRequest, number: int, **_: Any) -> Resource:
    """Resource of a report. Raises Http404 if there is no such report."""
    found = ReceivedReport.objects.select_related("repository__product").filter(pk=number).first()
    if found is None:
        raise Http404
    return Resource(product=found.repository.product.slug)


def build_report_context(request: HttpRequest, product: Product) -> dict[str, Any]:
    """Newest imports, declarations and unread or refused reports of a product, and what the actor may do."""
    here = {"repository__product": product}
    reports = ReceivedReport.objects.filter(**here).select_related("repository", "person").defer("content", "plan")
    return {
        "imports": ToolImport.objects.filter(**here).select_related("repository").order_by("tool", "category"),
        "declarations": ToolCoverage.objects.filter(ended_at=None, **here).select_related(
            "repository", "requester", "approver"
        ),
        "reports": [row for row in reports.order_by("-pk")[:_SHOWN] if row.read_at is None or row.problem],
        "may_declare": could_with_second_factor(request, Action.DECLARE_COVERAGE, product.slug),
    }


@require_POST
@require_action(Action.HANDLE_FINDING, find_product_resource)
def upload_report(request: HttpRequest, slug: str) -> HttpResponse:
    """Take a report of another tool; the worker imports it."""
    sent, file = request.POST.copy(), request.FILES.get("file")
    if file is None:
        messages.error(request, _("No file was chosen. Choose the SARIF file of the tool."))
        return redirect("product-findings", slug)
    try:
        packed = read_report(file)
    except RefusedError as error:
        messages.error(request, format_error_text(error))
        return redirect("product-findings", slug)
    sent["digest"] = packed.digest
    sent.pop("file", None)
    done = _("The report is queued. It is imported within a minute.")
    return submit_act(request, SendReport, {}, done, "product-findings", slug, secret=packed.content, form_data=sent)


@require_POST
@require_action(Action.DECLARE_COVERAGE, find_product_resource)
def declare_coverage(request: HttpRequest, slug: str) -> HttpResponse:
    """Request a declaration of what a tool scans; a second person approves it."""
    return submit_act(request, DeclareCoverage, {}, _("The declaration is in force."), "product-findings", slug)


@require_POST
@require_action(Action.HANDLE_FINDING, find_declaration_resource)
def end_coverage(request: HttpRequest, number: int) -> HttpResponse:
    """End a declaration of what a tool scans."""
    row = get_object_or_404(ToolCoverage.objects.select_related("repository__product"), pk=number)
    slug = row.repository.product.slug
    done = _("The declaration has ended.")
    return submit_act(request, EndCoverage, {"declaration": number}, done, "product-findings", slug)
