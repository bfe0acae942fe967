"""Locks by name across all processes and machines."""

import contextlib
import hashlib
from collections.abc import Iterator

from django.db import connection


@contextlib.contextmanager
def hold_lock(name: str) -> Iterator[None]:
    """Exclusive lock across all processes and machines."""
    # PostgreSQL's advisory locks are numbers of 64 bits.
    key = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big", signed=True)
    with connection.cursor() as cursor:
        # A lock of the session, not of a transaction: it is held while the forge is asked, and PostgreSQL releases it
        # when the process dies. Two names with the same 64 bits would only wait for each other.
        cursor.execute("SELECT pg_advisory_lock(%s)", [key])
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [key])
