"""Reads what the pages of a meeting and of a product's meetings show."""

from collections.abc import Iterable
from typing import NamedTuple

from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from muniment.access.actions import Action
from muniment.calendars.activity import ProductActivity, Signal
from muniment.calendars.meetings import MeetingKind, Seat
from muniment.calendars.planning import find_next_number
from muniment.server.guarding.mediation import current_actor
from muniment.server.meetings.joint_meetings import list_joinable_meetings, list_joint_lines
from muniment.server.meetings.meeting_state import find_all_seats, find_missing_roles, read_meetings
from muniment.server.meetings.models import (
    KIND_TITLES,
    AnswerChoice,
    MeetingAttendee,
    MeetingRhythm,
    MeetingRole,
    ProductMeeting,
    RoleHolder,
    find_calendar,
)
from muniment.server.meetings.product_activity import find_activities
from muniment.server.people.models import Person
from muniment.server.products.models import Product
from muniment.server.products.views import could_with_second_factor

_HELD_SHOWN = 20
_SIGNALS = {
    Signal.DEPLOYED: _("it was deployed in the last three months"),
    Signal.USED: _("it has users"),
    Signal.SOLD: _("it is sold"),
    Signal.SUPPORTED: _("it is supported"),
    Signal.PERSONAL_DATA: _("it holds personal data"),
}


class InvitedPerson(NamedTuple):
    """Person who is invited, the roles of all their seats, and their answer, "" for none.

    `seats` are numbers of rows; the answer counts for all of them. A seat that they have as a deputy names its holder.
    """

    seats: tuple[int, ...]
    person: Person
    roles: str
    answer: str
    answer_text: str


class OwnSeat(NamedTuple):
    """Seat of the reader in a meeting, and the people who may have it as deputies."""

    number: int
    role: str
    deputies: tuple[Person, ...]


class RoleLine(NamedTuple):
    """Role in the meetings of a product, with the person who has it, and deputies."""

    role: str
    label: str
    people: tuple[Person, ...]
    deputies: tuple[Person, ...]
    is_named: bool


class NextMeeting(NamedTuple):
    """Next meeting of a kind, or why there is none: roles for which nobody is there, people who have no free day."""

    title: str
    row: ProductMeeting | None
    missing: tuple[str, ...]
    lacking: tuple[Person, ...]


def read_meeting_page(request: HttpRequest, row: ProductMeeting) -> dict[str, object]:
    """Values of the page of a meeting."""
    own = current_actor(request).person
    people = list_invited_people(row)
    return {
        "meeting": row,
        "people": people,
        "own": next((each for each in people if each.person.pk == own), None) if row.is_open else None,
        "own_seats": _list_own_seats(row, own) if row.is_open else [],
        "answers": AnswerChoice.choices,
        "moves": row.moves.select_related("moved_by").order_by("-pk"),
        "calendar": find_calendar(),
        "joint": list_joint_lines(row),
        "joinable": list_joinable_meetings(current_actor(request), row),
        "may_plan": row.is_open and could_with_second_factor(request, Action.PLAN_MEETING, row.product.slug),
    }


def list_invited_people(row: ProductMeeting) -> list[InvitedPerson]:
    """People who are invited to a meeting, each once with all roles, in the order of their first one."""
    answers = dict(row.answers.values_list("person", "answer"))
    seats: dict[str, list[MeetingAttendee]] = {}
    for each in row.attendees.select_related("person", "deputises_for"):
        seats.setdefault(each.person_id, []).append(each)
    found = []
    for key, of_person in seats.items():
        answer = answers.get(key, "")
        text = str(AnswerChoice(answer).label) if answer else ""
        roles = ", ".join(_describe_seat(each) for each in of_person)
        found.append(InvitedPerson(tuple(each.pk for each in of_person), of_person[0].person, roles, answer, text))
    return found


def _describe_seat(seat: MeetingAttendee) -> str:
    label = str(MeetingRole(seat.role).label)
    if seat.deputises_for is None:
        return label
    return gettext("%(role)s, for %(name)s") % {"role": label, "name": seat.deputises_for.name}


def _list_own_seats(row: ProductMeeting, person: str) -> list[OwnSeat]:
    taken = set(row.attendees.values_list("person", flat=True))
    found = []
    for seat in row.attendees.filter(person=person):
        named = RoleHolder.objects.filter(product=row.product, role=seat.role, person__active=True)
        deputies = tuple(each.person for each in named.select_related("person") if each.person_id not in taken)
        found.append(OwnSeat(seat.pk, str(MeetingRole(seat.role).label), deputies))
    return found


def read_product_page(request: HttpRequest, product: Product) -> dict[str, object]:
    """Values of the page of a product's meetings."""
    rows = (
        ProductMeeting.objects.filter(product=product).select_related("product").prefetch_related("attendees", "moves")
    )
    found = list(rows)
    values = read_meetings(found)
    numbers = {(product.slug, kind): find_next_number(values, product.slug, kind) for kind in MeetingKind}
    seats = find_all_seats(numbers)
    people = {each.pk: each for each in Person.objects.filter(active=True)}
    lacking = dict(MeetingRhythm.objects.filter(product=product).values_list("kind", "lacking"))
    nexts = []
    for kind in MeetingKind:
        coming = [row for row in found if row.kind == kind and row.is_open]
        missing = tuple(str(role.label) for role in find_missing_roles(kind, seats[product.slug, kind]))
        without_day = _pick_people(people, lacking.get(kind.value, []))
        nexts.append(NextMeeting(str(KIND_TITLES[kind]), coming[0] if coming else None, missing, without_day))
    return {
        "product": product,
        "nexts": nexts,
        "roles": _list_roles(product, {seat for each in seats.values() for seat in each}, people),
        "held": [row for row in reversed(found) if row.held_on is not None][:_HELD_SHOWN],
        "calendar": find_calendar(),
        "may_plan": could_with_second_factor(request, Action.PLAN_MEETING, product.slug),
        "may_set_calendar": could_with_second_factor(request, Action.CHANGE_SETTINGS),
        "people": people.values(),
        "role_choices": MeetingRole.choices,
        **_describe_activity(find_activities(timezone.localdate())[product.slug]),
    }


def _describe_activity(activity: ProductActivity) -> dict[str, object]:
    return {
        "is_active": activity.is_active,
        "signals": [str(_SIGNALS[each]) for each in activity.signals],
        "unknown_signals": [str(_SIGNALS[each]) for each in activity.unknown],
    }


def _list_roles(product: Product, seats: Iterable[Seat], people: dict[str, Person]) -> list[RoleLine]:
    named: dict[str, list[RoleHolder]] = {}
    for row in RoleHolder.objects.filter(product=product, person__active=True).select_related("person"):
        named.setdefault(row.role, []).append(row)
    lines = []
    for role in MeetingRole:
        if rows := named.get(role.value):
            many = role == MeetingRole.MEMBER
            first = tuple(row.person for row in (rows if many else rows[:1]))
            lines.append(
                RoleLine(role.value, str(role.label), first, tuple(r.person for r in rows[len(first) :]), True)
            )
            continue
        of_role = sorted((seat for seat in seats if seat.role == role.value), key=lambda seat: seat.person)
        first = _pick_people(people, [seat.person for seat in of_role])
        deputies = _pick_people(people, [one for seat in of_role for one in seat.deputies])
        lines.append(RoleLine(role.value, str(role.label), first, deputies, False))
    return lines


def _pick_people(people: dict[str, Person], keys: Iterable[str]) -> tuple[Person, ...]:
    return tuple(people[key] for key in dict.fromkeys(keys) if key in people)
