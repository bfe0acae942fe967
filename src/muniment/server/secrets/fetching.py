"""Keeps who read which environment's secrets, by the vault's audit log; who is no pipeline there is one incident."""

from datetime import datetime
from pathlib import Path

from django.conf import settings
from django.db import transaction

from muniment.server.incidents import kinds
from muniment.server.incidents.lifecycle import open_incident
from muniment.server.products.models import Environment
from muniment.server.secrets.models import SecretRead
from muniment.vault.audit import Broken
from muniment.vault.embedded import Embedded
from muniment.vault.read_counter import ReadCounter, Reads

_COUNTERS: dict[Path, ReadCounter] = {}  # of this process: a log is read whole once, then what is new


def audit_log() -> Path | None:
    """Where the log of the vault is; None if it is the company's, and nobody named a copy that this account reads."""
    if settings.VAULT_AUDIT:
        return Path(settings.VAULT_AUDIT)
    return None if settings.VAULT_URL else Embedded(Path(settings.HOME)).audit


def note_fetches() -> None:
    """Keep what the log says so far. One that cannot be read is read again from its start: doctor and the facts say so
    meanwhile.
    """
    log = audit_log()
    if log is None or not log.exists():
        return
    try:
        found = _COUNTERS.setdefault(log, ReadCounter(log, settings.VAULT_NAMESPACE)).read_on()
    except Broken:
        del _COUNTERS[log]
        return
    places = {f"{one.product.slug}/{one.name}": one for one in Environment.objects.select_related("product")}
    with transaction.atomic():
        for (place, who, pipeline), known in found.items():
            if place in places:
                _note(places[place], who[:_LONGEST], pipeline, known)


def report_read(environment: Environment, who: str, moment: datetime) -> None:
    """Open the incident of a reading by no pipeline, unless watch or count opened one of it before."""
    values = {"first_read_at": moment, "last_read_at": moment}
    with transaction.atomic():
        rows = SecretRead.objects.select_for_update()
        row, _new = rows.get_or_create(
            environment=environment, reader=who[:_LONGEST], by_pipeline=False, defaults=values
        )
        if row.reported_at is not None and moment <= row.reported_at:
            return
        SecretRead.objects.filter(pk=row.pk).update(reported_at=moment)
        told = f"{who} read the secrets of {environment.name} of {environment.product.name}, and is no pipeline of it"
        open_incident(kinds.VAULT_READ, environment.product, f"reader:{who}", told)


_LONGEST = 200  # characters of a reader's name


def _note(environment: Environment, who: str, pipeline: bool, known: Reads) -> None:
    """What is known of a reader; an old log may have been taken away since, so that nothing grows less."""
    values = {"first_read_at": known.first, "last_read_at": known.last}
    row, _new = SecretRead.objects.get_or_create(
        environment=environment, reader=who, by_pipeline=pipeline, defaults=values
    )
    if known.number > row.read_count or known.last > row.last_read_at:
        row.last_read_at, row.read_count = max(row.last_read_at, known.last), max(row.read_count, known.number)
        row.save(update_fields=["last_read_at", "read_count"])
    if not pipeline:
        report_read(environment, who, known.last)
