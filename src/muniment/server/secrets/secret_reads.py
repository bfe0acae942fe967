"""Stores who read which environment's secrets, by the vault's audit log; each reader that is no pipeline there is
one incident.
"""

from datetime import datetime
from pathlib import Path

from django.conf import settings
from django.db import transaction

from muniment.server.incidents import kinds
from muniment.server.incidents.lifecycle import open_incident
from muniment.server.products.models import Environment
from muniment.server.secrets.models import SecretRead
from muniment.server.secrets.watch_state import find_examined_moment
from muniment.vault.audit import AuditLogError
from muniment.vault.embedded_vault import EmbeddedVault
from muniment.vault.read_counter import ReadCount, ReadCounter

_COUNTERS: dict[Path, ReadCounter] = {}  # of this process: a log is read whole once, then what is new


def find_audit_log() -> Path | None:
    """Path of the vault's audit log; None for a company's vault without a named copy that this account reads."""
    if settings.VAULT_AUDIT:
        return Path(settings.VAULT_AUDIT)
    return None if settings.VAULT_URL else EmbeddedVault(Path(settings.HOME)).audit


def store_reads() -> None:
    """Store the reads that the log has so far. A log that cannot be read is read again from its start: doctor and
    the facts say so meanwhile.
    """
    log = find_audit_log()
    if log is None or not log.exists():
        return
    counter = _COUNTERS.setdefault(log, ReadCounter(log, settings.VAULT_NAMESPACE))
    try:
        found = counter.count_new_reads()
    except AuditLogError:
        del _COUNTERS[log]
        return
    if counter.has_unexamined_damage(find_examined_moment()):
        # Also damage from before the watch began: without an incident, nobody could accept it.
        report_log_gap(f"{log.name}: a line is damaged")
    places = {f"{one.product.slug}/{one.name}": one for one in Environment.objects.select_related("product")}
    with transaction.atomic():
        for (place, who, pipeline), known in found.items():
            if place in places:
                _store_reader(places[place], who[:_LONGEST], pipeline, known)


def report_log_gap(gap: str) -> None:
    """Open the incident of a gap in the vault's audit log; one is open for all gaps until a person closes it."""
    open_incident(kinds.VAULT_AUDIT_GAP, None, "vault-audit", f"The vault's audit log is not whole: {gap}")


def report_foreign_read(environment: Environment, reader: str, moment: datetime) -> None:
    """Open the incident of a read by no pipeline, unless the watch or an earlier run opened it before."""
    values = {"first_read_at": moment, "last_read_at": moment}
    with transaction.atomic():
        # The watch of the vault and a periodic run may find the same read: the row decides which of them reports it.
        rows = SecretRead.objects.select_for_update()
        row, _new = rows.get_or_create(
            environment=environment, reader=reader[:_LONGEST], by_pipeline=False, defaults=values
        )
        if row.reported_at is not None and moment <= row.reported_at:
            return
        SecretRead.objects.filter(pk=row.pk).update(reported_at=moment)
        description = (
            f"{reader} read the secrets of {environment.name} of {environment.product.name}, and is no pipeline of it"
        )
        open_incident(kinds.VAULT_READ, environment.product, f"reader:{reader}", description)


_LONGEST = 200  # characters of a reader's name


def _store_reader(environment: Environment, reader: str, pipeline: bool, reads: ReadCount) -> None:
    """Store the reads of a reader; an old log may have been removed since, so that no count decreases."""
    values = {"first_read_at": reads.first, "last_read_at": reads.last}
    row, _new = SecretRead.objects.get_or_create(
        environment=environment, reader=reader, by_pipeline=pipeline, defaults=values
    )
    if reads.number > row.read_count or reads.last > row.last_read_at:
        row.last_read_at, row.read_count = max(row.last_read_at, reads.last), max(row.read_count, reads.number)
        row.save(update_fields=["last_read_at", "read_count"])
    if not pipeline:
        report_foreign_read(environment, reader, reads.last)
