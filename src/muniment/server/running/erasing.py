"""The eraser: deletes data stored outside the ledger, for an erasure that two people approved or a retention rule."""

import logging
import signal
import time
from collections.abc import Callable

from django.db import close_old_connections, connection

from muniment.errors import PolicyError, RowsDifferError
from muniment.server.people.erasing import erase_person, find_approved
from muniment.server.people.privacy import keep_to_rules
from muniment.server.process_signals import SignalPipe

_PAUSE_SECONDS = 5.0
_RULE_SECONDS = 3600.0  # between two looks at the retention rules

_log = logging.getLogger("muniment.eraser")


def run() -> None:
    """Erase what is to be erased, again and again, until SIGTERM or SIGINT. What fails is tried again."""
    signals = SignalPipe((signal.SIGTERM, signal.SIGINT))
    kept, pause = float("-inf"), 0.0
    while not signals.wait(pause):
        pause = _PAUSE_SECONDS
        _try(erase_approved)
        if time.monotonic() >= kept + _RULE_SECONDS and _try(drop_expired):
            kept = time.monotonic()
        close_old_connections()
    connection.close()


def erase_approved() -> None:
    """Erase everybody whose erasure was approved. One that no records approve is not erased, and holds up no other."""
    for number in find_approved():
        try:
            erase_person(number)
        except RowsDifferError as error:
            _log.error("a person is not erased: %s", error.message)


def drop_expired() -> None:
    """Drop what the retention rules of the policy in force say is over; nothing while that policy is not known."""
    try:
        keep_to_rules()
    except (RowsDifferError, PolicyError) as error:
        _log.error("nothing is dropped by a retention rule: %s", error.message)


def _try(each: Callable[[], object]) -> bool:
    """Whether it was done."""
    try:
        each()
    except Exception:  # noqa: BLE001 -- the outermost edge of a process
        _log.exception("%s failed, and is tried again", each.__name__)
        connection.close()
        return False
    return True
