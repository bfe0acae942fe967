"""Inputs of dates: a day, a moment."""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime

from django.utils.formats import date_format
from django.utils.translation import gettext as _

from muniment.access.authorization import Actor
from muniment.errors import ParseError
from muniment.facts import moments
from muniment.server.acts.inputs.base import Input, InputCode

_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_MOMENT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,6})?)?(?:Z|[+-][0-9]{2}:[0-9]{2})?"
)


@dataclass(frozen=True, kw_only=True)
class Day(Input):
    """Date, such as 2027-01-31."""

    def read_value(self, value: object, actor: Actor) -> date:
        """Read the date. Raises ParseError for a text of another form, and for a day that no calendar has."""
        if isinstance(value, date) and not isinstance(value, datetime):
            return value
        text = value.strip() if isinstance(value, str) else ""
        try:
            if _DAY.fullmatch(text):
                return date.fromisoformat(text)
        except ValueError:  # a 30 February
            pass
        raise ParseError(InputCode.NOT_A_DATE, _("It is not a date."), _("Write a date such as 2027-01-31."))

    def build_schema(self) -> dict[str, object]:
        return {"type": "string", "format": "date"}

    def format_for_form(self, value: object) -> str:
        """Format in the form in which it is read."""
        return value.isoformat() if isinstance(value, date) else super().format_for_form(value)

    def format_for_reader(self, value: object) -> str:
        """Format with the day of the week."""
        return date_format(value, "D j M Y") if isinstance(value, date) else ""


@dataclass(frozen=True, kw_only=True)
class Moment(Input):
    """Day and time in UTC, such as 2027-01-31T18:00, or with another zone: stored as `facts.moments` has it."""

    def read_value(self, value: object, actor: Actor) -> str:
        """Read the moment. Raises ParseError for a text of another form, and for a moment that no calendar has."""
        text = value.strip() if isinstance(value, str) else ""
        try:
            if _MOMENT.fullmatch(text):
                read = datetime.fromisoformat(text)
                return moments.format_moment(read if read.tzinfo else read.replace(tzinfo=UTC))
        except (ValueError, OverflowError):  # a 30 February, a 25 o'clock, a zone that leads out of all years
            pass
        raise ParseError(
            InputCode.NOT_A_DATE, _("It is not a day with a time."), _("Write them in UTC, such as 2027-01-31T18:00.")
        )

    def build_schema(self) -> dict[str, object]:
        return {"type": "string", "maxLength": 40, "description": "RFC 3339; UTC where it names no zone"}
