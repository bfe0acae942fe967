"""Acts that two persons signed, whose signatures the worker verified, by the record that carried them out."""

from datetime import datetime, timedelta
from typing import NamedTuple

from django.utils import translation

from muniment.errors import MunimentError
from muniment.facts import canonical
from muniment.facts.act_statements import ActStatement, decode_act_statement
from muniment.server import moments
from muniment.server.acts.act import Act
from muniment.server.records.models import Record
from muniment.server.requests.execution import RECORD_LANGUAGE
from muniment.server.requests.models import ProofVerification, Request, RequestExecution
from muniment.server.requests.registry import decode_stored_act
from muniment.server.requests.shown_requests import make_shown_request

CARRIED_OUT = timedelta(hours=1)  # after the signature, at the latest: so long a permission may begin later
_CLOCK_DIFFERENCE = timedelta(minutes=5)  # at most, between the machines of the database and of the web


class SignedAct(NamedTuple):
    """Act that two persons signed, whose signatures the worker verified, and that one record carried out."""

    act: Act
    verification: ProofVerification
    statement: ActStatement

    def still_shows_same(self) -> bool:
        """Whether the act shows now the text that the persons saw: the rows that it names are as they were then."""
        request = self.verification.request
        with translation.override(RECORD_LANGUAGE):
            moment = moments.format_moment(request.requested_at)
            display = make_shown_request(self.act, self.act.describe_act(), request.requester, moment)
        return canonical.digest_bytes(display.encode()) == self.statement.shown

    def is_signed_before(self, moment: datetime) -> bool:
        """Whether a row begins no earlier than the signatures: an earlier one would count for decisions of the past."""
        proofs = (self.verification.request_proof, self.verification.approval_proof)
        return all(proof.made_at - _CLOCK_DIFFERENCE <= moment for proof in proofs if proof is not None)


def find_signed_act(record: int) -> SignedAct | None:
    """Verified act that a record carried out, None for none. One that was rejected, or carried out when a signature
    was too old, is none.
    """
    execution = RequestExecution.objects.filter(record=record).select_related("request").first()
    if execution is None or execution.request.state != Request.State.APPROVED:
        return None
    rows = ProofVerification.objects.filter(request=execution.request)
    found = rows.select_related("request__requester", "approval_proof", "request_proof").first()
    proof = (found.approval_proof or found.request_proof) if found is not None else None
    if found is None or proof is None or found.is_expired():
        return None
    if canonical.digest_bytes(proof.statement.encode()) != found.statement_digest:
        return None
    try:
        statement = decode_act_statement(proof.statement.encode())
        act = decode_stored_act(statement.act, canonical.digest_bytes(statement.act.encode()))
    except MunimentError:
        return None
    return SignedAct(act, found, statement)


def is_without_person(record: int) -> bool:
    """Whether a record is of no person's act: another process wrote it, whose credentials the web does not have."""
    return not Record.objects.filter(pk=record, kind="person-action").exists()
