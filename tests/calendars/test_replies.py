"""Replies of calendar programs, in the shapes that they send, and hostile ones."""

import contextlib
import datetime
from email.message import EmailMessage

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from muniment.calendars.replies import (
    Answer,
    MatchedReply,
    Reply,
    ReplyRefusal,
    SentInvitation,
    match_reply,
    read_reply,
)
from muniment.calendars.reply_lines import find_address, read_mail
from muniment.errors import ParseError

UID = "0f0e@muniment.example.test"
ZONE = "Europe/Amsterdam"
START = datetime.datetime(2026, 3, 27, 9, tzinfo=datetime.UTC)
STAMP = datetime.datetime(2026, 3, 2, 8, tzinfo=datetime.UTC)
SEQUENCE = 44_190
INVITATION = SentInvitation("review/shop/4", SEQUENCE, START, frozenset({"dora@example.test", "carl@example.test"}), {})
ZONED = "DTSTART;TZID=Europe/Amsterdam:20260327T100000\nDTEND;TZID=Europe/Amsterdam:20260327T110000\n"


def write_mail(
    lines: str, method: str = "REPLY", sender: str = "Dora <dora@example.test>", *, charset: str = "utf-8"
) -> bytes:
    calendar = f"BEGIN:VCALENDAR\nVERSION:2.0\nMETHOD:{method}\nBEGIN:VEVENT\n{lines}END:VEVENT\nEND:VCALENDAR\n"
    mail = EmailMessage()
    mail["From"] = sender
    mail.set_content("Dora has answered.")
    mail.add_alternative(
        calendar.replace("\n", "\r\n").encode(charset),
        maintype="text",
        subtype="calendar",
        params={"method": method, "charset": charset},
    )
    return mail.as_bytes()


def reply_lines(attendee: str = "ATTENDEE;PARTSTAT=ACCEPTED:mailto:dora@example.test", more: str = "") -> str:
    return f"UID:{UID}\nDTSTAMP:20260302T080000Z\nSEQUENCE:{SEQUENCE}\n{attendee}\n{more}"


OUTLOOK = (
    "ATTENDEE;PARTSTAT=ACCEPTED;CN=Dora de Vries:MAILTO:Dora@example.test\nCOMMENT;LANGUAGE=nl-NL:Tot dan!\\n\n"
    f"UID:{UID}\nSUMMARY;LANGUAGE=nl-NL:Geaccepteerd: Security review\n"
    "DTSTART;TZID=W. Europe Standard Time:20260327T100000\nDTEND;TZID=W. Europe Standard Time:20260327T110000\n"
    "CLASS:PUBLIC\nPRIORITY:5\nDTSTAMP:20260302T080000Z\nTRANSP:OPAQUE\nSTATUS:CONFIRMED\n"
    f"SEQUENCE:{SEQUENCE}\nX-MICROSOFT-CDO-APPT-SEQUENCE:{SEQUENCE}\n"
    "BEGIN:VALARM\nACTION:DISPLAY\nUID:other\nTRIGGER:-PT15M\nEND:VALARM\n"
)
OUTLOOK_COM = f"UID:{UID}\nDTSTAMP:20260302T080000Z\nATTENDEE;PARTSTAT=DECLINED:mailto:dora@example.test\n{ZONED}"
GOOGLE = (
    "DTSTART:20260327T090000Z\nDTEND:20260327T100000Z\nDTSTAMP:20260302T080000Z\n"
    f"ORGANIZER;CN=Reviews:mailto:reviews@example.test\nUID:{UID}\n"
    "ATTENDEE;CUTYPE=INDIVIDUAL;ROLE=REQ-PARTICIPANT;PARTSTAT=TENTATIVE;CN=dora@examp\n le.test;X-NUM-GUESTS=0"
    f":mailto:dora@example.test\nCREATED:20260201T093000Z\nDESCRIPTION:\nSEQUENCE:{SEQUENCE}\n"
)
APPLE = (
    f'UID:{UID}\nDTSTAMP:20260302T080000Z\nSEQUENCE:{SEQUENCE}\n{ZONED}ORGANIZER;CN="Reviews";'
    'EMAIL="reviews@example.test":mailto:reviews@example.test\n'
    'ATTENDEE;CN="Dora; de Vries";CUTYPE=INDIVIDUAL;EMAIL="dora@example.test";PARTSTAT=ACCEPTED:'
    "mailto:dora@example.test\n"
)
THUNDERBIRD = (
    f"LAST-MODIFIED:20260302T080000Z\nDTSTAMP:20260302T080000Z\nUID:{UID}\nSEQUENCE:{SEQUENCE}\n"
    "ORGANIZER:mailto:reviews@example.test\nATTENDEE;PARTSTAT=DECLINED;ROLE=REQ-PARTICIPANT:mailto:dora@example.test\n"
    "ATTENDEE;PARTSTAT=ACCEPTED:mailto:carl@example.test\n"
    f"{ZONED}"
)
DELEGATED = reply_lines(
    'ATTENDEE;PARTSTAT=DELEGATED;DELEGATED-TO="mailto:dirk@example.test":mailto:dora@example.test\n'
    'ATTENDEE;PARTSTAT=NEEDS-ACTION;DELEGATED-FROM="mailto:dora@example.test":mailto:dirk@example.test',
    ZONED,
)
PROPOSED = "DTSTART:20260330T080000Z\nDTEND:20260330T090000Z\n"
SENT_BY = 'ATTENDEE;PARTSTAT=ACCEPTED;SENT-BY="mailto:sec@example.test":mailto:dora@example.test'


@pytest.mark.parametrize(
    ("mail", "answer", "details"),
    [
        (write_mail(OUTLOOK), Answer.ACCEPTED, {"comment": "Tot dan!"}),
        (write_mail(OUTLOOK_COM), Answer.DECLINED, {"sequence": None}),
        (write_mail(GOOGLE), Answer.TENTATIVE, {"start": START}),
        (write_mail(APPLE), Answer.ACCEPTED, {"start": START}),
        (write_mail(THUNDERBIRD), Answer.DECLINED, {"address": "dora@example.test"}),
        (write_mail(DELEGATED), Answer.DELEGATED, {"delegate": "dirk@example.test"}),
        (
            write_mail(reply_lines("ATTENDEE:mailto:dora@example.test", PROPOSED), "COUNTER"),
            Answer.TENTATIVE,
            {"is_counter": True, "start": datetime.datetime(2026, 3, 30, 8, tzinfo=datetime.UTC)},
        ),
        (write_mail(reply_lines(SENT_BY), sender="sec@example.test"), Answer.ACCEPTED, {"sent_by": "sec@example.test"}),
        (write_mail(OUTLOOK, charset="utf-16"), Answer.ACCEPTED, {"comment": "Tot dan!"}),
    ],
)
def test_replies_of_calendar_programs_count(mail: bytes, answer: Answer, details: dict[str, object]) -> None:
    matched = match_reply(read_reply(mail, ZONE), {UID: INVITATION})
    assert isinstance(matched, MatchedReply)
    assert matched.meeting == "review/shop/4"
    assert (matched.reply.address, matched.reply.answer, matched.reply.stamp) == ("dora@example.test", answer, STAMP)
    assert {name: getattr(matched.reply, name) for name in details} == details


ANSWERED = structs.replace(INVITATION, answered={"dora@example.test": STAMP})
LATER = structs.replace(INVITATION, answered={"dora@example.test": STAMP + datetime.timedelta(1)})


@pytest.mark.parametrize(
    ("mail", "invitation", "refusal"),
    [
        (write_mail(reply_lines().replace(UID, "other")), INVITATION, ReplyRefusal.UNKNOWN_MEETING),
        (
            write_mail(reply_lines("ATTENDEE;PARTSTAT=ACCEPTED:mailto:eve@example.test"), sender="eve@example.test"),
            INVITATION,
            ReplyRefusal.NOT_INVITED,
        ),
        (write_mail(reply_lines(), sender="eve@example.test"), INVITATION, ReplyRefusal.OTHER_SENDER),
        (write_mail(reply_lines(), sender="unreadable"), INVITATION, ReplyRefusal.OTHER_SENDER),
        (write_mail(reply_lines()), structs.replace(INVITATION, sequence=SEQUENCE + 1), ReplyRefusal.EARLIER_DATE),
        (
            write_mail(OUTLOOK_COM),
            structs.replace(INVITATION, start=START + datetime.timedelta(1)),
            ReplyRefusal.EARLIER_DATE,
        ),
        (write_mail(reply_lines().replace("SEQUENCE", "X-SEQUENCE")), INVITATION, ReplyRefusal.EARLIER_DATE),
        (write_mail(reply_lines()), ANSWERED, ReplyRefusal.DUPLICATE),
        (write_mail(reply_lines()), LATER, ReplyRefusal.OVERTAKEN),
    ],
)
def test_replies_to_something_else_do_not_count(mail: bytes, invitation: SentInvitation, refusal: ReplyRefusal) -> None:
    assert match_reply(read_reply(mail, ZONE), {UID: invitation}) is refusal


def nest(depth: int) -> str:
    return "BEGIN:VALARM\n" * depth + "END:VALARM\n" * depth


@pytest.mark.parametrize(
    ("mail", "code"),
    [
        (b"", "no-calendar"),
        (b"From: dora@example.test\n\nyes", "no-calendar"),
        (b"x" * 1_048_577, "too-large"),
        (b"Content-Type: text/calendar" + b";" * 5_000, "too-large"),
        (b"Content-Type: text/calendar;\n" + b' a="b";\n' * 5_000, "too-large"),
        (write_mail(reply_lines(more="X-A:a\n" * 2_001)), "too-large"),
        (write_mail(reply_lines(more=f"X-A:{'a' * 65_536}\n")), "too-large"),
        (write_mail(reply_lines(more=nest(3))), "too-nested"),
        (b"Content-Type: multipart/mixed; boundary=a\n\n--a\n" * 30, "too-nested"),
        (write_mail(reply_lines(more="END:VEVENT\nEND:VCALENDAR\nEND:VCALENDAR\n")), "not-calendar"),
        (write_mail(reply_lines(more="END:VTODO\n")), "not-calendar"),
        (write_mail(reply_lines(more="BEGIN:VALARM\n")), "not-calendar"),
        (write_mail(""), "not-calendar"),
        (write_mail(reply_lines(more="no property\n")), "not-calendar"),
        (write_mail(reply_lines(more="\x00;=:\n")), "not-calendar"),
        (write_mail(reply_lines().replace(str(SEQUENCE), "-1")), "not-calendar"),
        (write_mail(reply_lines().replace(str(SEQUENCE), "9" * 5_000)), "not-calendar"),
        (write_mail(reply_lines(), "REQUEST"), "not-reply"),
        (write_mail(reply_lines("X-A:a")), "no-attendee"),
        (write_mail(reply_lines("ATTENDEE;PARTSTAT=ACCEPTED:nobody")), "no-attendee"),
        (write_mail(THUNDERBIRD, sender="eve@example.test"), "no-attendee"),
        (write_mail(reply_lines("ATTENDEE;PARTSTAT=MAYBE:mailto:dora@example.test")), "no-answer"),
        (write_mail(reply_lines("ATTENDEE:mailto:dora@example.test")), "no-answer"),
        (write_mail(reply_lines("ATTENDEE;PARTSTAT=DELEGATED:mailto:dora@example.test")), "no-delegate"),
        (write_mail(reply_lines().replace("UID:", "X-UID:")), "incomplete"),
        (write_mail(reply_lines().replace("DTSTAMP:", "X-STAMP:")), "incomplete"),
        (write_mail(reply_lines(more="DTSTART:tomorrow\n")), "time"),
        (write_mail(reply_lines(more="DTSTART;TZID=Mars:20260327T100000\n")), "time"),
        (write_mail(reply_lines(more="DTSTART;TZID=Europe:20260327T100000\n")), "time"),
        (write_mail(reply_lines(more=f"DTSTART;TZID={'E' * 5_000}:20260327T100000\n")), "time"),
        (b"Content-Type: text/calendar; charset=rot13\n\nBEGIN:VCALENDAR", "encoding"),
        (b"Content-Type: text/calendar; charset=utf-8\n\n\xff\xfe", "encoding"),
        (b"Content-Type: text/calendar; charset=utf-8\nContent-Transfer-Encoding: base64\n\n//79", "encoding"),
    ],
)
def test_what_is_no_reply_is_refused_with_what_to_do(mail: bytes, code: str) -> None:
    with pytest.raises(ParseError) as refused:
        read_reply(mail, ZONE)
    assert refused.value.code == code
    assert refused.value.remedy == "Answer on the page of the meeting."


@pytest.mark.parametrize(
    ("header", "address"),
    [
        ("Dora <Dora@Example.test>", "dora@example.test"),
        ('"eve@example.test" <dora@example.test>', "dora@example.test"),
        ("MAILTO:dora@example.test", "dora@example.test"),
        ("dora@example.test, eve@example.test", ""),
        ("(" * 900 + "@" + ")" * 900 + "<@>", ""),
        ("dora", ""),
        ("", ""),
    ],
)
def test_addresses_are_found_without_their_names(header: str, address: str) -> None:
    assert find_address(header) == address


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_a_damaged_mail_gives_a_reply_or_a_refusal(data: st.DataObject) -> None:
    mail = bytearray(write_mail(data.draw(st.sampled_from([OUTLOOK, GOOGLE, APPLE, DELEGATED]))))
    for _ in range(data.draw(st.integers(1, 5))):
        at = data.draw(st.integers(0, len(mail) - 1))
        mail[at : at + data.draw(st.integers(0, 40))] = data.draw(st.binary(max_size=20))
    with contextlib.suppress(ParseError):
        assert isinstance(read_reply(bytes(mail), ZONE), Reply)


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_give_a_refusal(raw: bytes) -> None:
    with pytest.raises(ParseError):
        read_reply(b"Content-Type: text/calendar\n\n" + raw, ZONE)


def test_the_calendar_may_be_an_attached_file() -> None:
    mail = read_mail(b"From: dora@example.test\nContent-Type: application/ics\n\nBEGIN:VCALENDAR")
    assert mail == ("dora@example.test", "BEGIN:VCALENDAR")
