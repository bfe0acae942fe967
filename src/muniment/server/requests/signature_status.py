"""Status of the signatures over a waiting request, for pages."""

from typing import NamedTuple

from django.conf import settings

from muniment.server.records.demanded_proofs import is_proof_demanded
from muniment.server.requests.approvers import find_permission
from muniment.server.requests.models import ActProof, ProofVerification, Request


class SignatureStatus(NamedTuple):
    """Signatures over a request for a page: whether the policy demands them, whether the worker verified them, the
    address where this person signs, "" where it is not set up, and whether they signed already.
    """

    demanded: bool
    verified: bool
    address: str
    signed: bool


def read_signature_status(row: Request, person: str) -> SignatureStatus:
    """Read the status of the signatures over a request, for a page of a person."""
    address = f"{settings.CONFIRMATION_URL}/requests/{row.internal_id}/{person}" if settings.CONFIRMATION_URL else ""
    demanded = is_proof_demanded(find_permission(row)[0])
    verified = ProofVerification.objects.filter(request=row).exists()
    return SignatureStatus(demanded, verified, address, ActProof.objects.filter(request=row, signer=person).exists())
