"""Reads what the pages of a meeting in progress and of its minutes show."""

import datetime
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from django.http import HttpRequest
from django.utils import timezone

from muniment.access.actions import Action
from muniment.access.authorization import AccessResult, Resource, authorize
from muniment.calendars.meetings import MeetingKind
from muniment.facts import canonical
from muniment.server.guarding.mediation import current_actor
from muniment.server.meetings.joint_meetings import list_joint_lines
from muniment.server.meetings.models import MeetingAttendee, MeetingRole, ProductMeeting
from muniment.server.minutes.agendas import RULES, AgendaSection, decode_agenda, read_agenda, translate_section
from muniment.server.minutes.minutes_text import FrozenEntry, FrozenSeat, decode_minutes
from muniment.server.minutes.models import (
    AgendaItem,
    Attendance,
    ItemState,
    Minutes,
    MinutesEntry,
    Statement,
)
from muniment.server.minutes.passkey_signatures import find_proof, find_signing_address
from muniment.server.minutes.taking_part import check_quorum, find_lead, find_objection_end, list_signers
from muniment.server.minutes.unchanged_items import find_unchanged_items
from muniment.server.people.models import Person
from muniment.server.products.views import could_with_second_factor


class ShownItem(NamedTuple):
    """Item of an agenda: its section, its state ("" before the opening), the reason of a deferred one."""

    section: AgendaSection
    position: int
    state: str
    reason: str


class ShownAttendee(NamedTuple):
    """Person who is invited, with roles, and whether they are present: None as long as nobody said."""

    person: Person
    roles: str
    is_present: bool | None


class OtherAttendee(NamedTuple):
    """Person with seats that do not sign, the first seat with the roles of all, and their word: an objection, or
    silence once the days are over.
    """

    seat: MeetingAttendee
    roles: str
    objected: bool
    is_silent: bool


class SigningChoice(NamedTuple):
    """Statement that a person can sign: at `address` with a passkey, "" without one; `is_made` if that was done."""

    value: str
    label: str
    address: str
    is_made: bool


class FrozenEntryLine(NamedTuple):
    """Entry of frozen minutes with the present state of its action or advice, None if that was deleted. `due` is the
    day of an action.
    """

    entry: FrozenEntry
    author: str
    owner: str
    now: MinutesEntry | None
    due: datetime.date | None


def read_held_page(request: HttpRequest, meeting: ProductMeeting, minutes: Minutes | None) -> dict[str, object]:
    """Values of the page of a meeting before and while it is held."""
    items = _list_items(meeting, minutes)
    wanted = request.GET.get("item", "")
    current = next((each for each in items if each.section.code == wanted), None)
    if current is None:
        current = next((each for each in items if each.state == ItemState.OPEN), items[0] if items else None)
    entries = list(meeting.entries.select_related("author", "owner"))
    unchanged = find_unchanged_items(meeting)
    seats = list(meeting.attendees.filter(person=current_actor(request).person).select_related("person"))
    return {
        "meeting": meeting,
        "joint": list_joint_lines(meeting),
        "minutes": minutes,
        "items": items,
        "current": current,
        "done": sum(each.state in (ItemState.DONE, ItemState.DEFERRED) for each in items),
        "entries": entries,
        "unchanged": [each for each in items if each.section.code in unchanged],
        "planned_minutes": sum(each.section.minutes for each in items),
        "elapsed_minutes": (timezone.now() - minutes.opened_at).seconds // 60 if minutes is not None else None,
        "item_entries": [each for each in entries if current is not None and each.item == current.section.code],
        "attendees": _list_attendees(meeting),
        "quorum": check_quorum(meeting),
        "is_lead": _is_lead(request, meeting),
        "own_seat": seats[0] if seats else None,
        "dpo_seat": next((seat for seat in seats if seat.role == MeetingRole.DPO), None),
        "people": Person.objects.filter(active=True),
        "names": find_agenda_names(items),
        "may_answer_advice": could_with_second_factor(request, Action.ANSWER_ADVICE, meeting.product.slug),
    }


def read_minutes_page(request: HttpRequest, minutes: Minutes) -> dict[str, object]:
    """Values of the page of minutes."""
    meeting, frozen = minutes.meeting, decode_minutes(minutes.text)
    own = current_actor(request).person
    signers = list_signers(minutes)
    rows = {each.pk: each for each in meeting.entries.select_related("author", "owner")}
    names: Mapping[str, str] = dict(Person.objects.values_list("pk", "name"))
    signed = {(each.seat.person_id, each.seat.role) for each in signers}
    others = _list_others(minutes, signed)
    to_sign = next((each for each in signers if each.seat.person_id == own and not each.signature), None)
    last = find_objection_end(minutes)
    return {
        "meeting": meeting,
        "joint": list_joint_lines(meeting),
        "minutes": minutes,
        "frozen": frozen,
        "outcomes": [translate_section(each) for each in frozen.outcomes],
        "names": names,
        "is_unchanged": canonical.digest_value(frozen) == minutes.digest,
        "has_absent": any(not each.is_present for each in frozen.seats),
        "seats": _list_frozen_seats(frozen.seats, names),
        "entries": [_show_entry(each, names, rows) for each in frozen.entries],
        "signers": signers,
        "signed": sum(each.signature is not None for each in signers),
        "own_signature": to_sign,
        "choices": list_signing_choices(minutes, to_sign.seat) if to_sign is not None else [],
        "others": others,
        "own_seat": next((each.seat for each in others if each.seat.person_id == own), None),
        "comments": minutes.comments.select_related("person"),
        "objection_end": last,
        "may_object": last is not None and timezone.localdate() <= last,
        "is_lead": _is_lead(request, meeting),
        "may_answer_advice": could_with_second_factor(request, Action.ANSWER_ADVICE, meeting.product.slug),
        "next": ProductMeeting.objects.filter(
            product=meeting.product, kind=meeting.kind, held_on=None, cancelled_at=None
        ).first(),
    }


def list_signing_choices(minutes: Minutes, seat: MeetingAttendee) -> list[SigningChoice]:
    """Statements that a seat can sign: the Data Protection Officer advises, everybody else confirms."""
    address = find_signing_address(minutes, seat)
    return [
        SigningChoice(
            one.value,
            str(one.label),
            f"{address}/{one.value}" if address else "",
            find_proof(minutes, seat, one.value) is not None,
        )
        for one in Statement
        if (seat.role == MeetingRole.DPO) != (one is Statement.CONFIRMED)
    ]


def _list_others(minutes: Minutes, signed: set[tuple[str, str]]) -> list[OtherAttendee]:
    objected = set(minutes.comments.filter(is_objection=True).values_list("person", flat=True))
    rows = minutes.meeting.attendees.select_related("person")
    seats = _group_by_person(row for row in rows if (row.person_id, row.role) not in signed)
    return [
        OtherAttendee(of_person[0], _join_roles(of_person), key in objected, minutes.silent_since is not None)
        for key, of_person in seats.items()
    ]


def _group_by_person(rows: Iterable[MeetingAttendee]) -> dict[str, list[MeetingAttendee]]:
    seats: dict[str, list[MeetingAttendee]] = {}
    for row in rows:
        seats.setdefault(row.person_id, []).append(row)
    return seats


def _join_roles(seats: Iterable[MeetingAttendee]) -> str:
    return ", ".join(str(each.get_role_display()) for each in seats)


def _list_frozen_seats(seats: Iterable[FrozenSeat], names: Mapping[str, str]) -> list[tuple[str, str, FrozenSeat]]:
    """Name, roles and first seat of each person of frozen minutes."""
    of_person: dict[str, list[FrozenSeat]] = {}
    for each in seats:
        of_person.setdefault(each.person, []).append(each)
    return [
        (names.get(key, ""), ", ".join(str(MeetingRole(one.role).label) for one in found), found[0])
        for key, found in of_person.items()
    ]


def find_agenda_names(items: list[ShownItem]) -> Mapping[str, str]:
    """Names of the people in an agenda, by internal id."""
    wanted = {line.person for each in items for line in each.section.lines if line.person}
    return dict(Person.objects.filter(pk__in=wanted).values_list("pk", "name"))


def _is_lead(request: HttpRequest, meeting: ProductMeeting) -> bool:
    why = authorize(current_actor(request), Action.CHAIR_MEETING, Resource(owner=find_lead(meeting)))
    return why in (AccessResult.YES, AccessResult.NO_SECOND_FACTOR)


def _list_items(meeting: ProductMeeting, minutes: Minutes | None) -> list[ShownItem]:
    if minutes is None:
        return [ShownItem(each, at, "", "") for at, each in enumerate(read_agenda(meeting), start=1)]
    rows = {each.code: each for each in AgendaItem.objects.filter(minutes=minutes)}
    is_live = RULES[MeetingKind(meeting.kind)].is_made_in_meeting
    frozen = () if is_live else decode_agenda(minutes.agenda).sections
    sections = read_agenda(meeting) if is_live else tuple(translate_section(each) for each in frozen)
    return [
        ShownItem(each, at, rows[each.code].state, rows[each.code].reason) for at, each in enumerate(sections, start=1)
    ]


def _list_attendees(meeting: ProductMeeting) -> list[ShownAttendee]:
    present = dict(Attendance.objects.filter(meeting=meeting).values_list("person", "is_present"))
    seats = _group_by_person(meeting.attendees.select_related("person"))
    return [
        ShownAttendee(of_person[0].person, _join_roles(of_person), present.get(key)) for key, of_person in seats.items()
    ]


def _show_entry(entry: FrozenEntry, names: Mapping[str, str], rows: Mapping[int, MinutesEntry]) -> FrozenEntryLine:
    due = datetime.date.fromisoformat(entry.due) if entry.due else None
    author, owner = names.get(entry.author, ""), names.get(entry.owner, "")
    return FrozenEntryLine(entry, author, owner, rows.get(entry.number), due)
