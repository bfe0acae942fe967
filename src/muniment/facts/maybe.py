"""A value that may be unknown is Known(value) or Unknown(reason), never None."""

from typing import Generic, TypeVar

from msgspec import Struct

T = TypeVar("T")
_T_co = TypeVar("_T_co", covariant=True)  # nothing is written into a value that was read


class Known(Struct, Generic[_T_co], frozen=True, tag="known", tag_field="state"):
    """Value that was read completely."""

    value: _T_co


class Unknown(Struct, frozen=True, tag="unknown", tag_field="state"):
    """Value that could not be read. `reason` is a plain sentence without a full stop."""

    reason: str


Maybe = Known[T] | Unknown
