"""Fixtures of the command line's tests."""

from tests.support.shop import keys, shop

__all__ = ["keys", "shop"]
