"""Attacks with the login of each process on what people did together: meetings, minutes, reviews and retros."""

from collections.abc import Iterator

import psycopg
import pytest
from django.db import transaction

from muniment.server.guarding.database_roles import CONFIRMATION, ERASER, OPERATOR, PROCESSES, SEQUENCER, WEB, WORKER
from muniment.server.meetings.models import MeetingAttendee, ProductMeeting
from muniment.server.minutes.models import Minutes, MinutesSignature
from muniment.server.retros.models import RetroThreat
from muniment.server.running import preparation
from muniment.server.running.embedded_postgres import EmbeddedPostgres
from tests.server.test_login_attacks import DENIED, login
from tests.support import one_person
from tests.support.decided_meetings import hold_shop_meetings
from tests.support.service import as_role, empty, trust_rows

_OF_CLOSED = "FROM minutes_minutes WHERE closed_at IS NOT NULL"
_COLUMNS = "meeting_id, text, stride, likelihood, impact, trend, treatment, mitigation, residual, owner_id, accepted_on"
_COPIED = "meeting_id, 'x', stride, likelihood, impact, trend, treatment, mitigation, residual, 'mal', now()"

CHANGES = (  # of minutes, meetings, retros and reviews: nobody may, or not of what was frozen
    "UPDATE minutes_minutes SET agenda_digest = 'x'",
    "UPDATE minutes_minutes SET opened_at = now()",
    "UPDATE minutes_minutes SET meeting_id = meeting_id",
    "DELETE FROM minutes_minutes",
    "UPDATE minutes_minutessignature SET statement = 'confirmed'",
    "UPDATE minutes_minutessignature SET person_id = 'mal'",
    "DELETE FROM minutes_minutessignature",
    "UPDATE minutes_attendance SET is_present = true",
    "UPDATE minutes_attendance SET person_id = 'mal'",
    "DELETE FROM minutes_attendance",
    f"INSERT INTO minutes_attendance (meeting_id, person_id, is_present) SELECT meeting_id, 'mal', true {_OF_CLOSED}",
    "UPDATE minutes_minutesentry SET author_id = 'mal'",
    "UPDATE minutes_minutesentry SET written_at = now()",
    "UPDATE minutes_agendaitem SET state = 'open'",
    "UPDATE meetings_productmeeting SET due_on = '2099-01-01'",
    "UPDATE meetings_productmeeting SET number = number + 100",
    "UPDATE meetings_productmeeting SET held_on = now() WHERE held_on IS NULL",
    "UPDATE meetings_productmeeting SET held_on = NULL",
    "DELETE FROM meetings_productmeeting",
    "UPDATE meetings_meetingattendee SET role = 'dpo'",
    "UPDATE meetings_meetingattendee SET invited_at = '2020-01-01'",
    "UPDATE meetings_meetingattendee SET person_id = 'mal'",
    "UPDATE meetings_roleholder SET person_id = 'mal'",
    "UPDATE meetings_sentnotice SET sent_at = '2020-01-01'",
    "UPDATE meetings_meetingmove SET moved_by_id = 'mal'",
    "UPDATE retros_retrothreat SET treatment = 'accept'",
    "UPDATE retros_retrothreat SET review_on = '2099-01-01'",
    "UPDATE retros_retrothreat SET accepted_by_id = 'mal' WHERE accepted_on IS NOT NULL",
    f"INSERT INTO retros_retrothreat ({_COLUMNS}) SELECT {_COPIED} FROM retros_retrothreat",
    "DELETE FROM retros_retrothreat",
    "UPDATE retros_improvement SET owner_id = 'mal'",
    "UPDATE retros_improvement SET look_on = '2099-01-01'",
    "DELETE FROM retros_improvement",
    "UPDATE retros_retrocard SET author_id = 'mal'",
    "UPDATE retros_retrovote SET person_id = 'mal'",
    "UPDATE reviews_marketrequirement SET added_by_id = 'mal'",
    "UPDATE reviews_marketrequirement SET source = 'law'",
    "UPDATE reviews_personaldatafield SET described_by_id = 'mal'",
    "UPDATE reviews_usabilityopinion SET person_id = 'mal'",
)
_SIGNATURE = "minutes_id, person_id, role, statement, digest, signed_at"
_FORGED = (
    f"INSERT INTO minutes_minutessignature ({_SIGNATURE}) SELECT id, 'mal', 'chair', 'confirmed', 'sha256:0', now() "
)
_ENTRY = "INSERT INTO minutes_minutesentry (meeting_id, item, kind, text, author_id, written_at, note) "
_OPINION = "INSERT INTO reviews_usabilityopinion (meeting_id, person_id, question, text, written_at) "
_OF_SERVING = (  # what the web must not write, and no other process may
    "UPDATE minutes_minutes SET closed_at = NULL WHERE closed_at IS NOT NULL",
    "UPDATE minutes_minutes SET digest = 'sha256:0' WHERE closed_at IS NOT NULL",
    "UPDATE meetings_meetingrhythm SET months = 24",
    "DELETE FROM meetings_meetingrhythm",
    "INSERT INTO meetings_productmeeting (product_id, kind, number) VALUES (1, 'review', 99)",
    _FORGED + _OF_CLOSED,
    _ENTRY + f"SELECT meeting_id, 'further', 'decision', 'x', 'mal', now(), '' {_OF_CLOSED}",
    _OPINION + f"SELECT meeting_id, 'mal', 'stopped', 'x', now() {_OF_CLOSED}",
    "UPDATE reviews_usabilityopinion SET written_at = now()",
    "DELETE FROM meetings_meetingattendee",
    "UPDATE retros_feedbackcodetaken SET person_id = 'mal'",
    "UPDATE retros_worthanswer SET answer = 'yes'",
)
_READS = (
    "SELECT text FROM minutes_minutes",
    "SELECT text FROM minutes_minutesentry",
    "SELECT digest FROM minutes_minutessignature",
    "SELECT person_id FROM meetings_meetingattendee",
    "SELECT token_hash FROM meetings_calendarfeed",
    "SELECT text FROM retros_retrocard",
    "SELECT cells FROM retros_feedbackround",
    "SELECT text FROM retros_confidentialanswer",
    "SELECT person_id FROM retros_retrovote",
    "SELECT text FROM reviews_usabilityopinion",
)
_OF_MEETING_CODE = (  # what the worker must not
    *_OF_SERVING[:2],
    *_OF_SERVING[5:],
    "UPDATE meetings_productmeeting SET date = '2099-01-01'",
    "UPDATE meetings_productmeeting SET time = '23:00'",
    "UPDATE meetings_roleholder SET position = 1",
    "INSERT INTO meetings_roleholder (product_id, role, person_id) VALUES (1, 'dpo', 'mal')",
    "UPDATE meetings_meetingcalendar SET zone = 'UTC'",
    "DELETE FROM meetings_sentnotice",
    "DELETE FROM meetings_invitationanswer",  # it alters them by mailed replies: an answer is no attendance
    "INSERT INTO minutes_minutes (meeting_id, agenda) VALUES (1, '{}')",
    "INSERT INTO meetings_productmeeting (product_id, kind, number, due_on, date, time, minutes, place, dated_on,"
    " held_on, sequence, changed_at) SELECT product_id, kind, 99, due_on, date, time, minutes, place, dated_on, now(),"
    " 1, now()"
    " FROM meetings_productmeeting LIMIT 1",
    *("SELECT token_hash FROM meetings_calendarfeed", "SELECT text FROM retros_retrocard"),
    *("SELECT cells FROM retros_feedbackround", "SELECT text FROM retros_confidentialanswer"),
)
ATTACKS = {
    WEB: (
        *_OF_SERVING,
        "UPDATE minutes_minutes SET text = 'x' WHERE closed_at IS NOT NULL",
        "UPDATE minutes_minutes SET agenda = '{}'",
        "UPDATE minutes_minutesentry SET text = 'x'",
        "DELETE FROM minutes_minutesentry",
        "UPDATE minutes_minutescomment SET text = 'x'",
        "DELETE FROM minutes_minutescomment",
        "INSERT INTO meetings_sentnotice (meeting_id, key, sent_at) VALUES (1, 'x/reminder-7', now())",
        "INSERT INTO meetings_invitationmail (meeting_id, person_id) VALUES (1, 'mal')",
        "INSERT INTO meetings_meetingattendee (meeting_id, role, person_id) VALUES (1, 'dpo', 'mal')",
        "UPDATE meetings_productmeeting SET cancelled_at = now()",
        "UPDATE meetings_meetingmove SET reason = ''",
        "UPDATE retros_retrothreat SET text = 'x'",
        "UPDATE retros_improvement SET target = '9'",
        "UPDATE retros_improvement SET metric = 'x'",
        "DELETE FROM retros_retrocard",
        "UPDATE retros_confidentialanswer SET text = 'x'",
        "DELETE FROM retros_confidentialanswer",
        "UPDATE reviews_marketrequirement SET text = 'x'",
        "DELETE FROM reviews_marketrequirement",
        "UPDATE reviews_personaldatafield SET purpose = 'x'",
    ),
    WORKER: _OF_MEETING_CODE,
    CONFIRMATION: (*_READS, *_OF_SERVING, "SELECT held_on FROM meetings_productmeeting"),
    SEQUENCER: (*_READS, *_OF_SERVING, "SELECT held_on FROM meetings_productmeeting"),
    ERASER: (*_OF_SERVING, "UPDATE meetings_productmeeting SET cancelled_at = now()"),
    OPERATOR: (*_OF_SERVING, "DELETE FROM meetings_sentnotice", "DELETE FROM minutes_minutesentry"),
}


@pytest.fixture(scope="module", autouse=True)
def meetings(postgres: EmbeddedPostgres) -> Iterator[None]:
    """A service in which several people held reviews and retros."""
    with pytest.MonkeyPatch.context() as patch, as_role("owner"):
        trust_rows(patch)
        empty()
        preparation.apply_first_policy()
        with transaction.atomic():
            one_person.add_people(())
            hold_shop_meetings()
    yield
    with as_role("owner"):
        empty()


def try_statements(postgres: EmbeddedPostgres, role: str, statements: tuple[str, ...]) -> list[str]:
    """Statements that were permitted, or failed for another reason than a missing right."""
    permitted = []
    with login(postgres, role) as session:
        for statement in statements:
            try:
                with session.transaction(force_rollback=True):
                    session.execute(statement.encode())
            except DENIED:
                continue
            except psycopg.Error as error:
                permitted.append(str(error))
            permitted.append(statement)
    return permitted


@pytest.mark.parametrize("role", PROCESSES)
def test_login_changes_nothing_that_people_did_together(postgres: EmbeddedPostgres, role: str) -> None:
    assert len({*CHANGES, *ATTACKS[role]}) > 40
    assert try_statements(postgres, role, (*CHANGES, *ATTACKS[role])) == []


def test_there_is_something_to_attack() -> None:
    """Without a row, a statement about what was frozen would be refused nothing."""
    assert Minutes.objects.filter(closed_at__isnull=False).count() > 1
    assert MinutesSignature.objects.count() > 1
    assert ProductMeeting.objects.filter(held_on=None).exists()
    assert MeetingAttendee.objects.filter(role="dpo").exists()
    assert RetroThreat.objects.filter(accepted_on__isnull=False).exists()


def test_web_signs_minutes_only_with_their_own_fingerprint(postgres: EmbeddedPostgres) -> None:
    own = _FORGED.replace("'sha256:0'", "digest")
    with login(postgres, WEB) as session:
        with pytest.raises(DENIED, match="a signature is over frozen minutes"):
            session.execute((_FORGED + _OF_CLOSED).encode())
        with session.transaction(force_rollback=True):  # permitted: what is missing is its record, which is compared
            session.execute((own + _OF_CLOSED).encode())
