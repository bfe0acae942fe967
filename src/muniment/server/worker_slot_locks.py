"""Slots of a worker that one repository may occupy: all but one, so that it never delays the others alone."""

import contextlib
import os
from collections.abc import Iterator
from typing import Any

from django.db import connection

SLOTS = "MUNIMENT_SLOTS"  # in the environment of a worker: how many tasks it does at a time
_FEWEST_SHARED = 2  # slots of a worker, below which there is nothing to share
_SLOT_LOCKS = 0x6D756E00  # the first of the advisory locks of slots


class NoSlotError(Exception):
    """Raised if one repository would occupy all slots of a worker."""


def count_shared_slots() -> int:
    """Number of slots that one repository may occupy; 0 for any number."""
    slots = int(os.environ.get(SLOTS, 0))
    return slots - 1 if slots >= _FEWEST_SHARED else 0


@contextlib.contextmanager
def hold_slot(about: dict[str, object]) -> Iterator[None]:
    """Hold one of the slots that a repository may have on this database, by a lock that ends with this connection."""
    repository, slots = about.get("repository"), count_shared_slots()
    if not isinstance(repository, int) or not slots:
        yield
        return
    with connection.cursor() as cursor:
        # Tried one after the other and never waited for: a task that waited would occupy the slot that it may not have.
        key = next((key for key in range(slots) if _try_lock(cursor, repository, key)), None)
    if key is None:
        raise NoSlotError
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock(%s, %s)", [_SLOT_LOCKS + key, repository])


def _try_lock(cursor: Any, repository: int, key: int) -> bool:
    cursor.execute("SELECT pg_try_advisory_lock(%s, %s)", [_SLOT_LOCKS + key, repository])
    return bool(cursor.fetchone()[0])
