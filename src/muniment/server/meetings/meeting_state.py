"""Meetings, people and seats as values that `calendars` plans with, read from the tables."""

from collections.abc import Iterable

from muniment.access.roles import Role
from muniment.calendars.meetings import Attendee, Meeting, MeetingKind, MeetingMove, Seat
from muniment.calendars.planning import Participant
from muniment.calendars.working_days import parse_region
from muniment.server.meetings import models
from muniment.server.meetings.models import MeetingRole, PersonRegion, RoleHolder
from muniment.server.people.models import Person, RoleGrant, build_in_force_condition

SEATS = {
    MeetingKind.REVIEW: (
        *(MeetingRole.CHAIR, MeetingRole.ANALYST, MeetingRole.DPO, MeetingRole.STAKEHOLDER, MeetingRole.OWNER),
    ),
    MeetingKind.RETRO: (MeetingRole.FACILITATOR, MeetingRole.OWNER, MeetingRole.MEMBER),
}
_GRANTS = {  # roles of the access table that fill a seat for which nobody was named
    MeetingRole.CHAIR: Role.SECURITY,
    MeetingRole.ANALYST: Role.ANALYST,
    MeetingRole.DPO: Role.DPO,
    MeetingRole.STAKEHOLDER: Role.STAKEHOLDER,
    MeetingRole.OWNER: Role.OWNER,
    MeetingRole.MEMBER: Role.DEVELOPER,
    MeetingRole.FACILITATOR: Role.DEVELOPER,
}
_OF_PRODUCT_ALONE = {Role.DEVELOPER, Role.OWNER}  # one for all products is in no team


def read_meeting(row: models.ProductMeeting) -> Meeting:
    """Value of a meeting, with its attendees and moves. Its product has to be loaded."""
    return Meeting(
        product=row.product.slug,
        kind=MeetingKind(row.kind),
        number=row.number,
        due=row.due_on,
        date=row.date,
        time=row.time,
        attendees=tuple(
            Attendee(each.role, each.person_id, each.deputises_for_id or "") for each in row.attendees.all()
        ),
        dated_on=row.dated_on,
        moves=tuple(
            MeetingMove(each.before, each.after, each.moved_on, each.moved_by_id or "", each.reason)
            for each in row.moves.all()
        ),
        held=row.held_on,
    )


def read_meetings(rows: "Iterable[models.ProductMeeting]") -> tuple[Meeting, ...]:
    """Values of several meetings, in the order of their rows."""
    return tuple(read_meeting(row) for row in rows)


def read_open_meetings() -> tuple[Meeting, ...]:
    """Values of all meetings that are still to be held."""
    return read_meetings(models.find_open_meetings().prefetch_related("attendees", "moves"))


def find_participants(region: str) -> dict[str, Participant]:
    """Active people by id, each with their region, or that of the organisation."""
    own = dict(PersonRegion.objects.values_list("person", "region"))
    people = Person.objects.filter(active=True).values_list("pk", flat=True)
    return {person: Participant(parse_region(own.get(person, region))) for person in people}


def find_all_seats(numbers: dict[tuple[str, MeetingKind], int]) -> dict[tuple[str, MeetingKind], tuple[Seat, ...]]:
    """Seats of the next meetings of products, by product and kind: named people, else those who have the role.

    `numbers` are those of the next meetings: the facilitator of a retro changes from one to the next.
    """
    named: dict[tuple[str, str], list[str]] = {}
    rows = RoleHolder.objects.filter(person__active=True).order_by("position", "pk")
    for slug, role, person in rows.values_list("product__slug", "role", "person"):
        named.setdefault((slug, role), []).append(person)
    granted = _find_grants()
    return {
        (product, kind): tuple(
            seat for role in SEATS[kind] for seat in _make_seats(role, product, number, named, granted)
        )
        for (product, kind), number in numbers.items()
    }


def find_missing_roles(kind: MeetingKind, seats: Iterable[Seat]) -> tuple[MeetingRole, ...]:
    """Roles of a meeting for which nobody is there."""
    present = {seat.role for seat in seats}
    return tuple(role for role in SEATS[kind] if role not in present)


def format_seats(attendees: Iterable[Attendee]) -> list[str]:
    """Seats in the form of the acts that store them: `role person`, or `role deputy person`."""
    return [f"{each.role} {each.person} {each.deputises_for}".strip() for each in attendees]


def _find_grants() -> dict[tuple[str, Role], list[str]]:
    """People by product ("" for all) and role, in the order of their names."""
    found: dict[tuple[str, Role], list[str]] = {}
    rows = RoleGrant.objects.filter(build_in_force_condition(), person__active=True, role__in=set(_GRANTS.values()))
    for slug, role, person in rows.order_by("person__name", "person").values_list("product__slug", "role", "person"):
        found.setdefault((slug or "", Role(role)), []).append(person)
    return found


def _make_seats(
    role: MeetingRole,
    product: str,
    number: int,
    named: dict[tuple[str, str], list[str]],
    granted: dict[tuple[str, Role], list[str]],
) -> tuple[Seat, ...]:
    people, access = named.get((product, role), []), _GRANTS[role]
    own = granted.get((product, access), [])
    everywhere = [] if access in _OF_PRODUCT_ALONE else granted.get(("", access), [])
    having = list(dict.fromkeys((*own, *everywhere)))
    if role == MeetingRole.DPO:  # whoever plans meetings names her deputies at most: two people granted her role
        officers = [person for person in people if person in having] or having
        people = [*officers, *(person for person in people if person not in officers)] if officers else []
    else:
        barred = {*granted.get((product, Role.DPO), []), *granted.get(("", Role.DPO), [])}
        if role == MeetingRole.STAKEHOLDER:
            barred |= {person for access in _OF_PRODUCT_ALONE for person in granted.get((product, access), [])}
        people, having = ([one for one in found if one not in barred] for found in (people, having))
    if not people:
        people = having
        if role == MeetingRole.FACILITATOR and people:  # it rotates
            first = number % len(people)
            people = [*people[first:], *people[:first]]
    if not people:
        return ()
    if role == MeetingRole.MEMBER:
        return tuple(Seat(role.value, person) for person in people)
    return (Seat(role.value, people[0], tuple(people[1:])),)
