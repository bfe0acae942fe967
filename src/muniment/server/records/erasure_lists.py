"""The list of erasures of this installation, and its copy outside the home. For the sequencer, which writes there."""

from pathlib import Path

from django.conf import settings

from muniment.server.records.installation import store
from muniment.server.records.models import Erasure
from muniment.store.erasure_list import NAME, ErasureLine, read_list, write_list
from muniment.store.outside import outside

_published: dict[str, frozenset[ErasureLine]] = {}  # by the place outside, what this process saw there last


def read_erasures() -> frozenset[ErasureLine]:
    """Every erasure of this installation."""
    return frozenset(ErasureLine(*row) for row in Erasure.objects.values_list("time", "salt", "commitment"))


def add_erasures(lines: frozenset[ErasureLine]) -> None:
    """Store those of the lines that are not here yet."""
    new = sorted(lines - read_erasures())
    Erasure.objects.bulk_create(Erasure(time=one.time, salt=one.salt, commitment=one.commitment) for one in new)


def publish_erasures() -> None:
    """Bring the copy outside the home up to date, if there is one. No line that is there is lost. Raises StoreError."""
    where = store().settings().external_copy
    own = read_erasures()
    if not where or _published.get(where) == own:
        return
    place = outside(where, Path(settings.HOME), NAME)
    data = place.read()
    there = read_list(data) if data is not None else None
    if there is None or not own <= there:
        place.write(write_list(own | (there or frozenset())).encode())
    _published[where] = own
