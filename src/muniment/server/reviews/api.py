"""Requirements of the market and personal data of products, as programs see them."""

from django.http import HttpRequest
from ninja import Query, Router

from muniment.access.actions import Action
from muniment.server.acts.schemas import build_body_schema
from muniment.server.api_operations import Cursor, for_action, page_by_number, run_act
from muniment.server.guarding.mediation import current_actor, find_no_resource
from muniment.server.meetings.views import find_seat_resource
from muniment.server.minutes.views import find_lead_resource
from muniment.server.products.views import find_product_resource
from muniment.server.reviews.access_acts import ReviewAccess
from muniment.server.reviews.evidence_views import find_access_resource
from muniment.server.reviews.guest_acts import EndGuestInvitation, InviteGuest
from muniment.server.reviews.guest_views import find_guest_resource
from muniment.server.reviews.models import MarketRequirement
from muniment.server.reviews.preparation_acts import DescribePersonalData, EndPersonalData, GiveOpinion
from muniment.server.reviews.requirement_acts import (
    AddRequirement,
    AnswerRequirement,
    ImportRequirements,
    visible_requirements,
)
from muniment.server.reviews.sample_acts import LookAtSample
from muniment.server.reviews.views import find_requirement_resource

router = Router()

# types that are made at run time, from the fields of the acts
_PRODUCT = ("product",)
RequirementBody = build_body_schema(AddRequirement, fixed=_PRODUCT)
QuestionnaireBody = build_body_schema(ImportRequirements, fixed=_PRODUCT)
RequirementAnswerBody = build_body_schema(AnswerRequirement, fixed=("requirement",))
DataBody = build_body_schema(DescribePersonalData, fixed=_PRODUCT)
EndedBody = build_body_schema(EndPersonalData, fixed=_PRODUCT)
GuestBody = build_body_schema(InviteGuest, fixed=("meeting",))
LookBody = build_body_schema(LookAtSample, fixed=("seat",))
AccessDecisionBody = build_body_schema(ReviewAccess, fixed=("entry",))
OpinionBody = build_body_schema(GiveOpinion, fixed=("seat",))


@router.get("/market-requirements")
@for_action(Action.SEE_MEETINGS, find_no_resource)
def list_requirements(request: HttpRequest, cursor: Query[Cursor]) -> dict[str, object]:
    """List the requirements of the market that the token may see."""
    return page_by_number(visible_requirements(current_actor(request)), cursor, _serialize_requirement)


@router.post("/products/{slug}/market-requirements")
@for_action(Action.KEEP_REQUIREMENTS, find_product_resource)
def store_requirement(request: HttpRequest, slug: str, body: RequirementBody) -> dict[str, object]:  # type: ignore[valid-type]
    """Add a requirement of the market."""
    return run_act(request, AddRequirement, {"product": slug})


@router.post("/products/{slug}/market-requirements/import")
@for_action(Action.KEEP_REQUIREMENTS, find_product_resource)
def import_questionnaire(request: HttpRequest, slug: str, body: QuestionnaireBody) -> dict[str, object]:  # type: ignore[valid-type]
    """Import a questionnaire as CSV."""
    return run_act(request, ImportRequirements, {"product": slug})


@router.post("/market-requirements/{number}/answer")
@for_action(Action.ANSWER_REQUIREMENT, find_requirement_resource)
def store_requirement_answer(request: HttpRequest, number: int, body: RequirementAnswerBody) -> dict[str, object]:  # type: ignore[valid-type]
    """Answer a requirement of the market."""
    return run_act(request, AnswerRequirement, {"requirement": number})


@router.post("/products/{slug}/personal-data")
@for_action(Action.DESCRIBE_PERSONAL_DATA, find_product_resource)
def describe_personal_data(request: HttpRequest, slug: str, body: DataBody) -> dict[str, object]:  # type: ignore[valid-type]
    """Describe a kind of personal data of a product."""
    return run_act(request, DescribePersonalData, {"product": slug})


@router.post("/products/{slug}/personal-data/end")
@for_action(Action.DESCRIBE_PERSONAL_DATA, find_product_resource)
def end_personal_data(request: HttpRequest, slug: str, body: EndedBody) -> dict[str, object]:  # type: ignore[valid-type]
    """Note that a kind of personal data is no longer stored."""
    return run_act(request, EndPersonalData, {"product": slug})


@router.post("/meetings/seats/{number}/opinion")
@for_action(Action.TAKE_PART_IN_MEETING, find_seat_resource)
def store_opinion(request: HttpRequest, number: int, body: OpinionBody) -> dict[str, object]:  # type: ignore[valid-type]
    """Answer the questions about how easy security is to use."""
    return run_act(request, GiveOpinion, {"seat": number})


@router.post("/reviews/{number}/guests")
@for_action(Action.CHAIR_MEETING, find_lead_resource)
def send_guest_invitation(request: HttpRequest, number: int, body: GuestBody) -> dict[str, object]:  # type: ignore[valid-type]
    """Invite a guest to a review."""
    return run_act(request, InviteGuest, {"meeting": number})


@router.post("/reviews/guests/{number}/end")
@for_action(Action.CHAIR_MEETING, find_guest_resource)
def end_guest_invitation(request: HttpRequest, number: int) -> dict[str, object]:
    """End the invitation of a guest."""
    return run_act(request, EndGuestInvitation, {"guest": number})


@router.post("/meetings/seats/{number}/sample")
@for_action(Action.TAKE_PART_IN_MEETING, find_seat_resource)
def record_sample_result(request: HttpRequest, number: int, body: LookBody) -> dict[str, object]:  # type: ignore[valid-type]
    """Record the result of looking at a change of the sample."""
    return run_act(request, LookAtSample, {"seat": number})


@router.post("/reviews/access/{number}")
@for_action(Action.REVIEW_ACCESS, find_access_resource)
def decide_on_access(request: HttpRequest, number: int, body: AccessDecisionBody) -> dict[str, object]:  # type: ignore[valid-type]
    """Keep or remove an access, or undo the decision."""
    return run_act(request, ReviewAccess, {"entry": number})


def _serialize_requirement(row: MarketRequirement) -> dict[str, object]:
    return {
        "number": row.pk,
        "product": row.product.slug,
        "text": row.text,
        "source": row.source,
        "origin": row.origin,
        "state": row.state,
        "clause": row.clause,
        "reason": row.reason,
        "owner": row.owner.slug if row.owner is not None else None,
        "due_on": row.due_on.isoformat() if row.due_on else None,
    }
