"""List of erasures of this installation, and its copy outside the home. For the sequencer, which writes there."""

from pathlib import Path

from django.conf import settings

from muniment.server.records.installation import open_store
from muniment.server.records.models import Erasure
from muniment.store.erasure_list import LIST_NAME, ErasureLine, format_list, parse_list
from muniment.store.external_copy import open_external_copy

_published: dict[str, frozenset[ErasureLine]] = {}  # by the place outside, what this process saw there last


def read_erasures() -> frozenset[ErasureLine]:
    """Every erasure of this installation."""
    return frozenset(ErasureLine(*row) for row in Erasure.objects.values_list("time", "salt", "commitment"))


def add_erasures(lines: frozenset[ErasureLine]) -> None:
    """Store the lines that are not stored yet."""
    new = sorted(lines - read_erasures())
    Erasure.objects.bulk_create(Erasure(time=one.time, salt=one.salt, commitment=one.commitment) for one in new)


def publish_erasures() -> None:
    """Update the copy outside the home, if there is one. No line of the copy is lost. Raises StoreError."""
    where = open_store().load_settings().external_copy
    own = read_erasures()
    if not where or _published.get(where) == own:
        return
    place = open_external_copy(where, Path(settings.HOME), LIST_NAME)
    data = place.read_copy()
    there = parse_list(data) if data is not None else None
    if there is None or not own <= there:
        place.write_copy(format_list(own | (there or frozenset())).encode())
    _published[where] = own
