"""Updates, as programs see them."""

import json
from typing import Any

from django.http import Http404, HttpRequest
from django.shortcuts import get_object_or_404
from ninja import Query, Router

from muniment.access.actions import Action
from muniment.server.api_operations import Cursor, for_action, page_by_number, run_act
from muniment.server.guarding.mediation import current_actor, find_no_resource
from muniment.server.products.models import Product
from muniment.server.products.views import find_product_resource
from muniment.server.updates.advisory_lists import find_due_at, visible_advisories
from muniment.server.updates.affected import PackageUse, find_affected
from muniment.server.updates.due_days import read_development_days, read_update_days
from muniment.server.updates.matching_acts import ReadDependencies
from muniment.server.updates.models import ProductAdvisory
from muniment.server.updates.sbom_export import build_product_sbom, list_places

router = Router()


@router.get("/updates")
@for_action(Action.SEE_FINDINGS, find_no_resource)
def serve_advisories(request: HttpRequest, cursor: Query[Cursor]) -> dict[str, Any]:
    """List the advisories that affect or affected products that the token may see."""
    days, _problem = read_update_days()
    more = read_development_days()
    rows = visible_advisories(current_actor(request))
    return page_by_number(rows, cursor, lambda row: _serialize_advisory(row, days, more))


@router.get("/updates/affected")
@for_action(Action.SEE_FINDINGS, find_no_resource)
def answer_affected(request: HttpRequest, name: str) -> dict[str, Any]:
    """Answer which products a package, package@version or advisory affects, and which are unknown."""
    answer = find_affected(current_actor(request), name)
    return {
        "name": answer.text,
        "advisory_known": answer.is_known,
        "uses": [_serialize_use(use) for use in answer.uses],
        "more": answer.more,
        "unknown": [{"product": one.product.slug, "reason": one.reason} for one in answer.unknown],
        "known_products": answer.known_count,
    }


@router.post("/products/{slug}/updates/read")
@for_action(Action.SCAN_CODE, find_product_resource)
def read_locks_now(request: HttpRequest, slug: str) -> dict[str, Any]:
    """Have the lock files of a product read now."""
    return run_act(request, ReadDependencies, {"product": slug})


@router.get("/products/{slug}/sbom")
@for_action(Action.SEE_FINDINGS, find_product_resource)
def serve_product_sbom(request: HttpRequest, slug: str, place: str = "") -> dict[str, Any]:
    """SBOM of a product as CycloneDX, of the branch or environment that `place` names; by default of the first."""
    product = get_object_or_404(Product, slug=slug)
    places = list_places(product)
    chosen = place or next(iter(places), "")
    if chosen not in places:
        raise Http404
    sbom: dict[str, Any] = json.loads(build_product_sbom(product, chosen))
    return sbom


def _serialize_use(use: PackageUse) -> dict[str, Any]:
    return {
        "product": use.product.slug,
        "lock": use.path,
        "package": use.package,
        "version": use.version,
        "path": list(use.route),
        "places": list(use.places),
        "development": use.is_development,
        "certain": use.is_certain,
    }


def _serialize_advisory(row: ProductAdvisory, days: dict[str, int], more: int) -> dict[str, Any]:
    due_at = find_due_at(row, days, more)
    return {
        "number": row.pk,
        "product": row.product.slug,
        "repository": row.repository.name,
        "lock": row.lock_path,
        "ecosystem": row.ecosystem,
        "package": row.package,
        "versions": row.versions,
        "advisory": row.advisory,
        "names": row.names,
        "severity": row.severity,
        "severity_origin": row.severity_origin,
        "certain": row.is_certain,
        "malware": row.is_malware,
        "development": row.is_development,
        "safe_version": row.safe_version,
        "path": row.route,
        "places": row.places,
        "clock_start": row.clock_start,
        "clock_from": row.clock_from.isoformat() if row.clock_from is not None else None,
        "due_at": due_at.isoformat() if due_at is not None else None,
        "ended_at": row.ended_at.isoformat() if row.ended_at is not None else None,
        "end_reason": row.end_reason,
    }
