"""Finds deviations of the vault from its desired state, and opens an incident for them."""

from datetime import timedelta

from django.db import transaction
from django.utils import timezone
from msgspec import structs

from muniment.errors import VaultError
from muniment.server.deployments.desired_vault import make_desired_state
from muniment.server.incidents import kinds
from muniment.server.incidents.lifecycle import close_incident, open_incident
from muniment.server.incidents.models import Incident
from muniment.server.vault_access import open_vault_session
from muniment.vault import layout
from muniment.vault.drift import find_unexpected_readers
from muniment.vault.plan import PlannedAction, ResourceDifference, find_resource_differences
from muniment.vault.vault_client import Session, read_texts
from muniment.vault.vault_resources import PUBLIC_KEYS_FIELD, DesiredState, list_all_resources

DRIFT_GRACE = timedelta(
    days=1
)  # in which whoever administers the vault takes out the doors of pipelines that were closed
_SUBJECT = "vault"
_SHOWN = 5


def find_drift() -> list[str]:
    """Deviations from the desired state, in a few words each. Raises VaultError if it cannot be read.

    A person applies the desired state to the vault, some time after it was decided here. So less access than
    desired is no drift yet, nor is an earlier desired state from before a pipeline was revoked, for as long as
    PENDING. But an open role that only that person can close is.
    """
    here, should, lately = (
        open_vault_session(),
        make_desired_state()[0],
        make_desired_state(timezone.now() - DRIFT_GRACE)[0],
    )
    shut = tuple(one for one in lately.entrances if one.is_opened_per_commit or one in should.entrances)
    lately = structs.replace(lately, entrances=shut)
    wrong = _find_changed(here, should)
    also = wrong if lately == should else _find_changed(here, lately)
    found = [wrong[path] for path in wrong if path in also and not _is_weaker_role(here, also[path])]
    return [*map(str, found), *find_unexpected_readers(here, lately)]


def _find_changed(vault_session: Session, desired: DesiredState) -> dict[str, ResourceDifference]:
    return {
        one.piece.path: one
        for one in find_resource_differences(vault_session, list_all_resources(desired))
        if one.step is PlannedAction.CHANGE
    }


def _is_weaker_role(vault_session: Session, difference: ResourceDifference) -> bool:
    """Whether it is a policy of ours or the keys of runners, and permits only a part of what it should."""
    path, data = difference.piece.path, difference.piece.data
    there = vault_session.read_data(path)
    if path in (f"sys/policies/acl/{layout.WORKER}", f"sys/policies/acl/{layout.ADMIN}"):
        return set(str(there.get("policy", "")).splitlines()) <= set(str(data["policy"]).splitlines())
    keys = read_texts(there.get(PUBLIC_KEYS_FIELD))
    return (
        difference.fields == (PUBLIC_KEYS_FIELD,)
        and bool(keys)
        and {one.strip() for one in keys} <= {one.strip() for one in read_texts(data[PUBLIC_KEYS_FIELD])}
    )


def check_vault_drift() -> None:
    """Open the incident, or close it because there is no drift any more. A resource that was never made is none:
    `vault plan` shows it.

    An unreachable vault is none either: then no pipeline gets secrets, and doctor says so.
    """
    try:
        found = find_drift()
    except VaultError:
        return
    with transaction.atomic():
        if found:
            more = f", and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
            description = f"The vault is not as it should be: {'; '.join(found[:_SHOWN])}{more}"
            open_incident(kinds.VAULT_DRIFT, None, _SUBJECT, description)
            return
        for row in Incident.objects.filter(kind=kinds.VAULT_DRIFT, subject=_SUBJECT, closed_at=None):
            close_incident(row, kinds.GONE, "The vault is as it should be again.")
