"""Base of all inputs: label and hint, the reading of a value, and the codes of its problems."""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import TYPE_CHECKING, TypeAlias

from django.utils.functional import Promise
from django.utils.translation import gettext as _

from muniment.access.authorization import Actor
from muniment.errors import ParseError

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise

    Label: TypeAlias = str | _StrPromise  # of gettext_lazy
else:
    Label = str | Promise
Choices = tuple[tuple[str, Label], ...]


class InputCode(StrEnum):
    """Reason why a value of a field cannot be read."""

    MISSING = "missing"
    UNKNOWN_FIELD = "unknown-field"
    REPEATED = "repeated"
    NOT_TEXT = "not-text"
    UNPRINTABLE = "unprintable"
    TOO_LONG = "too-long"
    MALFORMED = "malformed"
    NOT_A_NUMBER = "not-a-number"
    OUT_OF_RANGE = "out-of-range"
    NOT_A_DATE = "not-a-date"
    NOT_A_CHOICE = "not-a-choice"
    NOT_FOUND = "not-found"


@dataclass(frozen=True, kw_only=True)
class Input(ABC):
    """Field of an act: its label on pages, a hint below it, and whether its value stands in the record.

    A value that hides something, or that names a person freely, is never `recorded`.
    """

    label: Label
    hint: Label = ""
    blank: Label = "–"  # what a list of choices shows for no choice
    recorded: bool = False
    monospace: bool = False

    @abstractmethod
    def read_value(self, value: object, actor: Actor) -> object:
        """Read `value`, which is not blank, as the act stores it. Raises ParseError."""

    @abstractmethod
    def build_schema(self) -> dict[str, object]:
        """JSON Schema of the value that the API takes."""

    @property
    def has_varying_choices(self) -> bool:
        """Whether the choices that a page offers depend on the actor or on rows."""
        return False

    def list_choices(self, actor: Actor) -> Choices | None:
        """Choices that a page offers, as (value, label); None for a free value."""
        return None

    def format_for_form(self, value: object) -> str:
        """Format a stored value as a form shows it."""
        return "" if value is None else str(value.value if isinstance(value, Enum) else value)

    def format_for_reader(self, value: object) -> str:
        """Format a stored value for a person who decides on the act: by name where there is one, "" for none."""
        return self.format_for_form(value)

    def format_for_record(self, value: object) -> str:
        """Format a stored value as the record has it."""
        return self.format_for_form(value)


@dataclass(frozen=True, kw_only=True)
class Generated(Input):
    """Field that nobody types: its default or the act's `normalise_fields()` gives it."""

    def read_value(self, value: object, actor: Actor) -> object:
        """Refuse every value: raises ParseError."""
        raise make_choice_error(())

    def build_schema(self) -> dict[str, object]:
        """Empty schema: the API takes no value."""
        return {}


def is_blank_value(value: object) -> bool:
    """Whether no value was sent, or white space alone."""
    return value is None or (isinstance(value, str) and not value.strip())


def make_choice_error(options: Iterable[str]) -> ParseError:
    """Problem of a text that is not one of `options`."""
    allowed = _("Write one of: %(options)s.") % {"options": ", ".join(options)}
    return ParseError(InputCode.NOT_A_CHOICE, _("It is not one of the allowed values."), allowed)
