"""States of meetings that several people made together, as values that no one of them loosens alone.

No act here waits for a second person's approval: each one does their own part. What one person may not do is to change
the part of another, or to do all parts.
"""

from muniment.server.acts.guarded_state import GuardedFact, GuardedFacts
from muniment.server.meetings.models import MeetingRole
from muniment.server.minutes.models import Minutes
from muniment.server.minutes.taking_part import check_quorum, find_present_people, is_signed


def read_confirmed_minutes() -> GuardedFacts:
    """Frozen agendas and minutes, who was there, and each signature; permitted is that a meeting counts as confirmed,
    which takes two people at least.
    """
    protected: set[GuardedFact] = set()
    permitted: set[GuardedFact] = set()
    for row in Minutes.objects.select_related("meeting__product").prefetch_related("signatures"):
        name = row.meeting.lasting_key
        protected.add((name, "agenda", row.agenda_digest))
        if not row.is_closed:
            continue
        protected.add((name, "minutes", row.digest))
        protected |= {(name, "present", person) for person in find_present_people(row.meeting)}
        protected |= {
            (name, "signature", each.person_id, each.role, each.statement, each.digest) for each in row.signatures.all()
        }
        if is_signed(row):
            permitted.add((name, "confirmed"))
    return GuardedFacts(permitted=frozenset(permitted), protected=frozenset(protected))


def read_missing_quorum() -> GuardedFacts:
    """Roles of the quorum that were missing in meetings that have ended: none may be added. The officer's absence can
    be excused, by what the service sent her.
    """
    rows = Minutes.objects.filter(closed_at__isnull=False).select_related("meeting__product")
    return GuardedFacts(
        permitted=frozenset(
            (row.meeting.lasting_key, "without", each.role.value)
            for row in rows
            for each in check_quorum(row.meeting)
            if not each.is_met and each.role != MeetingRole.DPO
        )
    )
