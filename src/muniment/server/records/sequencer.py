"""The sequencer: gives entries their place, and signs for them. Nobody else has the ledger's key."""

import logging
import signal
import time

from django.db import close_old_connections, connection
from django.utils import timezone

from muniment.server.installation import store
from muniment.server.records.models import LedgerHead, Record
from muniment.server.running.signals import SignalPipe

_MOST = 5_000  # in one checkpoint
_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.3, 10.0

_SIGN_SECONDS = 10.0  # between two signs of life

_log = logging.getLogger("muniment.sequencer")


def run() -> None:
    """Place what waits, again and again, until SIGTERM or SIGINT. What fails is tried again, later each time."""
    signals = SignalPipe((signal.SIGTERM, signal.SIGINT))
    pause, shown = _PAUSE_SECONDS, 0.0
    while not signals.wait(pause):
        try:
            give_places()
            if time.monotonic() >= shown + _SIGN_SECONDS:
                show_life()
                shown = time.monotonic()
        except Exception:  # noqa: BLE001 -- the outermost edge of a process
            pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)
            _log.exception("records could not be given their places, and are tried again")
            connection.close()
        else:
            pause = _PAUSE_SECONDS
        close_old_connections()
    connection.close()


def show_life() -> None:
    """Note that a sequencer has placed all that waited."""
    LedgerHead.objects.update(sequencer_alive_at=timezone.now())


def give_places() -> int:
    """Place what waits, in the order in which it came, under one checkpoint; how many. LedgerError, StoreError."""
    if not Record.objects.filter(position=None).exists():
        return 0
    with store().log(signs=True).held() as held:
        waiting = list(Record.objects.filter(position=None).order_by("id").only("id", "data")[:_MOST])
        first = held.append([bytes(entry.data) for entry in waiting])
        for number, entry in enumerate(waiting):
            entry.position = first + number
        Record.objects.bulk_update(waiting, ["position"], batch_size=1000)
    return len(waiting)
