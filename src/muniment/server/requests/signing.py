"""What pages say of the signatures over a request that waits."""

from typing import NamedTuple

from django.conf import settings

from muniment.server.records.demanded_proofs import is_proof_demanded
from muniment.server.requests.approvers import about_request
from muniment.server.requests.models import ProofVerification, Request


class Signing(NamedTuple):
    """What a page says of the signatures over a request: whether the policy demands them, whether the worker verified
    them, and the address where this person signs, "" where it is not set up.
    """

    demanded: bool
    verified: bool
    address: str


def read_signing(row: Request, person: str) -> Signing:
    """The signatures over a request, for a page of a person."""
    address = f"{settings.CONFIRMATION_URL}/requests/{row.internal_id}/{person}" if settings.CONFIRMATION_URL else ""
    demanded = is_proof_demanded(about_request(row)[0])
    return Signing(demanded, ProofVerification.objects.filter(request=row).exists(), address)
