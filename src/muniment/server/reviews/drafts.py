"""Answers that are saved while somebody types. They are no statement: nobody else sees them, and no record is made."""

from collections.abc import Mapping

from django.db import transaction
from django.utils import timezone

from muniment.errors import ParseError
from muniment.server.acts.inputs.texts import read_visible_text
from muniment.server.meetings.models import MeetingAttendee
from muniment.server.reviews.models import OPINION_QUESTIONS, OpinionDraft

_MOST = 2000  # characters, as of an answer
_PREFIX = "answers-"


def store_drafts(seat: MeetingAttendee, fields: Mapping[str, str]) -> None:
    """Store what was typed so far, without text that no answer can have: the form says why when it is sent."""
    with transaction.atomic():
        for question, _label in OPINION_QUESTIONS:
            if f"{_PREFIX}{question}" not in fields:
                continue
            try:
                text = read_visible_text(fields[f"{_PREFIX}{question}"], multiline=True)[:_MOST]
            except ParseError:
                continue
            values = {"text": text, "written_at": timezone.now()}
            OpinionDraft.objects.update_or_create(
                meeting_id=seat.meeting_id, person_id=seat.person_id, question=question, defaults=values
            )


def read_drafts(meeting: int, person: str) -> dict[str, str]:
    """Read the text that a person typed and did not save yet, by question."""
    return dict(OpinionDraft.objects.filter(meeting=meeting, person=person).values_list("question", "text"))
