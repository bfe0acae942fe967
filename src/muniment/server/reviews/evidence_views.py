"""Pages of the sample of merged changes and of the access review."""

from typing import Any, NamedTuple

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from muniment.access.actions import Action
from muniment.access.authorization import Resource
from muniment.access.roles import Role
from muniment.server.acts.submission import submit_act
from muniment.server.connections.models import BranchUpdate
from muniment.server.guarding.mediation import current_actor, require_action
from muniment.server.meetings.models import ProductMeeting
from muniment.server.meetings.views import find_seat_resource
from muniment.server.products.views import could_with_second_factor
from muniment.server.reviews.access_acts import ReviewAccess, is_owner, visible_access
from muniment.server.reviews.models import AccessDecision, AccessEntry, AccessPlace, ChangeSample, SampleLook
from muniment.server.reviews.sample_acts import LookAtSample
from muniment.server.reviews.sample_contributors import find_contributors
from muniment.server.reviews.views import find_meeting_product


class SampledChange(NamedTuple):
    """Change of a sample, its result, None for none, and whether the reader may look at it."""

    update: BranchUpdate
    look: SampleLook | None
    is_mine: bool


class ShownAccess(NamedTuple):
    """Access of a person, with the name of its role."""

    entry: AccessEntry
    role: str


def find_access_resource(request: HttpRequest, number: int, **_: Any) -> Resource:
    """Product of an access. Raises Http404, for everybody alike, if there is none."""
    found = AccessEntry.objects.select_related("meeting__product").filter(pk=number).first()
    if found is None:
        raise Http404
    return found.meeting.product_resource


@require_GET
@require_action(Action.SEE_MEETINGS, find_meeting_product)
def show_sample(request: HttpRequest, number: int) -> HttpResponse:
    """Show how the sample was drawn, its changes, and the form for each result."""
    meeting = get_object_or_404(ProductMeeting.objects.select_related("product"), pk=number)
    own = current_actor(request).person
    sample = ChangeSample.objects.filter(meeting=meeting).first()
    may_see = could_with_second_factor(request, Action.SEE_CHANGE, meeting.product.slug)
    context = {
        "meeting": meeting,
        "sample": sample,
        "seat": meeting.attendees.filter(person=own).first(),
        "changes": list_sampled_changes(sample, own) if sample is not None and may_see else [],
        "may_see": may_see,
    }
    return render(request, "reviews/sample.html", context)


def list_sampled_changes(sample: ChangeSample, person: str) -> list[SampledChange]:
    """Changes of a sample, in the order in which they were merged."""
    looks = {each.update_id: each for each in SampleLook.objects.filter(sample=sample).select_related("person")}
    rows = BranchUpdate.objects.filter(pk__in=sample.drawn).select_related("decision__change", "repository")
    found = []
    for row in rows.order_by("pk"):
        contributors = find_contributors(row)
        found.append(SampledChange(row, looks.get(row.pk), contributors is None or person in contributors))
    return found


@require_POST
@require_action(Action.TAKE_PART_IN_MEETING, find_seat_resource)
def look_at_sample(request: HttpRequest, number: int) -> HttpResponse:
    """Record the result of looking at a change of the sample."""
    meeting = ProductMeeting.objects.values_list("pk", flat=True).get(attendees=number)
    return submit_act(request, LookAtSample, {"seat": number}, _("Saved."), "review-sample", meeting)


def _find_reviewed_product(request: HttpRequest, number: int, **_: Any) -> Resource:
    return find_meeting_product(request, number)


@require_GET
@require_action(Action.REVIEW_ACCESS, _find_reviewed_product)
def show_access(request: HttpRequest, number: int) -> HttpResponse:
    """Show who has which access, to those who decide: without one's own, and without times."""
    meeting = get_object_or_404(ProductMeeting.objects.select_related("product"), pk=number)
    rows = list(visible_access(current_actor(request)).filter(meeting=meeting).order_by("place", "person__name"))
    if not is_owner(current_actor(request).person, meeting.product):
        rows = [row for row in rows if is_owner(row.person_id, meeting.product)]
    groups = [
        (label, [ShownAccess(row, Role(row.role).label) for row in rows if row.place == place])
        for place, label in AccessPlace.choices
    ]
    context = {
        "meeting": meeting,
        "groups": [(label, found) for label, found in groups if found],
        "undecided": sum(row.decision == AccessDecision.OPEN for row in rows),
        "total": len(rows),
    }
    return render(request, "reviews/access.html", context)


@require_POST
@require_action(Action.REVIEW_ACCESS, find_access_resource)
def decide_access(request: HttpRequest, number: int) -> HttpResponse:
    """Keep or remove an access, or undo the decision."""
    meeting = AccessEntry.objects.values_list("meeting", flat=True).get(pk=number)
    return submit_act(request, ReviewAccess, {"entry": number}, _("Saved."), "review-access", meeting)
