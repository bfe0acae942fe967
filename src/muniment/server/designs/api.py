"""Designs and their threats, as programs see them."""

from typing import Any

from django.http import HttpRequest
from ninja import Query, Router

from muniment.access.actions import Action
from muniment.facts.maybe import Unknown
from muniment.server.acts.schemas import build_body_schema
from muniment.server.api_operations import Cursor, for_action, page_by_number, run_act
from muniment.server.designs.act_fields import visible_threats
from muniment.server.designs.design_acts import EvaluateDesign
from muniment.server.designs.design_facts import read_product_design
from muniment.server.designs.models import DesignThreat, ProductDesign, ThreatAnswer
from muniment.server.designs.threat_acts import AcceptDesignThreat, EndThreatAnswer, MitigateDesignThreat
from muniment.server.designs.threat_texts import describe_threat
from muniment.server.designs.views import find_answer_resource, find_threat_resource
from muniment.server.guarding.mediation import current_actor, find_no_resource
from muniment.server.products.views import find_product_resource

router = Router()

# types that are made at run time, from the fields of the acts
MitigateThreatBody = build_body_schema(MitigateDesignThreat, fixed=("threat",))
AcceptDesignThreatBody = build_body_schema(AcceptDesignThreat, fixed=("threat",))


@router.get("/products/{slug}/design")
@for_action(Action.SEE_DESIGN, find_product_resource)
def serve_design(request: HttpRequest, slug: str) -> dict[str, Any]:
    """Give the results of the six principles with their problems. `unknown` says why there are none."""
    found = read_product_design(slug)
    row = ProductDesign.objects.defer("evaluation").filter(product__slug=slug).first()
    evaluated = {
        "evaluated_at": row.evaluated_at.isoformat() if row is not None else None,
        "sources": [{"repository": name, "commit": tip} for name, tip in row.sources] if row is not None else [],
    }
    if isinstance(found, Unknown):
        return {**evaluated, "unknown": found.reason, "results": []}
    design = found.value
    unknown = design.problem or ("" if design.is_present else "no repository has a file design.toml")
    return {
        **evaluated,
        "unknown": unknown or None,
        "results": [
            {
                "principle": state.principle,
                "basis": state.basis,
                "examined": state.examined,
                "count": state.count,
                "problems": [
                    {
                        "code": problem.code,
                        "status": problem.status,
                        "message": problem.message,
                        "remedy": problem.remedy,
                        "path": list(problem.path),
                        "where": problem.where or None,
                    }
                    for problem in state.problems
                ],
            }
            for state in design.states
        ],
    }


@router.post("/products/{slug}/design/evaluate")
@for_action(Action.EVALUATE_DESIGN, find_product_resource)
def evaluate_now(request: HttpRequest, slug: str) -> dict[str, Any]:
    """Have the design of a product evaluated now."""
    return run_act(request, EvaluateDesign, {"product": slug})


@router.get("/design-threats")
@for_action(Action.SEE_DESIGN, find_no_resource)
def serve_threats(request: HttpRequest, cursor: Query[Cursor]) -> dict[str, Any]:
    """List the threats of designs that the token may see, gone ones too."""
    rows = visible_threats(current_actor(request)).select_related("product")
    return page_by_number(rows, cursor, _serialize_threat)


@router.post("/design-threats/{number}/mitigate")
@for_action(Action.ANSWER_DESIGN_THREAT, find_threat_resource)
def mitigate_threat(request: HttpRequest, number: int, body: MitigateThreatBody) -> dict[str, Any]:  # type: ignore[valid-type]
    """State what mitigates a threat."""
    return run_act(request, MitigateDesignThreat, {"threat": number})


@router.post("/design-threats/{number}/accept")
@for_action(Action.ACCEPT_THREAT, find_threat_resource)
def accept_design_threat(request: HttpRequest, number: int, body: AcceptDesignThreatBody) -> dict[str, Any]:  # type: ignore[valid-type]
    """Accept a threat until a day, as the owner of the product."""
    return run_act(request, AcceptDesignThreat, {"threat": number})


@router.post("/design-threats/answers/{number}/end")
@for_action(Action.ANSWER_DESIGN_THREAT, find_answer_resource)
def end_threat_answer(request: HttpRequest, number: int) -> dict[str, Any]:
    """End an answer: its threat is open again."""
    return run_act(request, EndThreatAnswer, {"answer": number})


def _serialize_threat(row: DesignThreat) -> dict[str, Any]:
    current = ThreatAnswer.find_in_force().filter(threat=row).select_related("person").first()
    return {
        "number": row.pk,
        "product": row.product.slug,
        "identity": row.identity,
        "kind": row.kind,
        "element": row.element,
        "sentence": describe_threat(row.kind, row.element),
        "score": row.score,
        "mitigations": row.mitigations,
        "first_found_at": row.first_found_at.isoformat(),
        "gone_at": row.gone_at.isoformat() if row.gone_at is not None else None,
        "answer": None
        if current is None
        else {
            "number": current.pk,
            "kind": current.kind,
            "text": current.text,
            "person": current.person.slug,
            "answered_at": current.answered_at.isoformat(),
            "until": current.ends_at.isoformat() if current.ends_at is not None else None,
        },
    }
