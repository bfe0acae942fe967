"""Content lines of a reply in iCalendar, read from a hostile mail.

The mail's size, its parts and the text's size and nesting are bounded before anything is parsed, and each step takes
linear time. What is beyond a bound, or no iCalendar, raises ParseError.
"""

import email
import email.policy
from collections.abc import Iterator
from email.message import Message
from typing import NamedTuple

from icalendar.parser import Contentlines

from muniment.errors import ParseError

MAIL_BYTES = 1_048_576
_TEXT_BYTES = 65_536
_LINES = 2_000
_HEADER_BYTES = 2_000
_PARTS = 20  # also the deepest nesting
_DEPTH = 4  # a reminder in an event in a calendar, and one more
_CALENDAR_TYPES = ("text/calendar", "application/ics")
_CHARSETS = frozenset({"utf-8", "us-ascii", "iso-8859-1", "iso-8859-15", "windows-1252", "utf-16"})


class Line(NamedTuple):
    """Property of an event: its name, parameters and value as written."""

    name: str
    parameters: dict[str, str]
    value: str


class Mail(NamedTuple):
    """Reply as a mail: the address it comes from, and its calendar."""

    sender: str
    text: str


def read_mail(raw: bytes) -> Mail:
    """Read the sender and the calendar of a mail. Raises ParseError."""
    if len(raw) > MAIL_BYTES:
        raise _mail_error("too-large", "is larger than 1 MiB")
    _refuse_long_headers(raw)
    lowered = raw.lower()
    if lowered.count(b"multipart/") + lowered.count(b"message/") > _PARTS:
        raise _mail_error("too-nested", "has too many parts")
    # The older policy: the newer one parses headers recursively, and in more than linear time.
    message: Message = email.message_from_bytes(raw, policy=email.policy.compat32)
    for part in message.walk():
        if part.get_content_type() in _CALENDAR_TYPES:
            return Mail(find_address(str(message.get("From", ""))), _decode_part(part))
    raise _mail_error("no-calendar", "has no calendar part")


def find_address(header: str) -> str:
    """Address of a header or a calendar address, in lower case: `Name <a@b>`, `mailto:a@b` or `a@b`; "" if none."""
    text = header.strip()
    if text.endswith(">"):
        text = text[text.rfind("<") + 1 : -1]
    address = text.lower().removeprefix("mailto:").strip()
    name, at, host = address.rpartition("@")
    is_plain = name and at and host and address.isprintable() and not set(address) & set(' ,;<>"')
    return address if is_plain else ""


def read_event_lines(text: str) -> tuple[str, tuple[Line, ...]]:
    """Read the method, and the properties of the first event without those of its parts. Raises ParseError."""
    if len(text.encode(errors="surrogatepass")) > _TEXT_BYTES:
        raise _mail_error("too-large", "has a calendar larger than 64 KiB")
    method, lines, stack, events = "", [], [""], 0
    for line in _list_lines(text):
        if line.name == "BEGIN":
            stack.append(line.value.upper())
            events += stack[-1] == "VEVENT"
            if len(stack) - 1 > _DEPTH:
                raise _mail_error("too-nested", "has a calendar that is nested too deeply")
        elif line.name == "END":
            if len(stack) == 1 or stack.pop() != line.value.upper():
                raise _mail_error("not-calendar", "has a calendar whose parts do not end")
        elif stack == ["", "VCALENDAR"] and line.name == "METHOD":
            method = line.value.upper()
        elif stack == ["", "VCALENDAR", "VEVENT"] and events == 1:
            lines.append(line)
    if len(stack) != 1 or not lines:
        raise _mail_error("not-calendar", "has a calendar without a whole event")
    return method, tuple(lines)


def _refuse_long_headers(raw: bytes) -> None:
    """Refuse long headers of parts: the library splits their parameters in quadratic time."""
    length, is_header = 0, False
    for line in raw.splitlines():
        if line[:1] not in (b" ", b"\t"):
            length, is_header = 0, line[:8].lower() == b"content-"
        length += len(line)
        if is_header and length > _HEADER_BYTES:
            raise _mail_error("too-large", "has a header that is too long")


def _list_lines(text: str) -> Iterator[Line]:
    try:
        contents = [line for line in Contentlines.from_ical(text) if line]  # type: ignore[no-untyped-call]
        if len(contents) > _LINES:
            raise _mail_error("too-large", "has a calendar of too many lines")
        for content in contents:
            name, parameters, value = content.parts()
            yield Line(name.upper(), {key.upper(): _take_first(each) for key, each in parameters.items()}, value)
    except ValueError:
        raise _mail_error("not-calendar", "has a calendar that cannot be read") from None


def _take_first(value: object) -> str:
    return str(value[0] if isinstance(value, list) and value else value)


def _decode_part(part: Message) -> str:
    payload = part.get_payload(decode=True)
    charset = str(part.get_param("charset", "utf-8")).lower()
    if not isinstance(payload, bytes) or charset not in _CHARSETS:
        raise _mail_error("encoding", "has a calendar in an unknown encoding")
    try:
        return payload.decode(charset)
    except UnicodeDecodeError:
        raise _mail_error("encoding", f"has a calendar that is not {charset}") from None


def _mail_error(code: str, problem: str) -> ParseError:
    return ParseError(code, f"The reply {problem}.", "Answer on the page of the meeting.")
