"""Pages of meetings: the coming ones, one of them, those of a product, and one's own calendar."""

from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST, require_safe

from muniment.access.actions import Action
from muniment.access.authorization import Resource
from muniment.server.acts.submission import submit_act
from muniment.server.guarding.mediation import current_actor, find_no_resource, find_own_resource, require_action
from muniment.server.meetings.act_fields import visible_meetings
from muniment.server.meetings.calendar_acts import RenewCalendarFeed, SetMeetingCalendar, SetOwnLanguage, SetOwnRegion
from muniment.server.meetings.calendar_feed import build_feed, find_feed_person
from muniment.server.meetings.joint_meetings import HoldApart, HoldTogether
from muniment.server.meetings.mail_languages import find_languages
from muniment.server.meetings.meeting_acts import MoveMeeting
from muniment.server.meetings.meeting_page import read_meeting_page, read_product_page
from muniment.server.meetings.models import CalendarFeed, MeetingAttendee, PersonRegion, ProductMeeting, find_calendar
from muniment.server.meetings.seat_acts import AnswerInvitation, NameForMeetings, RemoveFromMeetings, SendDeputy
from muniment.server.page_lists import page_by_id
from muniment.server.people.models import Person
from muniment.server.products.models import Product
from muniment.server.products.views import could_with_second_factor, find_product_resource

_SHOWN = 200


def find_meeting_resource(request: HttpRequest, number: int, **_: object) -> Resource:
    """Product of a meeting. Raises Http404, for everybody alike, if there is no such meeting."""
    found = ProductMeeting.objects.select_related("product").filter(pk=number).first()
    if found is None:
        raise Http404
    return found.product_resource


def find_seat_resource(request: HttpRequest, number: int, **_: object) -> Resource:
    """Person who has a seat. Raises Http404, for everybody alike, if there is no such seat."""
    found = MeetingAttendee.objects.filter(pk=number).values_list("person", flat=True).first()
    if found is None:
        raise Http404
    return Resource(owner=found)


@require_GET
@require_action(Action.SEE_MEETINGS, find_no_resource)
def show_meeting_list(request: HttpRequest) -> HttpResponse:
    """List the meetings that are still to be held, the next on top, and those that were held, newest first."""
    rows = visible_meetings(current_actor(request))
    coming = rows.filter(held_on=None, cancelled_at=None).prefetch_related("attendees")
    context = {
        "coming": coming.order_by("date", "time", "pk")[:_SHOWN],
        "page": page_by_id(request, rows.exclude(held_on=None)),
        "calendar": find_calendar(),
        "may_set_calendar": could_with_second_factor(request, Action.CHANGE_SETTINGS),
        "own": current_actor(request).person,
    }
    return render(request, "meetings/list.html", context)


@require_safe
@require_action(Action.SEE_MEETINGS, find_meeting_resource)
def show_meeting(request: HttpRequest, number: int) -> HttpResponse:
    """Show a meeting: its day, who takes part, and the acts that the actor may do. Changes nothing."""
    row = get_object_or_404(ProductMeeting.objects.select_related("product"), pk=number)
    return render(request, "meetings/meeting.html", read_meeting_page(request, row))


@require_POST
@require_action(Action.PLAN_MEETING, find_meeting_resource)
def submit_move(request: HttpRequest, number: int) -> HttpResponse:
    """Move a meeting to another day or time."""
    return submit_act(
        request, MoveMeeting, {"meeting": number}, _("Moved. Everybody is invited again."), "meeting", number
    )


@require_POST
@require_action(Action.PLAN_MEETING, find_meeting_resource)
def change_joint_meeting(request: HttpRequest, number: int) -> HttpResponse:
    """Hold a meeting together with that of another product, or apart again."""
    done = _("Saved. Everybody is invited again.")
    return submit_act(request, (HoldTogether, HoldApart), {"meeting": number}, done, "meeting", number)


@require_POST
@require_action(Action.TAKE_PART_IN_MEETING, find_seat_resource)
def submit_answer(request: HttpRequest, number: int) -> HttpResponse:
    """Answer an invitation, or send a deputy."""
    meeting = MeetingAttendee.objects.values_list("meeting", flat=True).get(pk=number)
    acts = (AnswerInvitation, SendDeputy)
    return submit_act(request, acts, {"seat": number}, _("Saved."), "meeting", meeting)


@require_GET
@require_action(Action.SEE_MEETINGS, find_product_resource)
def show_product_meetings(request: HttpRequest, slug: str) -> HttpResponse:
    """Show the meetings of a product, and who takes part in which role."""
    return render(request, "meetings/product.html", read_product_page(request, get_object_or_404(Product, slug=slug)))


@require_POST
@require_action(Action.PLAN_MEETING, find_product_resource)
def change_meeting_roles(request: HttpRequest, slug: str) -> HttpResponse:
    """Name a person for a role in the meetings of a product, or remove them."""
    acts = (NameForMeetings, RemoveFromMeetings)
    return submit_act(request, acts, {"product": slug}, _("Saved."), "product-meetings", slug)


@require_http_methods(["GET", "POST"])
@require_action(Action.CHANGE_SETTINGS)
def show_calendar_form(request: HttpRequest) -> HttpResponse:
    """Show or set the time zone and region of the organisation."""
    if request.method == "POST":
        done = _("Saved. The next meetings are planned within a minute.")
        return submit_act(request, SetMeetingCalendar, {}, done, "meetings")
    return render(request, "meetings/calendar.html", {"calendar": find_calendar()})


@require_http_methods(["GET", "POST"])
@require_action(Action.MANAGE_OWN_ACCOUNT, find_own_resource)
def change_own_calendar(request: HttpRequest) -> HttpResponse:
    """Show one's own calendar feed and region, renew the feed's address, or set the region."""
    person = Person.objects.get(pk=current_actor(request).person)
    if request.method == "POST":
        acts = (RenewCalendarFeed, SetOwnRegion, SetOwnLanguage)

        def show_address(result: object) -> HttpResponse:
            if isinstance(result, str):
                return _render_own_calendar(request, person, result)
            messages.success(request, _("Saved."))
            return redirect("my-calendar")

        return submit_act(
            request, acts, {"person": person.slug}, _("Saved."), "my-calendar", build_response=show_address
        )
    return _render_own_calendar(request, person, "")


def _render_own_calendar(request: HttpRequest, person: Person, token: str) -> HttpResponse:
    calendar = find_calendar()
    region = PersonRegion.objects.filter(person=person).values_list("region", flat=True).first()
    context = {
        "feed": CalendarFeed.objects.filter(person=person).first(),
        "region": region or (calendar.region if calendar is not None else ""),
        "is_own_region": region is not None,
        "token": token,
        "languages": settings.LANGUAGES,
        "language": find_languages([person])[person.pk],
    }
    return render(request, "meetings/own_calendar.html", context)


@require_safe
def show_calendar_feed(request: HttpRequest, token: str) -> HttpResponse:
    """Calendar of the person who has this address. Raises Http404 for an address that was renewed."""
    person = find_feed_person(token)
    if person is None:
        raise Http404
    answer = HttpResponse(build_feed(person), content_type="text/calendar; charset=utf-8")
    answer["Cache-Control"] = "private, no-store"
    answer["Content-Disposition"] = 'inline; filename="muniment.ics"'
    return answer
