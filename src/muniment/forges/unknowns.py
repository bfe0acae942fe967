"""Parts of a reading: Known and whole, or Unknown with the reason why they could not be read."""

from collections.abc import Callable
from typing import TypeVar

from muniment.errors import ForgeCode, ForgeError
from muniment.facts.maybe import Known, Maybe, Unknown

T = TypeVar("T")


_PERMISSION_ERRORS = (ForgeCode.FORBIDDEN, ForgeCode.NOT_FOUND, ForgeCode.NOT_SIGNED_IN)


def read_or_unknown(read: Callable[[], T], what: str = "", needs: str = "") -> Maybe[T]:
    """Result of `read`, or Unknown with the reason: `what` could not be read, and the permission that it `needs`."""
    try:
        return Known(read())
    except ForgeError as error:
        return unknown_from_error(error, what, needs)


def unknown_from_error(error: ForgeError, what: str = "", needs: str = "") -> Unknown:
    """Unknown with the reason of an error that was raised already."""
    missing = f" (it takes {needs})" if needs and error.code in _PERMISSION_ERRORS else ""
    return Unknown(f"{what} could not be read: {error.message}{missing}" if what else error.message)


def require_known(part: Maybe[T]) -> T:
    """Value of a part on which another rests. Raises ForgeError if it is Unknown."""
    if isinstance(part, Unknown):
        raise ForgeError(ForgeCode.FAILED, part.reason, "It is read again.")
    return part.value
