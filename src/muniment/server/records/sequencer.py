"""Sequencer: assigns positions to records, signs checkpoints, and signs permissions to deploy. No other process can."""

import logging
import signal
import time

from django.db import close_old_connections, connection
from django.utils import timezone

from muniment.errors import LedgerError
from muniment.ledger import record_kinds, record_text
from muniment.ledger.writers import WRITERS
from muniment.server import moments
from muniment.server.guarding.database_roles import ROLE_PREFIX
from muniment.server.process_signals import SignalPipe
from muniment.server.records.erasure_lists import publish_erasures
from muniment.server.records.installation import open_store
from muniment.server.records.models import LedgerHead, Record, RecordPosition, RefusedRecord
from muniment.server.records.permission_signing import sign_permissions

_MOST = 5_000  # in one checkpoint
_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.3, 10.0

_SIGN_SECONDS = 10.0  # between two signs of life

_log = logging.getLogger("muniment.sequencer")


def run_sequencer() -> None:
    """Assign positions repeatedly, until SIGTERM or SIGINT. A failure is retried, with growing pauses."""
    signals = SignalPipe((signal.SIGTERM, signal.SIGINT))
    pause, signed_at = _PAUSE_SECONDS, 0.0
    while not signals.wait_for_signals(pause):
        try:
            # In this order: a permission is signed only for records that have their positions.
            assign_positions()
            sign_permissions()
            if time.monotonic() >= signed_at + _SIGN_SECONDS:
                record_heartbeat()
                publish_erasures()
                signed_at = time.monotonic()
        except Exception:  # noqa: BLE001 -- the outermost edge of a process
            pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)
            _log.exception("records could not be given their places, and are tried again")
            connection.close()
        else:
            pause = _PAUSE_SECONDS
        # Those that are too old or unusable: the database may have been restarted since.
        close_old_connections()
    connection.close()


def record_heartbeat() -> None:
    """Record that no record waits for a position."""
    LedgerHead.objects.update(sequencer_alive_at=timezone.now())


def assign_positions() -> int:
    """Assign positions to waiting records, in their order, under one checkpoint; their number.

    A record that its writer may not write is refused, and does not delay others. Raises LedgerError, StoreError.
    """
    # Most rounds end here, without the lock on the head and without the private key.
    if not RecordPosition.objects.filter(position=None).exists():
        return 0
    # One checkpoint for all of them: signing costs far more than an entry. The head is verified under the same lock, so
    # that nothing can be added to a ledger between its verification and ours.
    with open_store().open_log(signs=True).lock_and_verify() as held:
        rows = RecordPosition.objects.filter(position=None).select_related("record").order_by("record_id")[:_MOST]
        waiting: list[RecordPosition] = []
        for row in rows:
            reason = find_refusal(row.record)
            if reason is None:
                waiting.append(row)
            else:
                refuse_record(row, reason)
        first = held.append_entries([bytes(row.record.data) for row in waiting])
        for number, row in enumerate(waiting):
            row.position = first + number
        RecordPosition.objects.bulk_update(waiting, ["position"], batch_size=1000)
    return len(waiting)


def find_refusal(row: Record) -> RefusedRecord.Reason | None:
    """Reason why a record may get no position; None if it may."""
    try:
        entry = record_kinds.decode_record(bytes(row.data), row.pk)
        recorded_at = moments.parse_moment(entry.time)
    except (LedgerError, ValueError):
        return RefusedRecord.Reason.CONTENT
    # Columns can be written apart from the signed content: whoever searches by them must find what the content says.
    if (record_text.record_kind(entry), entry.object, recorded_at) != (row.kind, row.details_digest, row.recorded_at):
        return RefusedRecord.Reason.COLUMNS
    if f"{ROLE_PREFIX}{WRITERS[row.kind]}" != row.writer:
        return RefusedRecord.Reason.WRITER
    return None


def refuse_record(row: RecordPosition, reason: RefusedRecord.Reason) -> None:
    """Mark a record as refused, in the current transaction. The worker opens the incident."""
    _log.error("the record %s was refused: %s", row.pk, reason.label)
    RefusedRecord.objects.create(record=row.record, reason=reason)
    row.delete()
