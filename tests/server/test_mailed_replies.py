"""Replies to invitations by mail: an answer counts for its own seat; no mail moves a meeting or gives a seat away."""
# ruff: noqa: F811 (fixtures of another file)

import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from muniment.calendars.invitations import make_uid
from muniment.calendars.reply_mailbox import LARGEST_MAIL, MOST_NUMBERS, MailboxState
from muniment.errors import ParseError, RefusedError
from muniment.server.meetings import invitation_mails, reply_reading
from muniment.server.meetings.invitation_mails import send_invitations
from muniment.server.meetings.mailed_replies import apply_mailed_reply
from muniment.server.meetings.models import InvitationAnswer, MailboxPosition, MeetingAttendee, ReadMail
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


class FakeMailbox:
    """Mailbox with messages by number. A size that is larger is announced for one of them."""

    def __init__(self, mails: dict[int, bytes], validity: int = 7, large: int = 0) -> None:
        self.mails, self.large, self.fetched = mails, large, list[int]()
        self.state = MailboxState(validity, max(mails, default=0) + 1)

    def list_sizes(self, first: int, last: int) -> dict[int, int]:
        sizes = {number: len(raw) for number, raw in sorted(self.mails.items()) if first <= number <= last}
        return sizes | ({self.large: LARGEST_MAIL + 1} if first <= self.large <= last else {})

    def fetch_message(self, number: int) -> bytes | None:
        self.fetched.append(number)
        return self.mails.get(number)


def read_box(mailbox: FakeMailbox) -> int:
    with as_role("worker"):
        return reply_reading.read_new_mails(mailbox, "me@mail.example.test/INBOX")  # type: ignore[arg-type]


@pytest.mark.usefixtures("invited")
def test_mails_of_the_mailbox_are_read_once_whatever_they_are() -> None:
    reply = write_reply()
    mails = {1: reply, 2: b"\xff\x00", 5: b"Subject: Away\r\n\r\nUntil Monday", 9: reply}
    box = FakeMailbox(mails, large=2)
    assert read_box(box) == 2, "the large one is left out, and the same mail counts once"
    assert InvitationAnswer.objects.get().answer == "accepted"
    assert box.fetched == [1, 5, 9]
    assert read_box(box) == 0
    assert read_box(FakeMailbox(mails, validity=8)) == 1, "numbered anew: only the mail that was too large is new"
    assert InvitationAnswer.objects.count() == 1
    outcomes = list(ReadMail.objects.order_by("pk").values_list("outcome", flat=True))
    assert outcomes[0] == "applied"
    assert "applied" not in outcomes[1:]


@pytest.mark.usefixtures("invited")
def test_mail_takes_effect_once_if_the_process_ends_in_between(monkeypatch: pytest.MonkeyPatch) -> None:
    more = ';DELEGATED-TO="mailto:eve@example.test"'
    box = FakeMailbox({3: write_reply("DELEGATED", more=more), 4: write_reply(stamp="20260302T090000Z")})

    def end_process(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(reply_reading, "_store_position", end_process)
        with pytest.raises(KeyboardInterrupt):
            read_box(box)
    with monkeypatch.context() as patch:  # within the transaction of the next mail
        patch.setattr(reply_reading, "apply_mailed_reply", end_process)
        with pytest.raises(KeyboardInterrupt):
            read_box(box)
    assert not InvitationAnswer.objects.exists()
    read_box(box)
    assert Message.objects.filter(text__contains="delegated").count() == 1
    assert InvitationAnswer.objects.get().answer == "accepted"
    assert MailboxPosition.objects.get().last_number == 4


@pytest.mark.usefixtures("invited")
def test_mail_that_fails_stops_no_other_and_a_large_mailbox_begins_with_its_newest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    apply_one = apply_mailed_reply

    def fail_once(raw: bytes, actor: Any) -> str:
        if raw == b"bad":
            raise IndexError
        return apply_one(raw, actor)

    monkeypatch.setattr(reply_reading, "apply_mailed_reply", fail_once)
    first = 10_000
    box = FakeMailbox({1: write_reply("DECLINED"), first: b"bad", first + MOST_NUMBERS - 1: write_reply()})
    assert read_box(box) == 2
    assert 1 not in box.fetched
    assert ReadMail.objects.filter(outcome="failed").count() == 1
    assert InvitationAnswer.objects.get().answer == "accepted"


def test_without_an_address_no_mailbox_is_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MUNIMENT_IMAP_URL", raising=False)
    assert reply_reading.read_mailed_replies() == 0
    monkeypatch.setenv("MUNIMENT_IMAP_URL", "http://mail.example.test")
    with pytest.raises(OSError, match="no address of a mailbox"):
        reply_reading.read_mailed_replies()
