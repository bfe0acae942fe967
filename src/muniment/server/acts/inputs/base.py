"""What every input is: its label and hint, how it reads a value, and the codes of its problems."""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import TYPE_CHECKING, Any, TypeAlias

from django.utils.functional import Promise
from django.utils.translation import gettext as _

from muniment.access.authorize import Actor
from muniment.errors import ParseError

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise

    Label: TypeAlias = str | _StrPromise  # of gettext_lazy
else:
    Label = str | Promise
Choices = tuple[tuple[str, Label], ...]


class InputCode(StrEnum):
    """Why a value of a field cannot be read."""

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
    """One field: its label on pages, a hint below it, and whether its value stands in the record.

    A value that hides something, or that names a person freely, is never `recorded`.
    """

    label: Label
    hint: Label = ""
    blank: Label = "–"  # what a list of choices shows for no choice
    recorded: bool = False
    monospace: bool = False

    @abstractmethod
    def read(self, value: object, actor: Actor) -> object:
        """The value that the act stores. `value` is not blank. Raises ParseError."""

    @abstractmethod
    def schema(self) -> dict[str, Any]:
        """The JSON Schema of what the API takes."""

    def choices(self, actor: Actor) -> Choices | None:
        """What a page offers to choose from, as (value, label); None for a free value."""
        return None

    def to_text(self, value: object) -> str:
        """A stored value as a form shows it."""
        return "" if value is None else str(value.value if isinstance(value, Enum) else value)

    def to_record(self, value: object) -> str:
        """A stored value as the record has it."""
        return self.to_text(value)


@dataclass(frozen=True, kw_only=True)
class Generated(Input):
    """A field that nobody types: its default or the act's `normalised()` gives it."""

    def read(self, value: object, actor: Actor) -> object:
        """Nothing is read. Raises ParseError."""
        raise not_a_choice(())

    def schema(self) -> dict[str, Any]:
        """Nothing."""
        return {}


def is_blank(value: object) -> bool:
    """Whether a door handed over nothing: no value, or white space alone."""
    return value is None or (isinstance(value, str) and not value.strip())


def not_a_choice(options: Iterable[str]) -> ParseError:
    """The problem of a text that is not one of `options`."""
    allowed = _("Write one of: %(options)s.") % {"options": ", ".join(options)}
    return ParseError(InputCode.NOT_A_CHOICE, _("It is not one of the allowed values."), allowed)
