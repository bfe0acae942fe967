"""Security requirements of products, as programs see them."""

from typing import Any

from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from ninja import Query, Router

from muniment.access.actions import Action
from muniment.server.acts.schemas import build_body_schema
from muniment.server.api_operations import Cursor, for_action, page_by_number, run_act
from muniment.server.guarding.mediation import current_actor, find_no_resource
from muniment.server.policies.policy_in_force import current_clauses
from muniment.server.products.models import Product
from muniment.server.products.views import find_product_resource
from muniment.server.requirements.act_fields import visible_lists, visible_statements
from muniment.server.requirements.list_acts import EndRequirementList, ImportRequirementList
from muniment.server.requirements.models import OfficialRequirementList, RequirementStatement
from muniment.server.requirements.product_evidence import ProductRequirement, read_requirements
from muniment.server.requirements.requirement_table import find_requirement_scope
from muniment.server.requirements.statement_acts import (
    AttestRequirement,
    EndRequirementStatement,
    ExcludeRequirement,
    NameRequirementTest,
)
from muniment.server.requirements.views import find_list_resource, find_statement_resource

router = Router()

# types that are made at run time, from the fields of the acts
_PRODUCT = ("product",)
AttestRequirementBody = build_body_schema(AttestRequirement, fixed=_PRODUCT)
ExcludeRequirementBody = build_body_schema(ExcludeRequirement, fixed=_PRODUCT)
NameRequirementTestBody = build_body_schema(NameRequirementTest, fixed=_PRODUCT)
RequirementListBody = build_body_schema(ImportRequirementList, fixed=())


@router.get("/products/{slug}/security-requirements")
@for_action(Action.SEE_REQUIREMENTS, find_product_resource)
def serve_requirements(request: HttpRequest, slug: str) -> dict[str, Any]:
    """List the requirements of a product with their states, and the level and lists that the policy asks for."""
    product = get_object_or_404(Product, slug=slug)
    scope = find_requirement_scope(product, current_clauses())
    return {
        "level": scope.level,
        "lists": list(scope.lists),
        "requirements": [_serialize_requirement(one) for one in read_requirements(product)],
    }


@router.post("/products/{slug}/security-requirements/attest")
@for_action(Action.STATE_REQUIREMENT, find_product_resource)
def attest_requirement(request: HttpRequest, slug: str, body: AttestRequirementBody) -> dict[str, Any]:  # type: ignore[valid-type]
    """Request that a requirement counts as attested until a day."""
    return run_act(request, AttestRequirement, {"product": slug})


@router.post("/products/{slug}/security-requirements/exclude")
@for_action(Action.STATE_REQUIREMENT, find_product_resource)
def exclude_requirement(request: HttpRequest, slug: str, body: ExcludeRequirementBody) -> dict[str, Any]:  # type: ignore[valid-type]
    """Request that a requirement does not apply until a day."""
    return run_act(request, ExcludeRequirement, {"product": slug})


@router.post("/products/{slug}/security-requirements/test")
@for_action(Action.STATE_REQUIREMENT, find_product_resource)
def name_test(request: HttpRequest, slug: str, body: NameRequirementTestBody) -> dict[str, Any]:  # type: ignore[valid-type]
    """Request that a test verifies a requirement."""
    return run_act(request, NameRequirementTest, {"product": slug})


@router.get("/requirement-statements")
@for_action(Action.SEE_REQUIREMENTS, find_no_resource)
def serve_statements(request: HttpRequest, cursor: Query[Cursor]) -> dict[str, Any]:
    """List the statements that the token may see, ended ones too."""
    rows = visible_statements(current_actor(request)).select_related("product", "requester", "approver")
    return page_by_number(rows, cursor, _serialize_statement)


@router.post("/requirement-statements/{number}/end")
@for_action(Action.END_REQUIREMENT_STATEMENT, find_statement_resource)
def end_requirement_statement(request: HttpRequest, number: int) -> dict[str, Any]:
    """End a statement about a requirement."""
    return run_act(request, EndRequirementStatement, {"statement": number})


@router.get("/requirement-lists")
@for_action(Action.SEE_REQUIREMENTS, find_no_resource)
def serve_lists(request: HttpRequest, cursor: Query[Cursor]) -> dict[str, Any]:
    """List the official lists, ended ones too."""
    return page_by_number(visible_lists(current_actor(request)).defer("content"), cursor, _serialize_list)


@router.post("/requirement-lists")
@for_action(Action.IMPORT_REQUIREMENTS)
def import_requirement_list(request: HttpRequest, body: RequirementListBody) -> dict[str, Any]:  # type: ignore[valid-type]
    """Request the import of an official list, in the JSON of the OWASP ASVS."""
    return run_act(request, ImportRequirementList, {})


@router.post("/requirement-lists/{number}/end")
@for_action(Action.END_REQUIREMENT_LIST, find_list_resource)
def end_requirement_list(request: HttpRequest, number: int) -> dict[str, Any]:
    """End an official list."""
    return run_act(request, EndRequirementList, {"listing": number})


def _serialize_requirement(one: ProductRequirement) -> dict[str, Any]:
    state = one.state
    return {
        "requirement": one.key,
        "text": one.text,
        "area": state.area,
        "asvs": list(one.asvs),
        "level": state.level,
        "list": state.list_name,
        "verified_by": one.verified_by.value,
        "state": state.status.value,
        "because": state.because,
        "until": state.until or None,
    }


def _serialize_statement(row: RequirementStatement) -> dict[str, Any]:
    return {
        "number": row.pk,
        "product": row.product.slug,
        "requirement": row.requirement,
        "kind": row.kind,
        "test": row.test,
        "reason": row.reason,
        "requester": row.requester.slug,
        "approver": row.approver.slug if row.approver is not None else None,
        "made_at": row.made_at,
        "until": row.until,
        "ended_at": row.ended_at,
    }


def _serialize_list(row: OfficialRequirementList) -> dict[str, Any]:
    return {
        "number": row.pk,
        "title": row.title,
        "requirements": row.count,
        "digest": row.digest,
        "imported_at": row.imported_at,
        "ended_at": row.ended_at,
    }
