"""Fixtures that several rooms share."""

from tests.support.shop import keys, shop

__all__ = ["keys", "shop"]
