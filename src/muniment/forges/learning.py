"""A part of a reading is known whole, or Unknown with the reason for which it could not be read."""

from collections.abc import Callable
from typing import TypeVar

from muniment.errors import ForgeCode, ForgeError
from muniment.facts.maybe import Known, Maybe, Unknown

T = TypeVar("T")


def learnt(read: Callable[[], T]) -> Maybe[T]:
    """What `read` gives, or why it gave nothing."""
    try:
        return Known(read())
    except ForgeError as error:
        return Unknown(error.message)


def value(part: Maybe[T]) -> T:
    """A part that another rests on. Raises ForgeError if it is not known."""
    if isinstance(part, Unknown):
        raise ForgeError(ForgeCode.FAILED, part.why, "It is read again.")
    return part.value
