"""The eraser: deletes data stored outside the ledger, for an erasure that two people approved or a retention rule."""

import logging
import signal
import time
from collections.abc import Callable

from django.db import close_old_connections, connection

from muniment.errors import PolicyError, RowsDifferError
from muniment.server.people.person_erasure import erase_person, find_approved_erasures
from muniment.server.people.privacy import apply_retention_rules
from muniment.server.process_signals import SignalPipe

_PAUSE_SECONDS = 5.0
_RULE_SECONDS = 3600.0  # between two looks at the retention rules

_log = logging.getLogger("muniment.eraser")


def run_eraser() -> None:
    """Erase what is due, again and again, until SIGTERM or SIGINT. A failed erasure is tried again."""
    signals = SignalPipe((signal.SIGTERM, signal.SIGINT))
    applied_at, pause = float("-inf"), 0.0
    while not signals.wait_for_signals(pause):
        pause = _PAUSE_SECONDS
        # An erasure that fails stops no retention rule.
        _try_step(erase_approved)
        if time.monotonic() >= applied_at + _RULE_SECONDS and _try_step(drop_expired):
            applied_at = time.monotonic()
        close_old_connections()
    connection.close()


def erase_approved() -> None:
    """Erase everybody whose erasure was approved. A person whose erasure no records approve is not erased, and does
    not stop the others.
    """
    for number in find_approved_erasures():
        try:
            erase_person(number)
        except RowsDifferError as error:
            _log.error("a person is not erased: %s", error.message)


def drop_expired() -> None:
    """Drop what the retention rules of the policy in force say is over; nothing while that policy is not known."""
    try:
        apply_retention_rules()
    except (RowsDifferError, PolicyError) as error:
        _log.error("nothing is dropped by a retention rule: %s", error.message)


def _try_step(each: Callable[[], object]) -> bool:
    """Try one step; whether it succeeded."""
    try:
        each()
    except Exception:  # noqa: BLE001 -- the outermost edge of a process
        _log.exception("%s failed, and is tried again", each.__name__)
        connection.close()
        return False
    return True
