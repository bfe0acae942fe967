"""Keeps who read which environment's secrets, by the vault's audit log; who is no pipeline there is an incident."""

from datetime import datetime
from pathlib import Path

from django.conf import settings
from django.db import transaction

from muniment.server.incidents import kinds
from muniment.server.incidents.lifecycle import open_incident
from muniment.server.products.models import Environment
from muniment.server.secrets.models import SecretRead
from muniment.vault.audit import Broken, parse_moment, reads
from muniment.vault.embedded import Embedded


def audit_log() -> Path | None:
    """Where the log of the vault is; None if it is the company's, and nobody named a copy that this account reads."""
    if settings.VAULT_AUDIT:
        return Path(settings.VAULT_AUDIT)
    return None if settings.VAULT_URL else Embedded(Path(settings.HOME)).audit


def note_fetches() -> None:
    """What is new in the log. It is read whole: its lines are not quite in the order of their times.

    One that cannot be read is looked at again: doctor and the facts say so meanwhile.
    """
    log = audit_log()
    if log is None or not log.exists():
        return
    times: dict[tuple[str, str, bool], list[datetime]] = {}
    try:
        for one in reads(log, settings.VAULT_NAMESPACE):
            times.setdefault((one.place, one.who[:200], one.pipeline), []).append(parse_moment(one.time))
    except Broken:
        return
    places = {f"{one.product.slug}/{one.name}": one for one in Environment.objects.select_related("product")}
    with transaction.atomic():
        for (place, who, pipeline), moments in times.items():
            if place in places:
                _note(places[place], who, pipeline, moments)


def _note(environment: Environment, who: str, pipeline: bool, moments: list[datetime]) -> None:
    """What is known of a reader; an old log may have been taken away since, so that nothing grows less."""
    values = {"first_read_at": min(moments), "last_read_at": max(moments)}
    row, _new = SecretRead.objects.get_or_create(
        environment=environment, reader=who, by_pipeline=pipeline, defaults=values
    )
    if len(moments) <= row.read_count and max(moments) <= row.last_read_at:
        return
    row.last_read_at, row.read_count = max(row.last_read_at, *moments), max(row.read_count, len(moments))
    row.save(update_fields=["last_read_at", "read_count"])
    if not pipeline:
        told = f"{who} read the secrets of {environment.name} of {environment.product.name}, and is no pipeline"
        open_incident(kinds.VAULT_READ, environment.product, f"reader:{who}", told)
