"""Cached responses of a forge with their validators: a request for unchanged data costs no rate limit."""

import zlib

from django.db import connection as database
from django.utils import timezone
from msgspec import json

from muniment.facts import canonical
from muniment.http.connections import Response
from muniment.server.connections.models import CachedResponse, Connection

_LARGEST = 1 << 20  # bytes of an answer
_GET = "SELECT validator, body FROM connections_cachedresponse WHERE connection_id = %s AND key = %s"


class DatabaseResponseCache:
    """Responses to one connection, in the database."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def get_response(self, key: str) -> tuple[str, Response] | None:
        """Validator and response that are stored for a key."""
        with database.cursor() as cursor:  # before each request that reads: without the time that a model takes
            cursor.execute(_GET, [self._connection.pk, canonical.digest_bytes(key.encode())])
            found = cursor.fetchone()
        if found is None:
            return None
        return str(found[0]), json.decode(zlib.decompress(bytes(found[1])), type=Response)

    def put_response(self, key: str, validator: str, answer: Response) -> None:
        """Store a response, unless it is too large."""
        if len(answer.body) > _LARGEST or len(validator) > 200:
            return
        values = {"validator": validator, "body": zlib.compress(json.encode(answer), 1), "cached_at": timezone.now()}
        CachedResponse.objects.update_or_create(
            connection=self._connection, key=canonical.digest_bytes(key.encode()), defaults=values
        )
