"""Changes of a meeting that the people who are invited have to know."""

from django.utils import timezone

from muniment.calendars.invitations import next_sequence
from muniment.server.meetings.models import ProductMeeting


def touch_meeting(meeting: ProductMeeting) -> None:
    """Raise the sequence of a meeting, so that everybody invited gets a new invitation."""
    now = timezone.now()
    sequence = next_sequence(now, meeting.sequence)
    ProductMeeting.objects.filter(pk=meeting.pk).update(sequence=sequence, changed_at=now)
    meeting.sequence, meeting.changed_at = sequence, now
