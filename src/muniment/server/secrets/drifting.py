"""Finds out when the vault is set up otherwise than it should be, and says so as an incident."""

from django.db import transaction

from muniment.errors import VaultError
from muniment.server.incidents import kinds
from muniment.server.incidents.acts import close_incident, open_incident
from muniment.server.incidents.models import Incident
from muniment.server.secrets.access import session
from muniment.server.secrets.entrances import wanted
from muniment.vault import layout
from muniment.vault.client import Session
from muniment.vault.drift import strangers
from muniment.vault.pieces import Piece, all_of
from muniment.vault.plan import Step, differences

_SUBJECT = "vault"
_SHOWN = 5


def drift() -> list[str]:
    """What is other than it should be, in a few words each. Raises VaultError if it cannot be looked at."""
    here, should = session(), wanted()[0]
    found = [one for one in differences(here, all_of(should)) if one.step is Step.CHANGE]
    return [*(str(one) for one in found if not _lacks_doors(here, one.piece)), *strangers(here, should)]


def _lacks_doors(here: Session, piece: Piece) -> bool:
    """Whether it is the worker's policy, and allows only less than it should: doors that a person has yet to make."""
    if piece.path != f"sys/policies/acl/{layout.WORKER}":
        return False
    there = str((here.request("GET", piece.path).get("data") or {}).get("policy", ""))
    return set(there.splitlines()) <= set(str(piece.data["policy"]).splitlines())


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
        for row in Incident.objects.filter(kind=kinds.VAULT_DRIFT, subject=_SUBJECT, closed=None):
            close_incident(row, kinds.GONE, "The vault is as it should be again.")
