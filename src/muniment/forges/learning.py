"""A part of a reading is known whole, or Unknown with the reason for which it could not be read."""

from collections.abc import Callable
from typing import TypeVar

from muniment.errors import ForgeCode, ForgeError
from muniment.facts.maybe import Known, Maybe, Unknown

T = TypeVar("T")


_NOT_FOR_US = (ForgeCode.FORBIDDEN, ForgeCode.NOT_FOUND, ForgeCode.NOT_SIGNED_IN)


def learnt(read: Callable[[], T], what: str = "", needs: str = "") -> Maybe[T]:
    """What `read` gives, or why it gave nothing: `what` could not be read, and the permission that it `needs`."""
    try:
        return Known(read())
    except ForgeError as error:
        return unlearnt(error, what, needs)


def unlearnt(error: ForgeError, what: str = "", needs: str = "") -> Unknown:
    """The same for an error that is there already."""
    missing = f" (it takes {needs})" if needs and error.code in _NOT_FOR_US else ""
    return Unknown(f"{what} could not be read: {error.message}{missing}" if what else error.message)


def value(part: Maybe[T]) -> T:
    """A part that another rests on. Raises ForgeError if it is not known."""
    if isinstance(part, Unknown):
        raise ForgeError(ForgeCode.FAILED, part.reason, "It is read again.")
    return part.value
