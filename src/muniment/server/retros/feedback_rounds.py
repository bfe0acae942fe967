"""Rounds of anonymous feedback: take a code, answer by it, show all answers at once after the closing."""

import datetime
from collections.abc import Callable
from pathlib import Path
from zoneinfo import ZoneInfo

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from muniment.calendars.meetings import MeetingKind
from muniment.errors import RefusedError
from muniment.server.guarding.home_keys import delete_feedback_key, make_feedback_key
from muniment.server.meetings.models import MeetingAttendee, MeetingRole, ProductMeeting, find_calendar
from muniment.server.policies.policy_in_force import current_clauses
from muniment.server.retros.feedback_cells import (
    AnswerSheet,
    RoundContent,
    decrypt_content,
    encrypt_content,
    list_sheets,
    make_content,
    shuffle_values,
    take_code,
    use_code,
)
from muniment.server.retros.models import (
    ConfidentialAnswer,
    FeedbackCodeTaken,
    FeedbackQuestion,
    FeedbackRound,
    FeedbackState,
    RetroCard,
    Subject,
)

TEAM = (MeetingRole.MEMBER, MeetingRole.FACILITATOR)  # managers, as the product owner, are left out
_CLOSES_AT = datetime.time(18)
_CONTROL = "security-retro-held"
_USUAL_LEAST, _NEVER_BELOW = 5, 3


def find_closing(meeting: ProductMeeting) -> datetime.datetime:
    """Moment at which feedback closes: 18:00 on the day before the retro, in the organisation's zone."""
    calendar = find_calendar()
    zone = ZoneInfo(calendar.zone) if calendar is not None else timezone.get_default_timezone()
    return datetime.datetime.combine(meeting.date - datetime.timedelta(1), _CLOSES_AT, zone)


def is_feedback_closed(meeting: ProductMeeting) -> bool:
    """Whether nobody can answer any more."""
    return not meeting.is_open or timezone.now() >= find_closing(meeting)


def read_least_answers() -> int:
    """Number of answers from which they are shown, by the policy in force: never below three. Raises PolicyError."""
    limits = (clause.parameters.get("feedback_answers") for clause in current_clauses() if clause.control == _CONTROL)
    least = next((each for each in limits if isinstance(each, int)), _USUAL_LEAST)
    return max(_NEVER_BELOW, least)


def count_team(meeting: ProductMeeting) -> int:
    """People who can take a code: of all retros that are held together."""
    return _find_team(meeting).values("person").distinct().count()


def is_in_team(meeting: ProductMeeting, person: str) -> bool:
    """Whether a person can take a code."""
    return _find_team(meeting).filter(person=person).exists()


def _find_team(meeting: ProductMeeting) -> "QuerySet[MeetingAttendee]":
    return MeetingAttendee.objects.filter(meeting__in=meeting.list_joint(), role__in=TEAM)


def issue_code(meeting: ProductMeeting, person: str) -> str:
    """Give a person a code, and note that they took one, not which. Raises RefusedError.

    Retros that are held together have one round, that of the main one: among more people nobody stands out. The first
    code begins the round. The meeting's row is locked, so that two people cannot both begin it.
    """
    meeting = meeting.find_main()
    with transaction.atomic():
        ProductMeeting.objects.select_for_update().get(pk=meeting.pk)
        _refuse_closed(meeting)
        if not is_in_team(meeting, person):
            raise RefusedError("not-in-team", _("Only the team takes a code."), _("Write a card under your name."))
        row = FeedbackRound.objects.filter(meeting=meeting).first() or _begin_round(meeting)
        if row.taken.filter(person=person).exists():
            raise RefusedError(
                "code-taken", _("You took a code already."), _("It cannot be shown again: nobody knows which it was.")
            )
        code, content = take_code(_read_content(row))
        FeedbackCodeTaken.objects.create(feedback=row, person_id=person)
        _store_content(row, content)
    return code


def store_feedback_answer(meeting: ProductMeeting, code: str, sheet: AnswerSheet) -> None:
    """Store answers by a code. Raises RefusedError for a wrong code, and after the closing."""
    meeting = meeting.find_main()
    with transaction.atomic():
        _refuse_closed(meeting)
        row = FeedbackRound.objects.select_for_update().filter(meeting=meeting, state=FeedbackState.OPEN).first()
        if row is None:
            raise RefusedError("wrong-code", _("This code is not known, or it was used."), _("Compare it once more."))
        _store_content(row, use_code(_read_content(row), code, sheet))


def show_answers(meeting: ProductMeeting) -> None:
    """Show all answers at once, each question shuffled apart, or none if there are too few.

    With too few, an answer is destroyed, or goes to the Data Protection Officer, as its writer chose beforehand.
    """
    row = FeedbackRound.objects.select_for_update().get(meeting=meeting)
    state, sheets = _open_sheets(row)
    if state is FeedbackState.SHOWN:
        _add_answers(sheets, lambda question, text: _make_card(meeting, question, text))
    else:
        entrusted_sheets = [each for each in sheets if each.to_dpo]
        _add_answers(
            entrusted_sheets,
            lambda question, text: ConfidentialAnswer(meeting=meeting, question=question.value, text=text),
        )
    moods = shuffle_values([each.mood for each in sheets if each.mood]) if state is FeedbackState.SHOWN else []
    counts = {mood: moods.count(mood) for mood in sorted(set(moods))}
    row.taken.all().delete()
    FeedbackRound.objects.filter(pk=row.pk).update(state=state, cells=b"", moods=counts)
    home = Path(settings.HOME)
    transaction.on_commit(
        lambda: delete_feedback_key(home, meeting.pk)
    )  # not before: a rollback would lose the answers


def _open_sheets(row: FeedbackRound) -> tuple[FeedbackState, list[AnswerSheet]]:
    try:
        sheets = list_sheets(_read_content(row))
    except RefusedError:  # the key is gone, and with it the answers
        return FeedbackState.LOST, []
    state = FeedbackState.SHOWN if len(sheets) >= read_least_answers() else FeedbackState.TOO_FEW
    return state, sheets


def _add_answers(
    sheets: list[AnswerSheet], make: Callable[[FeedbackQuestion, str], RetroCard | ConfidentialAnswer]
) -> None:
    """Add the texts of each question in an order of its own, so that no two answers of a writer stand together."""
    for question in FeedbackQuestion:
        texts = shuffle_values([str(getattr(sheet, question.value)) for sheet in sheets])
        for text in filter(None, texts):
            make(question, text).save(force_insert=True)


def _make_card(meeting: ProductMeeting, question: FeedbackQuestion, text: str) -> RetroCard:
    subject = Subject.THREATS if question is FeedbackQuestion.NEXT else Subject.FEEDBACK
    return RetroCard(meeting=meeting, subject=subject.value, question=question.value, text=text)


def _begin_round(meeting: ProductMeeting) -> FeedbackRound:
    home = Path(settings.HOME)
    make_feedback_key(home, meeting.pk, AESGCM.generate_key(256))
    cells = encrypt_content(home, meeting.pk, make_content(count_team(meeting)))
    return FeedbackRound.objects.create(meeting=meeting, cells=cells)


def _refuse_closed(meeting: ProductMeeting) -> None:
    if meeting.kind != MeetingKind.RETRO:
        raise RefusedError("no-retro", _("This meeting is no retro."), _("Choose a retro."))
    if is_feedback_closed(meeting):
        raise RefusedError("feedback-closed", _("Feedback is closed."), _("Write a card under your name."))


def _read_content(row: FeedbackRound) -> RoundContent:
    return decrypt_content(Path(settings.HOME), row.meeting_id, bytes(row.cells))


def _store_content(row: FeedbackRound, content: RoundContent) -> None:
    cells = encrypt_content(Path(settings.HOME), row.meeting_id, content)
    FeedbackRound.objects.filter(pk=row.pk).update(cells=cells)
