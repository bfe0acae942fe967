"""Pages of security reviews: the list, the preparation, requirements of the market."""

from django.db.models import Count
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_POST

from muniment.access.actions import Action
from muniment.access.authorization import Resource
from muniment.calendars.meetings import MeetingKind
from muniment.server.acts.submission import submit_act
from muniment.server.guarding.mediation import current_actor, find_no_resource, require_action
from muniment.server.meetings.models import MeetingAttendee, ProductMeeting
from muniment.server.meetings.views import find_seat_resource
from muniment.server.minutes.meeting_list import MeetingListTexts, render_meeting_list
from muniment.server.page_lists import page_by_id
from muniment.server.people.models import Person
from muniment.server.policies.policy_in_force import current_clauses
from muniment.server.products.models import Product
from muniment.server.products.views import could_with_second_factor, find_product_resource
from muniment.server.products.visible_products import active_products
from muniment.server.reviews.drafts import read_drafts, store_drafts
from muniment.server.reviews.models import (
    OPINION_QUESTIONS,
    MarketRequirement,
    PersonalDataField,
    RequirementSource,
    RequirementState,
    UsabilityOpinion,
)
from muniment.server.reviews.preparation import list_preparation
from muniment.server.reviews.preparation_acts import DescribePersonalData, EndPersonalData, GiveOpinion
from muniment.server.reviews.requirement_acts import (
    AddRequirement,
    AnswerRequirement,
    ImportRequirements,
    visible_requirements,
)

_LIST_TEXTS = MeetingListTexts(
    coming=gettext_lazy("Next reviews"),
    none_planned=gettext_lazy("No review is planned"),
    none_held=gettext_lazy("No review was held yet."),
    button=gettext_lazy("Prepare"),
    icon="clipboard-check",
    address="held-meeting",
)


def find_requirement_resource(request: HttpRequest, number: int, **_: object) -> Resource:
    """Product of a requirement. Raises Http404, for everybody alike, if there is no such requirement."""
    found = MarketRequirement.objects.select_related("product").filter(pk=number).first()
    if found is None:
        raise Http404
    return Resource(product=found.product.slug)


@require_GET
@require_action(Action.SEE_MEETINGS, find_no_resource)
def show_review_list(request: HttpRequest) -> HttpResponse:
    """Show the security reviews: those to come, and those that were held with their minutes."""
    return render_meeting_list(request, MeetingKind.REVIEW, "reviews/list.html", _LIST_TEXTS)


@require_GET
@require_action(Action.SEE_MEETINGS, find_no_resource)
def show_requirement_list(request: HttpRequest) -> HttpResponse:
    """Show requirements of the market, of all visible products or of one."""
    rows = visible_requirements(current_actor(request))
    products = active_products(current_actor(request))
    chosen = products.filter(slug=request.GET.get("product", "")).first()
    if chosen is not None:
        rows = rows.filter(product=chosen)
    state = request.GET.get("state", "")
    counts = dict(rows.order_by().values_list("state").annotate(Count("pk")))
    selection = rows.filter(state=state) if state in RequirementState.values else rows
    context = {
        "page": page_by_id(request, selection),
        "more": f"product={chosen.slug if chosen is not None else ''}&state={state}",
        "counts": [(value, text, counts.get(value, 0)) for value, text in RequirementState.choices],
        "total": sum(counts.values()),
        "products": products,
        "chosen": chosen,
        "state": state,
        "sources": RequirementSource.choices,
        "may_keep": chosen is not None and could_with_second_factor(request, Action.KEEP_REQUIREMENTS, chosen.slug),
    }
    return render(request, "reviews/requirements.html", context)


@require_GET
@require_action(Action.SEE_MEETINGS, find_requirement_resource)
def show_requirement(request: HttpRequest, number: int) -> HttpResponse:
    """Show a requirement, with the form for its answer."""
    row = get_object_or_404(MarketRequirement.objects.select_related("product", "owner", "answered_by"), pk=number)
    context = {
        "requirement": row,
        "states": RequirementState.choices,
        "people": Person.objects.filter(active=True),
        "clauses": current_clauses(),
        "may_answer": could_with_second_factor(request, Action.ANSWER_REQUIREMENT, row.product.slug),
    }
    return render(request, "reviews/requirement.html", context)


@require_POST
@require_action(Action.KEEP_REQUIREMENTS, find_product_resource)
def add_requirement(request: HttpRequest, slug: str) -> HttpResponse:
    """Add a requirement, or import a questionnaire."""
    acts = (AddRequirement, ImportRequirements)
    return submit_act(request, acts, {"product": slug}, _("Added."), "market-requirements")


@require_POST
@require_action(Action.ANSWER_REQUIREMENT, find_requirement_resource)
def answer_requirement(request: HttpRequest, number: int) -> HttpResponse:
    """Answer a requirement of the market."""
    return submit_act(request, AnswerRequirement, {"requirement": number}, _("Saved."), "market-requirement", number)


@require_GET
@require_action(Action.SEE_MEETINGS, find_product_resource)
def show_personal_data(request: HttpRequest, slug: str) -> HttpResponse:
    """Show the personal data of a product, as its owner describes it."""
    product = get_object_or_404(Product, slug=slug)
    rows = PersonalDataField.objects.filter(product=product, ended_at=None).select_related("described_by")
    may_describe = could_with_second_factor(request, Action.DESCRIBE_PERSONAL_DATA, slug)
    context = {"product": product, "fields": rows, "may_describe": may_describe}
    return render(request, "reviews/personal_data.html", context)


@require_POST
@require_action(Action.DESCRIBE_PERSONAL_DATA, find_product_resource)
def change_personal_data(request: HttpRequest, slug: str) -> HttpResponse:
    """Describe personal data of a product, or note that it is no longer stored."""
    acts = (DescribePersonalData, EndPersonalData)
    return submit_act(request, acts, {"product": slug}, _("Saved."), "personal-data", slug)


@require_POST
@require_action(Action.TAKE_PART_IN_MEETING, find_seat_resource)
def give_opinion(request: HttpRequest, number: int) -> HttpResponse:
    """Answer the questions about how easy security is to use."""
    meeting = ProductMeeting.objects.values_list("pk", flat=True).get(attendees=number)
    return submit_act(request, GiveOpinion, {"seat": number}, _("Saved."), "opinion-form", meeting)


def find_meeting_product(request: HttpRequest, number: int, **_: object) -> Resource:
    """Product of a review. Raises Http404, for everybody alike, if there is no such review."""
    found = ProductMeeting.objects.select_related("product").filter(pk=number, kind=MeetingKind.REVIEW).first()
    if found is None:
        raise Http404
    return found.product_resource


@require_GET
@require_action(Action.SEE_MEETINGS, find_meeting_product)
def show_preparation(request: HttpRequest, number: int) -> HttpResponse:
    """Show the reader's own short list before a review."""
    row = get_object_or_404(ProductMeeting.objects.select_related("product"), pk=number)
    tasks = list_preparation(row, current_actor(request).person)
    context = {"meeting": row, "tasks": tasks, "done": sum(each.is_done for each in tasks)}
    return render(request, "reviews/prepare.html", context)


@require_POST
@require_action(Action.TAKE_PART_IN_MEETING, find_seat_resource)
def save_draft(request: HttpRequest, number: int) -> HttpResponse:
    """Store what was typed so far. This is no act: nothing is stated yet."""
    store_drafts(MeetingAttendee.objects.get(pk=number), request.POST.dict())
    return HttpResponse(status=204)


@require_GET
@require_action(Action.SEE_MEETINGS, find_meeting_product)
def show_opinion_form(request: HttpRequest, number: int) -> HttpResponse:
    """Show the three questions about how easy security is to use, with one's own answers."""
    row = get_object_or_404(ProductMeeting.objects.select_related("product"), pk=number)
    own = current_actor(request).person
    given = dict(UsabilityOpinion.objects.filter(meeting=row, person=own).values_list("question", "text"))
    given |= read_drafts(row.pk, own)
    context = {
        "meeting": row,
        "seat": row.attendees.filter(person=own).first(),
        "questions": [(code, text, given.get(code, "")) for code, text in OPINION_QUESTIONS],
    }
    return render(request, "reviews/opinion.html", context)
