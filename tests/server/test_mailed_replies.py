"""Replies to invitations by mail: an answer counts for its own seat; no mail moves a meeting or gives a seat away."""
# ruff: noqa: F811 (fixtures of another file)

import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from muniment.calendars.invitations import make_uid
from muniment.errors import ParseError, RefusedError
from muniment.server.meetings import invitation_mails
from muniment.server.meetings.invitation_mails import send_invitations
from muniment.server.meetings.mailed_replies import apply_mailed_reply
from muniment.server.meetings.models import InvitationAnswer, MeetingAttendee
from muniment.server.people.models import Message
from tests.calendars.test_replies import write_mail
from tests.server.test_meetings import calendar, mailbox, plan, review, shop  # noqa: F401
from tests.support.service import as_role

pytestmark = pytest.mark.usefixtures("service", "calendar")
ZONE = ZoneInfo("Europe/Amsterdam")


@pytest.fixture
def invited(calendar: None, mailbox: list[Any]) -> None:
    plan()
    with as_role("worker"):
        send_invitations()


def write_reply(
    answer: str = "ACCEPTED", method: str = "REPLY", sender: str = "dora@example.test", **parts: Any
) -> bytes:
    row = review()
    uid = parts.get("uid") or make_uid(row.lasting_key, invitation_mails.find_host())
    start = datetime.datetime.combine(row.date, row.time, ZONE).astimezone(datetime.UTC)
    stamp = parts.get("stamp", "20260302T080000Z")
    attendee = f"ATTENDEE;PARTSTAT={answer}{parts.get('more', '')}:mailto:dora@example.test"
    lines = f"UID:{uid}\nDTSTAMP:{stamp}\n{attendee}\nDTSTART:{start:%Y%m%dT%H%M%SZ}\n"
    if parts.get("sequence") is not None or method == "COUNTER":
        lines += f"SEQUENCE:{parts.get('sequence', row.sequence)}\n"
    return write_mail(lines, method, sender)


def apply(raw: bytes) -> str:
    with as_role("operator"):
        return apply_mailed_reply(raw)


@pytest.mark.usefixtures("invited")
def test_answer_by_mail_counts_once_and_a_later_one_replaces_it() -> None:
    assert "was recorded" in apply(write_reply())
    assert InvitationAnswer.objects.get().answer == "accepted"
    with pytest.raises(RefusedError) as found:
        apply(write_reply())
    assert found.value.code == "duplicate"
    apply(write_reply("DECLINED", stamp="20260302T090000Z"))
    assert InvitationAnswer.objects.get().answer == "declined"
    with pytest.raises(RefusedError) as found:
        apply(write_reply("ACCEPTED", stamp="20260302T083000Z"))
    assert found.value.code == "overtaken"


@pytest.mark.usefixtures("invited")
@pytest.mark.parametrize(
    ("parts", "code"),
    [
        ({"uid": "other@example.test"}, "unknown-meeting"),
        ({"sender": "eve@example.test"}, "other-sender"),
        ({"sequence": 1}, "earlier-date"),
    ],
)
def test_reply_of_others_or_to_something_else_changes_nothing(parts: dict[str, Any], code: str) -> None:
    with pytest.raises(RefusedError) as found:
        apply(write_reply(**parts))
    assert found.value.code == code
    assert not InvitationAnswer.objects.exists()


@pytest.mark.usefixtures("invited")
def test_counter_proposal_goes_to_the_chair_and_moves_nothing() -> None:
    before = review().date
    assert "proposal was sent" in apply(write_reply("TENTATIVE", "COUNTER"))
    assert review().date == before
    assert Message.objects.get(text__contains="proposes").person.slug == "sam"
    assert InvitationAnswer.objects.get().answer == "tentative"


@pytest.mark.usefixtures("invited")
def test_delegation_gives_no_seat_away() -> None:
    seats = list(MeetingAttendee.objects.values_list("person", flat=True))
    more = ';DELEGATED-TO="mailto:eve@example.test"'
    assert "send a deputy" in apply(write_reply("DELEGATED", more=more))
    assert list(MeetingAttendee.objects.values_list("person", flat=True)) == seats
    assert Message.objects.get(text__contains="delegated").person.slug == "dora"


@pytest.mark.usefixtures("invited")
def test_mail_that_is_no_reply_is_refused() -> None:
    with pytest.raises(ParseError):
        apply(b"From: dora@example.test\r\nSubject: Hello\r\n\r\nText")
