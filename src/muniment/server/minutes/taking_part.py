"""Who has to take part in a meeting and to sign, and who did."""

import datetime

from django.utils import timezone
from django.utils.translation import gettext as _
from msgspec import Struct

from muniment.calendars.meetings import MeetingKind
from muniment.errors import RefusedError
from muniment.server.meetings.models import MeetingAttendee, MeetingRole, ProductMeeting, SentNotice
from muniment.server.meetings.seat_acts import refuse_conflicting_roles, refuse_other_officer
from muniment.server.minutes.agendas import RULES
from muniment.server.minutes.models import (
    OBJECTION_DAYS,
    Attendance,
    EntryKind,
    Minutes,
    MinutesEntry,
    MinutesSignature,
    count_working_days,
)
from muniment.server.minutes.passkey_signatures import SignatureMethod, find_signature_method

_DPO_NOTICE_DAYS = 10  # working days
_DPO_REMINDERS = 2
_LEAST_SIGNERS = 2  # people, whatever their roles


class QuorumRole(Struct, frozen=True):
    """Role that has to take part. `excuse` is the sentence by which the meeting closes without it, "" for none."""

    role: MeetingRole
    is_present: bool
    excuse: str = ""

    @property
    def is_met(self) -> bool:
        """Whether the role does not stop the closing."""
        return self.is_present or bool(self.excuse)


class Signer(Struct, frozen=True):
    """Seat whose person has to sign, and the signature with its method, None while it is missing."""

    seat: MeetingAttendee
    signature: MinutesSignature | None
    method: SignatureMethod | None = None


def find_lead(meeting: ProductMeeting) -> str:
    """Internal id of the chair or facilitator of a meeting, "" for none."""
    role = RULES[MeetingKind(meeting.kind)].lead
    return meeting.attendees.filter(role=role).values_list("person", flat=True).first() or ""


def find_present_people(meeting: ProductMeeting) -> frozenset[str]:
    """Internal ids of people whose attendance was confirmed."""
    return frozenset(Attendance.objects.filter(meeting=meeting, is_present=True).values_list("person", flat=True))


def check_quorum(meeting: ProductMeeting) -> tuple[QuorumRole, ...]:
    """Roles that have to take part, by confirmed attendance. Each person counts for one role: a review of one person
    in several seats would have no second pair of eyes.
    """
    left = set(find_present_people(meeting))
    seats = list(meeting.attendees.all())
    found = []
    for role in RULES[MeetingKind(meeting.kind)].quorum:
        counted = next((seat.person_id for seat in seats if seat.role == role and seat.person_id in left), None)
        left.discard(counted or "")
        is_present = counted is not None
        excuse = _excuse_dpo(meeting) if role == MeetingRole.DPO and not is_present else ""
        found.append(QuorumRole(role, is_present, excuse))
    return tuple(found)


def refuse_unfit_seats(meeting: ProductMeeting) -> None:
    """Raise RefusedError for a seat that counts whose person has other roles by now than when they were named."""
    rules, present = RULES[MeetingKind(meeting.kind)], find_present_people(meeting)
    for seat in meeting.attendees.select_related("person", "deputises_for"):
        role = MeetingRole(seat.role)
        if role == rules.lead or (role in rules.quorum and seat.person_id in present):
            refuse_conflicting_roles(role, seat.person, meeting.product)
            refuse_other_officer(role, seat.deputises_for or seat.person, meeting.product)


def refuse_single_signer(meeting: ProductMeeting) -> None:
    """Raise RefusedError if one person alone would confirm the minutes of a meeting."""
    seats = _choose_signing_seats(meeting, frozenset())
    if len({seat.person_id for seat in seats}) < _LEAST_SIGNERS:
        raise RefusedError(
            "one-signer",
            _("One person alone would confirm the minutes."),
            _("Name a product owner, or confirm the attendance of somebody else who is invited."),
        )


def list_signers(minutes: Minutes) -> tuple[Signer, ...]:
    """Seats that have to sign: the lead, and the roles of the kind of meeting, two people at least."""
    rows = [each for each in minutes.signatures.all() if each.digest == minutes.digest]
    methods = {each.pk: find_signature_method(each, minutes) for each in rows}
    signed = {(each.person_id, each.role): each for each in rows if methods[each.pk] is not SignatureMethod.INVALID}
    seats = _choose_signing_seats(minutes.meeting, frozenset(signed))
    return tuple(_make_signer(seat, signed.get((seat.person_id, seat.role)), methods) for seat in seats)


def _choose_signing_seats(meeting: ProductMeeting, signed: frozenset[tuple[str, str]]) -> list[MeetingAttendee]:
    """Seats that sign. `signed` are people and roles that did: somebody who left later stays among them.

    Where they are one person, as in a small team, the first other person who was there signs too.
    """
    rules, present = RULES[MeetingKind(meeting.kind)], find_present_people(meeting)
    seats = list(meeting.attendees.select_related("person"))

    def must_sign(seat: MeetingAttendee) -> bool:
        if seat.role not in rules.signers:
            return False
        if seat.role in rules.signs_absent and (seat.person.active or (seat.person_id, seat.role) in signed):
            return True
        return seat.person_id in present or seat.role == rules.lead

    chosen = [seat for seat in seats if must_sign(seat)]
    people = {seat.person_id for seat in chosen}
    if len(people) < _LEAST_SIGNERS:
        others = [each for each in seats if each.person_id in present - people and each.role in rules.quorum]
        others.sort(key=lambda each: ((each.person_id, each.role) not in signed, each.pk))
        chosen += others[:1]
    return chosen


def _make_signer(
    seat: MeetingAttendee, signature: MinutesSignature | None, methods: dict[int, SignatureMethod]
) -> Signer:
    return Signer(seat, signature, methods[signature.pk] if signature is not None else None)


def is_signed(minutes: Minutes) -> bool:
    """Whether the meeting has ended, and everybody who has to sign did."""
    signers = list_signers(minutes) if minutes.is_closed else ()
    has_two = len({signer.seat.person_id for signer in signers}) >= _LEAST_SIGNERS
    return has_two and all(signer.signature is not None for signer in signers)


def _excuse_dpo(meeting: ProductMeeting) -> str:
    """Sentence by which a review closes without the Data Protection Officer, "" if it does not.

    She was invited ten working days before, reminded twice, and gave neither advice nor deputy. What was sent before
    she had the seat went to somebody else.
    """
    seat = meeting.attendees.filter(role=MeetingRole.DPO).first()
    if seat is None:
        return ""
    invited = max(meeting.dated_on, timezone.localtime(seat.invited_at).date())
    if count_working_days(invited, meeting.date) < _DPO_NOTICE_DAYS:
        return ""
    reminders = SentNotice.objects.filter(meeting=meeting, key__contains="/reminder-", sent_at__gte=seat.invited_at)
    if reminders.count() < _DPO_REMINDERS:
        return ""
    if MinutesEntry.objects.filter(meeting=meeting, kind=EntryKind.ADVICE, author=seat.person).exists():
        return _("The Data Protection Officer gave advice before the meeting.")
    return _(
        "The Data Protection Officer was invited ten working days before and reminded twice. "
        "There was neither advice nor a deputy."
    )


def find_objection_end(minutes: Minutes) -> datetime.date | None:
    """Last day for objections; None while the meeting is open."""
    if minutes.closed_at is None:
        return None
    day, left = timezone.localtime(minutes.closed_at).date(), OBJECTION_DAYS
    while left:
        day += datetime.timedelta(1)
        left -= day.weekday() < 5
    return day
