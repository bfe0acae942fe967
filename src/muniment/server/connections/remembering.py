"""Answers of a forge with their validators, kept for asking again: the unchanged costs nothing of its patience."""

import zlib

from django.utils import timezone
from msgspec import json

from muniment.facts import canonical
from muniment.http.connections import Response
from muniment.server.connections.models import CachedResponse, Connection

_LARGEST = 1 << 20  # bytes of an answer


class LastingCache:
    """The answers that one connection had, in the database."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def get(self, key: str) -> tuple[str, Response] | None:
        """The validator and the answer kept for it."""
        found = CachedResponse.objects.filter(connection=self._connection, key=canonical.digest(key.encode())).first()
        if found is None:
            return None
        return found.validator, json.decode(zlib.decompress(bytes(found.body)), type=Response)

    def put(self, key: str, validator: str, answer: Response) -> None:
        """Keep an answer, unless it is huge."""
        if len(answer.body) > _LARGEST or len(validator) > 200:
            return
        values = {"validator": validator, "body": zlib.compress(json.encode(answer), 1), "cached_at": timezone.now()}
        CachedResponse.objects.update_or_create(
            connection=self._connection, key=canonical.digest(key.encode()), defaults=values
        )
