"""Replies to invitations: REPLY, COUNTER and delegation, matched by UID and address.

A reply changes what its own attendee answered, and nothing else: no date moves by a mail. A refusal says why.
"""

import datetime
from collections.abc import Mapping
from enum import StrEnum
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from icalendar.timezone.windows_to_olson import WINDOWS_TO_OLSON
from msgspec import Struct

from muniment.calendars.invitations import clean_text
from muniment.calendars.reply_lines import Line, find_address, read_event_lines, read_mail
from muniment.errors import ParseError

_COMMENT_LENGTH = 1_000


class Answer(StrEnum):
    """Answer of an attendee to an invitation."""

    ACCEPTED = "accepted"
    DECLINED = "declined"
    TENTATIVE = "tentative"
    DELEGATED = "delegated"


class Reply(Struct, frozen=True):
    """Reply as read from a mail. `sequence` is None, and `start` too, if the mail does not say."""

    uid: str
    address: str
    sender: str
    sent_by: str
    answer: Answer
    stamp: datetime.datetime
    sequence: int | None = None
    start: datetime.datetime | None = None
    is_counter: bool = False  # `start` is then what it proposes
    delegate: str = ""
    comment: str = ""


class SentInvitation(Struct, frozen=True):
    """Invitation as it was sent last, and when each address answered (the DTSTAMP of the reply that counts)."""

    meeting: str
    sequence: int
    start: datetime.datetime
    addresses: frozenset[str]
    answered: Mapping[str, datetime.datetime]


class ReplyRefusal(StrEnum):
    """Reason why a reply does not count."""

    UNKNOWN_MEETING = "unknown-meeting"
    NOT_INVITED = "not-invited"
    OTHER_SENDER = "other-sender"  # somebody answers for the attendee without saying so
    EARLIER_DATE = "earlier-date"  # it answers an invitation that was changed since
    DUPLICATE = "duplicate"
    OVERTAKEN = "overtaken"  # a later reply of this attendee was read before


class MatchedReply(Struct, frozen=True):
    """Reply that counts, and the meeting that it answers."""

    meeting: str
    reply: Reply


def read_reply(raw: bytes, zone: str) -> Reply:
    """Read the reply in a mail; times without a zone are in `zone`. Raises ParseError for all that is none."""
    mail = read_mail(raw)
    method, lines = read_event_lines(mail.text)
    if method not in ("REPLY", "COUNTER"):
        raise _reply_error("not-reply", "is no answer to an invitation")
    attendee = _find_attendee(lines, mail.sender)
    values = {line.name: line for line in reversed(lines)}
    if "UID" not in values or "DTSTAMP" not in values:
        raise _reply_error("incomplete", "does not name the invitation and its own time")
    answer = Answer.TENTATIVE if method == "COUNTER" else _find_answer(attendee)
    return Reply(
        uid=clean_text(values["UID"].value),
        address=find_address(attendee.value),
        sender=mail.sender,
        sent_by=find_address(attendee.parameters.get("SENT-BY", "")),
        answer=answer,
        stamp=_read_time(values["DTSTAMP"], zone),
        sequence=_read_sequence(values.get("SEQUENCE")),
        start=_read_time(values["DTSTART"], zone) if "DTSTART" in values else None,
        is_counter=method == "COUNTER",
        delegate=find_address(attendee.parameters.get("DELEGATED-TO", "")) if answer is Answer.DELEGATED else "",
        comment=_read_comment(values.get("COMMENT")),
    )


def match_reply(reply: Reply, invitations: Mapping[str, SentInvitation]) -> MatchedReply | ReplyRefusal:
    """Match a reply with the invitations that were sent, by UID."""
    invitation = invitations.get(reply.uid)
    if invitation is None:
        return ReplyRefusal.UNKNOWN_MEETING
    if reply.address not in invitation.addresses:
        return ReplyRefusal.NOT_INVITED
    if reply.sender not in {reply.address, reply.sent_by} - {""}:
        return ReplyRefusal.OTHER_SENDER
    if not _answers_last_invitation(reply, invitation):
        return ReplyRefusal.EARLIER_DATE
    before = invitation.answered.get(reply.address)
    if before is not None and reply.stamp <= before:
        return ReplyRefusal.DUPLICATE if reply.stamp == before else ReplyRefusal.OVERTAKEN
    return MatchedReply(invitation.meeting, reply)


def _answers_last_invitation(reply: Reply, invitation: SentInvitation) -> bool:
    """By SEQUENCE; a reply without one names the date that it answers. A counter-proposal names another."""
    if reply.sequence is not None:
        return reply.sequence >= invitation.sequence
    return not reply.is_counter and reply.start == invitation.start


def _find_attendee(lines: tuple[Line, ...], sender: str) -> Line:
    """Find the attendee who answers: the only one, or the sender where a client lists others too."""
    attendees = [line for line in lines if line.name == "ATTENDEE"]
    own = [line for line in attendees if sender and sender in (find_address(line.value), _sent_by(line))]
    chosen = own[:1] if own else attendees if len(attendees) == 1 else []
    if not chosen or not find_address(chosen[0].value):
        raise _reply_error("no-attendee", "does not say who answers")
    return chosen[0]


def _sent_by(line: Line) -> str:
    return find_address(line.parameters.get("SENT-BY", ""))


def _find_answer(attendee: Line) -> Answer:
    try:
        answer = Answer(attendee.parameters.get("PARTSTAT", "").lower())
    except ValueError:
        raise _reply_error("no-answer", "neither accepts nor declines") from None
    if answer is Answer.DELEGATED and not find_address(attendee.parameters.get("DELEGATED-TO", "")):
        raise _reply_error("no-delegate", "delegates to nobody")
    return answer


def _read_comment(line: Line | None) -> str:
    if line is None:
        return ""
    return clean_text(line.value.replace("\\n", " "))[:_COMMENT_LENGTH]


def _read_sequence(line: Line | None) -> int | None:
    if line is None:
        return None
    if not (line.value.isascii() and line.value.isdigit() and len(line.value) <= 10):
        raise _reply_error("not-calendar", "has a sequence that is no number")
    return int(line.value)


def _read_time(line: Line, zone: str) -> datetime.datetime:
    """Read a moment; clients of Windows name zones their own way."""
    text = line.value
    named = line.parameters.get("TZID", zone)
    try:
        if text.endswith("Z"):
            return datetime.datetime.strptime(text, "%Y%m%dT%H%M%SZ").replace(tzinfo=datetime.UTC)
        local = ZoneInfo(WINDOWS_TO_OLSON.get(named, named))
        return datetime.datetime.strptime(text, "%Y%m%dT%H%M%S").replace(tzinfo=local)
    except (ValueError, ZoneInfoNotFoundError, OSError):  # OSError: a folder, or a name that is too long
        raise _reply_error("time", "has a time that cannot be read") from None


def _reply_error(code: str, problem: str) -> ParseError:
    return ParseError(code, f"The mail {problem}.", "Answer on the page of the meeting.")
