"""Cache in the database whose values are JSON.

Django's own cache pickles values: whoever writes a row of the table would run code in the process that reads it.
"""

import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from django.core.cache.backends.base import DEFAULT_TIMEOUT
from django.core.cache.backends.db import DatabaseCache
from django.db import connection
from django.utils import timezone

# A day less: no time zone moves it past the last year.
_NEVER = datetime.max.replace(microsecond=0, tzinfo=UTC) - timedelta(days=1)

_CULL = """
    DELETE FROM muniment_cache WHERE (SELECT count(*) FROM muniment_cache) > %s AND cache_key IN (
        SELECT cache_key FROM muniment_cache ORDER BY expires DESC OFFSET %s FOR UPDATE SKIP LOCKED)
"""  # those that end soonest, once there are too many; without a wait for other requests, which could wait for this one


class JsonCache(DatabaseCache):
    """Cache of JSON values in the table `muniment_cache`; a value of another form is absent. Nothing is pickled."""

    def get_many(self, keys: Iterable[object], version: int | None = None) -> dict[Any, Any]:
        """Values that have not expired, by key."""
        wanted = {self.make_and_validate_key(key, version=version): key for key in keys}
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT cache_key, value FROM muniment_cache WHERE cache_key = ANY(%s) AND expires >= %s",
                [list(wanted), timezone.now()],
            )
            rows = cursor.fetchall()
        found = {}
        for name, value in rows:
            try:
                found[wanted[name]] = json.loads(value)
            except (ValueError, RecursionError):
                continue
        return found

    def _base_set(self, mode: str, key: str, value: Any, timeout: float | None = DEFAULT_TIMEOUT) -> bool:
        """Store a value (`set`), store it unless one is there (`add`), or move its end (`touch`); whether it was."""
        seconds = self.get_backend_timeout(timeout)
        end = _NEVER if seconds is None else datetime.fromtimestamp(seconds, tz=UTC).replace(microsecond=0)
        now = timezone.now()
        with connection.cursor() as cursor:
            if mode == "touch":
                cursor.execute("UPDATE muniment_cache SET expires = %s WHERE cache_key = %s", [end, key])
                return bool(cursor.rowcount)
            text = json.dumps(value, allow_nan=False)
            cursor.execute(_CULL, [self._max_entries, self._max_entries * 2 // 3])
            # One statement: of two that add the same key at the same moment, one does.
            cursor.execute(
                "INSERT INTO muniment_cache AS kept (cache_key, value, expires) VALUES (%s, %s, %s)"
                " ON CONFLICT (cache_key) DO UPDATE SET value = excluded.value, expires = excluded.expires"
                " WHERE %s OR kept.expires < %s",
                [key, text, end, mode == "set", now],
            )
            return bool(cursor.rowcount)
