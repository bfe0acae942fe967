"""Ledger in rows: tiles and checkpoint are written in one transaction, which locks the one row of the ledger's head."""

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

from django.db import transaction
from django.db.models import QuerySet

from muniment.ledger import tiles
from muniment.server.records.models import LedgerHead, Tile
from muniment.server.remembered_sql import remember_sql
from muniment.store.ledger_log import CHECKPOINT, Log


class PostgresLog(Log):
    """Ledger in PostgreSQL. `private` and `public` are its key, as text, None if this process does not have it."""

    def known_public_key(self) -> str:
        """Public key: a process that only reads has no other."""
        if self._private is None and self._public is not None:
            return self._public.strip()
        return super().known_public_key()

    def read_file(self, path: str) -> bytes | None:
        """File of the ledger, None if there is none."""
        if path == CHECKPOINT:
            found = next((checkpoint for (checkpoint,) in _read_checkpoint()), None)
        else:
            found = Tile.objects.filter(path=path).values_list("data", flat=True).first()
        return None if found is None else bytes(found)

    def has_tiles(self) -> bool:
        """Whether the ledger has any tiles."""
        return bool(_find_tile())

    @contextlib.contextmanager
    def lock_for_writing(self) -> Iterator[None]:
        """Lock the ledger's head in one transaction: all writes take effect together, or none."""
        with transaction.atomic():
            # The single row of the head is the lock: whoever appends waits here, and reads the head that the other
            # left.
            LedgerHead.objects.select_for_update().get()
            yield

    def write_tiles(self, files: Mapping[str, bytes], checkpoint: bytes) -> None:
        """Write tiles and checkpoint in the current transaction."""
        Tile.objects.bulk_create(
            [Tile(path=path, data=data) for path, data in files.items()],
            update_conflicts=True,
            unique_fields=["path"],
            update_fields=["data"],
        )
        LedgerHead.objects.update(checkpoint=checkpoint)

    def publish_checkpoint(self, checkpoint: bytes) -> None:
        """Publish after the transaction: the copy outside never contains what may still be rolled back."""
        transaction.on_commit(lambda: super(PostgresLog, self).publish_checkpoint(checkpoint))

    def remove_partial_tiles(self, old: int, new: int) -> None:
        """Remove partial files that neither size needs."""
        needed = tiles.list_partial_paths(new) | tiles.list_partial_paths(old)
        Tile.objects.filter(path__contains=".p/").exclude(path__in=needed).delete()


@remember_sql
def _read_checkpoint() -> "QuerySet[Any, tuple[Any]]":
    return LedgerHead.objects.order_by("id").values_list("checkpoint")[:1]


@remember_sql
def _find_tile() -> "QuerySet[Any, tuple[str]]":
    return Tile.objects.order_by().values_list("path")[:1]
