"""Facts about the security reviews and retros of a product: planned, held, signed, overdue."""

from msgspec import Struct


class MeetingState(Struct, frozen=True):
    """State of one kind of meeting. Days are ISO 8601, "" for none.

    `overdue_since` is the due date of the oldest one that was to be held by now and was not. `unsigned_since` is the
    day of the oldest one that was held, and whose minutes are not complete and signed. `missing_roles` are roles of the
    next meeting for which nobody is invited, `lead` whether somebody chairs or facilitates it.
    """

    kind: str  # `review` or `retro`
    next_day: str
    next_due: str
    last_held: str
    overdue_since: str
    unsigned_since: str
    lead: bool
    missing_roles: tuple[str, ...]


class SecurityMeetings(Struct, frozen=True):
    """Meetings of a product. `connected` is the day on which it was added. An inactive product needs none."""

    active: bool
    connected: str
    states: tuple[MeetingState, ...]

    def find_state(self, kind: str) -> MeetingState | None:
        """State of a kind of meeting; None if it is not known."""
        return next((state for state in self.states if state.kind == kind), None)
