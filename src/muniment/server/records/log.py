"""The ledger in rows: tiles and checkpoint are written in one transaction, by whoever holds the one locked row."""

import contextlib
from collections.abc import Iterator, Mapping

from django.db import transaction

from muniment.ledger import tiles
from muniment.server.records.models import LedgerHead, Tile
from muniment.store.log import CHECKPOINT, Log


class PostgresLog(Log):
    """The ledger. `private` and `public` are its key, as text, None where this process does not have it."""

    def known(self) -> str:
        """The public key: who only reads has no other."""
        if self._private is None and self._public is not None:
            return self._public.strip()
        return super().known()

    def read(self, path: str) -> bytes | None:
        """A file of the ledger, None if there is none."""
        if path == CHECKPOINT:
            found = LedgerHead.objects.values_list("checkpoint", flat=True).first()
        else:
            found = Tile.objects.filter(path=path).values_list("data", flat=True).first()
        return None if found is None else bytes(found)

    def has_tiles(self) -> bool:
        """Whether there is any."""
        return Tile.objects.exists()

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """In one transaction, with the one row locked: whatever is written comes to be as a whole, or not at all."""
        with transaction.atomic():
            LedgerHead.objects.select_for_update().get()
            yield

    def write(self, files: Mapping[str, bytes], checkpoint: bytes) -> None:
        """In the transaction that is under way."""
        Tile.objects.bulk_create(
            [Tile(path=path, data=data) for path, data in files.items()],
            update_conflicts=True,
            unique_fields=["path"],
            update_fields=["data"],
        )
        LedgerHead.objects.update(checkpoint=checkpoint)

    def publish(self, checkpoint: bytes) -> None:
        """After the transaction: what lies outside never speaks of what may yet be undone."""
        transaction.on_commit(lambda: super(PostgresLog, self).publish(checkpoint))

    def tidy(self, old: int, new: int) -> None:
        """Drops files that are not full and that neither needs."""
        needed = tiles.partial_paths(new) | tiles.partial_paths(old)
        Tile.objects.filter(path__contains=".p/").exclude(path__in=needed).delete()
