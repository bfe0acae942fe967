"""Finds out when the vault is set up otherwise than it should be, and says so as an incident."""

from datetime import timedelta

from django.db import transaction
from django.utils import timezone
from msgspec import structs

from muniment.errors import VaultError
from muniment.server.deployments.entrances import wanted
from muniment.server.incidents import kinds
from muniment.server.incidents.lifecycle import close_incident, open_incident
from muniment.server.incidents.models import Incident
from muniment.server.vault_access import session
from muniment.vault import layout
from muniment.vault.client import Session
from muniment.vault.drift import strangers
from muniment.vault.pieces import KEYS, Wanted, all_of
from muniment.vault.plan import Difference, Step, differences

PENDING = timedelta(days=1)  # in which whoever administers the vault takes out the doors of pipelines that were closed
_SUBJECT = "vault"
_SHOWN = 5


def drift() -> list[str]:
    """What is other than it should be, in a few words each. Raises VaultError if it cannot be looked at.

    What people said here a person makes so in the vault, by and by. So what allows less than it should is no drift yet,
    nor what is as it should have been before somebody closed a pipeline, for as long as PENDING. But a door that only
    that person can shut, and that stands open, is.
    """
    here, should, lately = session(), wanted()[0], wanted(timezone.now() - PENDING)[0]
    shut = tuple(one for one in lately.entrances if one.opens or one in should.entrances)
    lately = structs.replace(lately, entrances=shut)
    wrong = _changed(here, should)
    also = wrong if lately == should else _changed(here, lately)
    found = [wrong[path] for path in wrong if path in also and not _less(here, also[path])]
    return [*map(str, found), *strangers(here, lately)]


def _changed(here: Session, should: Wanted) -> dict[str, Difference]:
    return {one.piece.path: one for one in differences(here, all_of(should)) if one.step is Step.CHANGE}


def _less(here: Session, found: Difference) -> bool:
    """Whether it is the worker's policy or the keys of runners, and has some of what it should have alone."""
    path, data = found.piece.path, found.piece.data
    there = here.request("GET", path).get("data") or {}
    if path == f"sys/policies/acl/{layout.WORKER}":
        return set(str(there.get("policy", "")).splitlines()) <= set(str(data["policy"]).splitlines())
    keys = there.get(KEYS) or ()
    return (
        found.fields == (KEYS,) and bool(keys) and {one.strip() for one in keys} <= {one.strip() for one in data[KEYS]}
    )


def look_at_vault() -> None:
    """Open the incident, or close it because it is no longer so. What was never made is none: `vault plan` tells it.

    A vault that cannot be asked is none either: then nothing gets in, and doctor says so.
    """
    try:
        found = drift()
    except VaultError:
        return
    with transaction.atomic():
        if found:
            more = f", and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
            told = f"The vault is not as it should be: {'; '.join(found[:_SHOWN])}{more}"
            open_incident(kinds.VAULT_DRIFT, None, _SUBJECT, told)
            return
        for row in Incident.objects.filter(kind=kinds.VAULT_DRIFT, subject=_SUBJECT, closed_at=None):
            close_incident(row, kinds.GONE, "The vault is as it should be again.")
