"""Keeps who read which environment's secrets, by the vault's audit log; who is no pipeline there is an incident."""

from datetime import datetime
from pathlib import Path

from django.conf import settings
from django.db import transaction

from muniment.server.incidents import kinds
from muniment.server.incidents.acts import open_incident
from muniment.server.products.models import Environment
from muniment.server.secrets.models import Fetch
from muniment.vault.audit import Broken, Read, reads
from muniment.vault.embedded import Embedded


def audit_log() -> Path | None:
    """Where the log of the vault is; None if it is the company's, and nobody named a copy that this account reads."""
    if settings.VAULT_AUDIT:
        return Path(settings.VAULT_AUDIT)
    return None if settings.VAULT_URL else Embedded(Path(settings.HOME)).audit


def note_fetches() -> None:
    """Everything new in the log. One that cannot be read is looked at again: doctor and the facts say so meanwhile."""
    log = audit_log()
    if log is None or not log.exists():
        return
    newest = Fetch.objects.order_by("-last").values_list("last", flat=True).first()
    places = {f"{one.product.slug}/{one.name}": one for one in Environment.objects.select_related("product")}
    try:
        found = [one for one in reads(log) if one.place in places and (newest is None or _moment(one) > newest)]
    except Broken:
        return
    with transaction.atomic():
        for one in found:
            _note(places[one.place], one)


def _note(environment: Environment, one: Read) -> None:
    at = _moment(one)
    values = {"first": at, "last": at, "pipeline": one.pipeline}
    row, _new = Fetch.objects.get_or_create(environment=environment, who=one.who[:200], defaults=values)
    row.last, row.times, row.pipeline = max(row.last, at), row.times + 1, one.pipeline
    row.save(update_fields=["last", "times", "pipeline"])
    if not one.pipeline:
        told = f"{one.who} read the secrets of {environment.name} of {environment.product.name}, and is no pipeline"
        open_incident(kinds.VAULT_READ, environment.product, f"reader:{one.who[:200]}", told)


def _moment(one: Read) -> datetime:
    """With microseconds: the log has nanoseconds."""
    return datetime.fromisoformat(one.time[:26].rstrip("Z") + "+00:00")
