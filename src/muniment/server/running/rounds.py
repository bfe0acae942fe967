"""What is looked after again and again, in each worker: entries get their places, the dead's work is taken up."""

import logging
import threading
import time
from collections.abc import Callable

from asgiref.sync import async_to_sync
from django.db import close_old_connections, connection
from procrastinate.contrib.django import app

from muniment.server.changes.models import GateLog
from muniment.server.connections.tasks import go_rounds
from muniment.server.deployments.tasks import go_on, read_issuers
from muniment.server.people.lapsing import note_lapsed
from muniment.server.people.messages import send_now
from muniment.server.people.privacy import keep_to_rules
from muniment.server.policies.models import Source
from muniment.server.products.models import FORGE, Repository
from muniment.server.record.sequencer import give_places
from muniment.server.secrets.drifting import look_at_vault
from muniment.server.secrets.fetching import note_fetches
from muniment.server.work import QUEUE, soon, take_up

_KEEP_HOURS = 24

_log = logging.getLogger("muniment.rounds")


class Rounds:
    """A thread that goes them: `with Rounds():`."""

    def __init__(self) -> None:
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="rounds", daemon=True)

    def __enter__(self) -> "Rounds":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        self._thread.join(10)

    def _run(self) -> None:
        due = dict.fromkeys(_ROUNDS, 0.0)
        while not self._ending.is_set():
            for each, seconds in _ROUNDS.items():
                if time.monotonic() >= due[each]:
                    due[each] = time.monotonic() + seconds
                    _go(each)
            self._ending.wait(0.3)
        connection.close()


def _go(each: Callable[[], object]) -> None:
    """One round. What fails is told, and tried again the next time: the thread outlives it."""
    try:
        each()
    except Exception:  # noqa: BLE001 -- the outermost edge of a thread
        _log.exception("the round %s failed", each.__name__)
        connection.close()
    close_old_connections()


def look_around() -> None:
    """See what is new in every repository."""
    here = Repository.objects.filter(product__retired=None).exclude(path__startswith=FORGE)
    for number in here.values_list("pk", flat=True):
        soon("look", repository=number)
    for number in GateLog.objects.filter(repository__product__retired=None).values_list("pk", flat=True):
        soon("read-gate", log=number)
    if Source.objects.exists():
        soon("read-policy")


def drop_old() -> None:
    """Jobs that came to their end a day ago."""
    async_to_sync(app.job_manager.delete_old_jobs)(nb_hours=_KEEP_HOURS, queue=QUEUE, include_failed=False)


_ROUNDS: dict[Callable[[], object], float] = {
    give_places: 0.3,
    take_up: 10,
    look_around: 20,
    go_on: 5,
    read_issuers: 60,
    go_rounds: 60,
    drop_old: 3600,
    keep_to_rules: 3600,
    note_lapsed: 60,
    send_now: 300,
    look_at_vault: 300,
    note_fetches: 120,
}
