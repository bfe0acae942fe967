"""A value that may not have been learnt is Known(value) or Unknown(why), never None."""

from typing import Generic, TypeVar

from msgspec import Struct

T = TypeVar("T")


class Known(Struct, Generic[T], frozen=True, tag="known", tag_field="state"):
    """What was read, whole."""

    value: T


class Unknown(Struct, frozen=True, tag="unknown", tag_field="state"):
    """What could not be read. `why` is one plain sentence without a full stop."""

    reason: str


Maybe = Known[T] | Unknown
