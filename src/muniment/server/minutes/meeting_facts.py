"""Supplies the fact about a product's meetings: planned, held, signed. Each row is compared with its record."""

from collections.abc import Collection, Mapping

from django.utils import timezone

from muniment.calendars.meetings import MeetingKind
from muniment.facts import kinds
from muniment.facts.facts import Fact
from muniment.facts.maybe import Known
from muniment.facts.meeting_facts import MeetingState, SecurityMeetings
from muniment.server.meetings.models import MeetingAttendee, MeetingRole, ProductMeeting
from muniment.server.meetings.product_activity import find_activities
from muniment.server.minutes.agendas import RULES
from muniment.server.minutes.models import Attendance, Minutes, MinutesSignature
from muniment.server.minutes.taking_part import is_signed
from muniment.server.products.models import Product
from muniment.server.records import row_checks
from muniment.workflows.fact_suppliers import create_fact

_SOURCE = "record"
_TABLES = (Product, ProductMeeting, MeetingAttendee, Attendance, Minutes, MinutesSignature)


class MeetingSupplier:
    """Supplier of a product's meetings (`workflows.fact_suppliers`)."""

    names = frozenset({kinds.SECURITY_MEETINGS.name})

    def supply_facts(self, product: str, names: Collection[str], now: str) -> Mapping[str, Fact]:
        """Supply the fact. Raises RowsDifferError if a row differs from the ledger."""
        found = row_checks.read_recorded(lambda: read_security_meetings(product), *_TABLES)
        return {name: create_fact(Known(found), _SOURCE, now) for name in names if name in self.names}


def read_security_meetings(product: str) -> SecurityMeetings:
    """Meetings of a product as of today."""
    row = Product.objects.get(slug=product)
    activity = find_activities(timezone.localdate())[product]
    return SecurityMeetings(
        active=activity.is_active,
        connected=timezone.localtime(row.created_at).date().isoformat(),
        states=tuple(_read_state(row, kind) for kind in MeetingKind),
    )


def _read_state(product: Product, kind: MeetingKind) -> MeetingState:
    rows = ProductMeeting.objects.filter(product=product, kind=kind, cancelled_at=None)
    coming = rows.filter(held_on=None).order_by("due_on").prefetch_related("attendees")
    following = coming.first()
    last = rows.filter(held_on__isnull=False).order_by("-held_on").first()
    overdue = coming.filter(due_on__lt=timezone.localdate()).first()
    roles = {each.role for each in following.attendees.all()} if following is not None else set()
    rules = RULES[kind]
    return MeetingState(
        kind=kind.value,
        next_day=following.date.isoformat() if following is not None else "",
        next_due=following.due_on.isoformat() if following is not None else "",
        last_held=last.held_on.isoformat() if last is not None and last.held_on is not None else "",
        overdue_since=overdue.due_on.isoformat() if overdue is not None else "",
        unsigned_since=_find_unsigned_day(product, kind),
        lead=rules.lead in roles,
        missing_roles=tuple(role.value for role in (*rules.quorum, MeetingRole.OWNER) if role not in roles),
    )


def _find_unsigned_day(product: Product, kind: MeetingKind) -> str:
    """Day of the oldest meeting that was held and whose minutes lack a signature, "" for none."""
    held = Minutes.objects.filter(meeting__product=product, meeting__kind=kind, closed_at__isnull=False)
    rows = held.select_related("meeting").prefetch_related("signatures__proof__authenticator").order_by("closed_at")
    return next((str(each.meeting.held_on) for each in rows if not is_signed(each)), "")
