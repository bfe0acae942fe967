"""Pages of security requirements: those of a product, one of them with its statements, and the official lists."""

import re
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from muniment.access.actions import Action
from muniment.access.authorization import ORGANISATION, Resource
from muniment.errors import MunimentError
from muniment.facts.requirement_facts import RequirementStatus
from muniment.scanners.requirements.checklist import VerifiedBy
from muniment.scanners.requirements.states import format_words
from muniment.server.acts.submission import submit_act
from muniment.server.error_text import format_error_text
from muniment.server.guarding.mediation import current_actor, find_no_resource, require_action
from muniment.server.page_lists import read_row_number
from muniment.server.policies.policy_in_force import current_clauses
from muniment.server.products.models import Product
from muniment.server.products.views import could_with_second_factor, find_product_resource
from muniment.server.requirements.act_fields import visible_lists
from muniment.server.requirements.list_acts import LARGEST_LIST, EndRequirementList, ImportRequirementList
from muniment.server.requirements.models import OfficialRequirementList, RequirementStatement
from muniment.server.requirements.product_evidence import ProductRequirement, read_requirements
from muniment.server.requirements.requirement_table import (
    SHOWN_STATES,
    VERIFIERS,
    TableFilter,
    count_levels,
    count_statuses,
    filter_lines,
    find_requirement_scope,
    make_lines,
)
from muniment.server.requirements.statement_acts import (
    AttestRequirement,
    EndRequirementStatement,
    ExcludeRequirement,
    NameRequirementTest,
)

_SHOWN = 25
_IN_ADDRESS = re.compile(r"[^/\x00-\x1f]{1,300}")
_LEVELS = 3
_BADGES = {
    RequirementStatus.MET: "met",
    RequirementStatus.VIOLATED: "violated",
    RequirementStatus.UNKNOWN: "unknown",
    RequirementStatus.NOT_APPLICABLE: "na",
}


def find_statement_resource(request: HttpRequest, number: int, **_: Any) -> Resource:
    """Resource of a statement. Raises Http404, for everybody alike, if there is none."""
    found = RequirementStatement.objects.select_related("product").filter(pk=number).first()
    if found is None:
        raise Http404
    return found.access_resource


def find_list_resource(request: HttpRequest, number: int, **_: Any) -> Resource:
    """Organisation. Raises Http404 if there is no such list."""
    get_object_or_404(OfficialRequirementList, pk=number)
    return ORGANISATION


@require_GET
@require_action(Action.SEE_REQUIREMENTS, find_product_resource)
def show_product_requirements(request: HttpRequest, slug: str) -> HttpResponse:
    """Show the requirements of a product: who verified each, the proof, and until when it counts."""
    product = get_object_or_404(Product, slug=slug)
    context: dict[str, Any] = {"product": product}
    try:
        found, scope = read_requirements(product), find_requirement_scope(product, current_clauses())
    except MunimentError as error:  # nothing is shown as met then
        context["problem"] = format_error_text(error)
        return render(request, "requirements/product.html", context)
    chosen = _read_filter(request)
    lines = make_lines(found, scope, chosen.listing)
    listed = filter_lines(lines, chosen)
    start = read_row_number(request.GET.get("from", ""))
    context |= {
        "scope": scope,
        "total": len(lines),
        "counts": count_statuses(lines),
        "levels": count_levels(lines),
        "lines": [(one, _BADGES[one.status]) for one in listed[start : start + _SHOWN]],
        "matching": len(listed),
        "first": start + 1,
        "last": min(start + _SHOWN, len(listed)),
        "next": start + _SHOWN if len(listed) > start + _SHOWN else 0,
        "chosen": chosen,
        "states": SHOWN_STATES,
        "verifiers": VERIFIERS,
        "all_levels": range(1, scope.level + 1),
        "lists": sorted({one.state.list_name for one in found} - {""}),
    }
    return render(request, "requirements/product.html", context)


def _read_filter(request: HttpRequest) -> TableFilter:
    text, verifier, state, listing = (
        request.GET.get(name, "")[:300] for name in ("text", "verifier", "state", "listing")
    )
    level = read_row_number(request.GET.get("level", ""))
    return TableFilter(text, verifier, state, level if level <= _LEVELS else 0, listing)


@require_GET
@require_action(Action.SEE_REQUIREMENTS, find_product_resource)
def show_product_requirement(request: HttpRequest, slug: str, key: str) -> HttpResponse:
    """Show one requirement of a product: its state, its statements, and what a person may state."""
    product = get_object_or_404(Product, slug=slug)
    try:
        found = next((one for one in read_requirements(product) if one.key == key), None)
    except MunimentError as error:
        context = {"product": product, "problem": format_error_text(error)}
        return render(request, "requirements/product.html", context)
    if found is None:
        raise Http404
    (line,) = make_lines([found], find_requirement_scope(product, ())._replace(level=_LEVELS), found.state.list_name)
    rows = RequirementStatement.objects.filter(product=product, requirement=key)
    statements = list(rows.select_related("requester", "approver", "product")[:_SHOWN])
    may_state = could_with_second_factor(request, Action.STATE_REQUIREMENT, slug) and product.retired_at is None
    return render(
        request,
        "requirements/requirement.html",
        {
            "product": product,
            "line": line,
            "badge": _BADGES[line.status],
            "area": format_words(found.state.area),
            "how": _explain_verification(found),
            "statements": statements,
            "may_state": may_state,
            "may_attest": may_state and found.verified_by is not VerifiedBy.RULE,
            "may_end": could_with_second_factor(request, Action.END_REQUIREMENT_STATEMENT, slug),
        },
    )


def _explain_verification(found: ProductRequirement) -> str:
    if found.role:
        return _("Attested by somebody with the role %(role)s, with evidence, for a year at most.") % {
            "role": found.role
        }
    texts = {
        VerifiedBy.RULE: _("Verified by rules: no finding of them is open, and all code was scanned."),
        VerifiedBy.DESIGN: _("Verified by a check of the design; until there is one, by a named test or a person."),
        VerifiedBy.CONFIGURATION: _(
            "Verified by a check of the configuration; until there is one, by a named test or a person."
        ),
        VerifiedBy.NAMED_TEST: _("Verified by a test that the team names, or attested by a person."),
        VerifiedBy.ATTESTATION: _("Attested by a person with evidence, or verified by a test that the team names."),
    }
    return texts[found.verified_by]


@require_GET
@require_action(Action.SEE_REQUIREMENTS, find_no_resource)
def show_lists(request: HttpRequest) -> HttpResponse:
    """List the official lists that were imported."""
    rows = visible_lists(current_actor(request)).select_related("importer", "approver").defer("content")
    context = {
        "lists": rows.filter(ended_at=None),
        "may_import": could_with_second_factor(request, Action.IMPORT_REQUIREMENTS),
        "may_end": could_with_second_factor(request, Action.END_REQUIREMENT_LIST),
    }
    return render(request, "requirements/lists.html", context)


@require_POST
@require_action(Action.STATE_REQUIREMENT, find_product_resource)
def state_requirement(request: HttpRequest, slug: str) -> HttpResponse:
    """Request a statement about a requirement; a second person approves it."""
    acts = (AttestRequirement, ExcludeRequirement, NameRequirementTest)
    key = request.POST.get("requirement", "")
    place = ("product-requirement", slug, key) if _IN_ADDRESS.fullmatch(key) else ("product-requirements", slug)
    return submit_act(request, acts, {"product": slug}, _("The statement counts."), *place)


@require_POST
@require_action(Action.END_REQUIREMENT_STATEMENT, find_statement_resource)
def end_statement(request: HttpRequest, number: int) -> HttpResponse:
    """End a statement about a requirement."""
    row = get_object_or_404(RequirementStatement.objects.select_related("product"), pk=number)
    place = (row.product.slug, row.requirement)
    done = _("The statement has ended.")
    return submit_act(request, EndRequirementStatement, {"statement": number}, done, "product-requirement", *place)


@require_POST
@require_action(Action.IMPORT_REQUIREMENTS)
def import_list(request: HttpRequest) -> HttpResponse:
    """Request the import of an official list; a second person approves it."""
    sent = _read_sent_list(request)
    done = _("The list is imported.")
    return submit_act(request, ImportRequirementList, {}, done, "requirement-lists", form_data=sent)


def _read_sent_list(request: HttpRequest) -> QueryDict:
    """Read the form; a file that came with it replaces the typed text, with U+FFFD for bytes that are no UTF-8."""
    sent, file = request.POST.copy(), request.FILES.get("file")
    sent.pop("file", None)  # what a browser sends where no file was chosen
    if file is not None and file.size:
        sent["content"] = file.read(4 * LARGEST_LIST).decode("utf-8-sig", "replace")
    return sent


@require_POST
@require_action(Action.END_REQUIREMENT_LIST, find_list_resource)
def end_list(request: HttpRequest, number: int) -> HttpResponse:
    """End an official list."""
    done = _("The list has ended.")
    return submit_act(request, EndRequirementList, {"listing": number}, done, "requirement-lists")
