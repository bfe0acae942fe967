"""Reports recoveries and removals of secrets that lack the signatures which the policy demanded.

No other process uses what these acts write: sign-in data and the vault's values are the web's. So the worker compares
the rows that they leave, and opens an incident for each that no signed act explains. Until a recorded act closes it,
neither a signature nor an approval by the person whose account was recovered counts.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import NamedTuple

from django.db import models
from django.utils import timezone

from muniment.access.actions import Action
from muniment.server.incidents.kinds import ACT_UNSIGNED
from muniment.server.incidents.lifecycle import open_incident
from muniment.server.incidents.models import Incident
from muniment.server.job_queue import enqueue
from muniment.server.people.models import Invitation
from muniment.server.people.person_acts import InvitePerson
from muniment.server.records.demanded_proofs import is_proof_in_list
from muniment.server.records.models import Record
from muniment.server.records.record_writing import action_code
from muniment.server.requests.models import RequestExecution
from muniment.server.requests.proven_rows import read_policy_history
from muniment.server.requests.signed_acts import SignedAct, find_signed_act
from muniment.server.secrets.models import Secret
from muniment.server.secrets.secret_acts import RemoveSecret

_CLOCK_DIFFERENCE = timedelta(minutes=5)  # at most, between the machines of the database and of the web
_KEPT = timedelta(days=2)  # a link is valid for a day, and a removed secret is destroyed after one


class UnsignedAct(NamedTuple):
    """Trace of an act that no signed act explains: the resource it is about, and a sentence for people."""

    subject: str
    summary: str
    link: str = ""
    involved: tuple[str, ...] = ()


def report_unsigned_acts() -> None:
    """Open an incident for each, once."""
    known = set(Incident.objects.filter(kind=ACT_UNSIGNED).values_list("subject", flat=True))
    for one in find_unsigned_acts():
        if one.subject not in known:
            open_incident(ACT_UNSIGNED, None, one.subject, one.summary, link=one.link, involved=one.involved)
            enqueue("reevaluate-all")  # approvals by the persons involved do not count until it is closed


def find_unsigned_acts() -> Iterator[UnsignedAct]:
    """Recent traces that were left while the policy demanded signatures, and that no signed act explains."""
    since = _find_demand_start(Action.RECOVER_ACCOUNT)
    if since is not None:
        yield from _find_unsigned_recoveries(since)
    since = _find_demand_start(Action.REMOVE_SECRET)
    if since is not None:
        yield from _find_unsigned_removals(since)


def _find_unsigned_recoveries(since: datetime) -> Iterator[UnsignedAct]:
    """Links that let somebody in who has a second factor, a role or an account. Each takes a signed act of its own."""
    acts = _find_signed_acts(Action.RECOVER_ACCOUNT)
    rows = Invitation.objects.filter(recovers=True, by_operator=False, created_at__gt=since)
    for row in rows.select_related("person").order_by("pk"):
        proof = next((one for one in acts if _permits_link(one, row.person_id, row.created_at)), None)
        if proof is not None:
            acts.remove(proof)
            continue
        description = (
            f"a link that recovers the account of {row.person.name} was made without the signatures of two people"
        )
        yield UnsignedAct(f"link:{row.pk}", description, f"/people/{row.person.slug}", (row.person_id,))


def _permits_link(signed: SignedAct, person: str, at: datetime) -> bool:
    return isinstance(signed.act, InvitePerson) and signed.act.person == person and _is_carried_out_at(signed, at)


def _find_unsigned_removals(since: datetime) -> Iterator[UnsignedAct]:
    acts = _find_signed_acts(Action.REMOVE_SECRET)
    rows = Secret.objects.filter(removed_at__gt=since).select_related("environment__product").order_by("pk")
    for row in rows:
        place = (row.environment.product.slug, row.environment.name, row.name)
        if not any(_permits_removal(one, place, row.removed_at) for one in acts):
            subject = f"secret:{'/'.join(place)}"
            at = row.removed_at.isoformat() if row.removed_at else ""
            description = (
                f"the secret {row.name} of {place[1]} of {place[0]} was removed without the signatures of two people"
            )
            yield UnsignedAct(f"{subject}@{at}", description)


def _permits_removal(signed: SignedAct, place: tuple[str, str, str], at: datetime | None) -> bool:
    act = signed.act
    named = isinstance(act, RemoveSecret) and (act.product, act.environment, act.name) == place
    return named and at is not None and _is_carried_out_at(signed, at)


def _is_carried_out_at(signed: SignedAct, at: datetime) -> bool:
    """Whether a trace is of the time between the signatures and the moment at which the worker saw the act done."""
    found = signed.verification
    proofs = [proof for proof in (found.request_proof, found.approval_proof) if proof is not None]
    end = found.carried_out_at or timezone.now()
    return all(proof.made_at - _CLOCK_DIFFERENCE <= at for proof in proofs) and at <= end + _CLOCK_DIFFERENCE


def _find_signed_acts(action: Action) -> list[SignedAct]:
    rows = RequestExecution.objects.filter(request__action=action_code(action)).order_by("pk")
    recent = rows.filter(
        models.Q(request__verification__carried_out_at=None)
        | models.Q(request__verification__carried_out_at__gt=timezone.now() - _KEPT)
    )
    found = (find_signed_act(number) for number in recent.values_list("record", flat=True))
    return [one for one in found if one is not None]


def _find_demand_start(action: Action) -> datetime | None:
    """Moment since when signatures are demanded, at most two days ago; None if they are not demanded now."""
    start: int | None = None
    for one in reversed([one for one in read_policy_history() if one.accepted]):
        if not is_proof_in_list(one.acts, action):
            break
        start = one.record
    if start is None:
        return None
    return max(Record.objects.get(pk=start).recorded_at, timezone.now() - _KEPT)
