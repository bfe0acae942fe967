"""The sequencer: gives entries their place, and signs for them. Nobody else has the ledger's key."""

from muniment.server.installation import home
from muniment.server.record.models import Entry

_MOST = 5_000  # in one checkpoint


def give_places() -> int:
    """Place what waits, in the order in which it came, under one checkpoint; how many. LedgerError, HomeError."""
    if not Entry.objects.filter(place=None).exists():
        return 0
    with home().log(signs=True).held() as held:
        waiting = list(Entry.objects.filter(place=None).order_by("id").only("id", "data")[:_MOST])
        first = held.append([bytes(entry.data) for entry in waiting])
        for number, entry in enumerate(waiting):
            entry.place = first + number
        Entry.objects.bulk_update(waiting, ["place"], batch_size=1000)
    return len(waiting)
