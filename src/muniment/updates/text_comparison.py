"""Comparison of the text of two locks."""

from msgspec import Struct


class TextComparison(Struct, frozen=True):
    """Entries of a lock: how many are the same, byte for byte, and the names of others that keep their version."""

    same: int
    altered: tuple[str, ...]
