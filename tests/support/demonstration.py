"""The demonstration company in the database of the tests: `fill_demonstration()`, and many further products."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from django.conf import settings

from muniment.server.guarding.database_roles import ROLE_NAMES
from muniment.server.running import demonstration
from tests.support.service import as_role, connect_as


@contextmanager
def demonstration_home(patch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The tests' home counts as a demonstration while it lasts."""
    patch.setattr(settings, "DEMONSTRATION", True)
    yield Path(settings.HOME)


def fill_demonstration(patch: pytest.MonkeyPatch, *, large: bool = False) -> int:
    """Fill the empty service of the tests with the demonstration company; the number of its events."""
    with demonstration_home(patch) as home, as_role("web"):
        os.makedirs(home / "mirrors", exist_ok=True)
        count = demonstration.fill_demonstration(home, lambda role: connect_as(ROLE_NAMES[role]), large=large)
        connect_as(ROLE_NAMES["web"])
    return count
