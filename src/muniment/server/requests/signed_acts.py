"""Acts that two persons signed, whose signatures the worker verified, by the record that carried them out."""

from typing import NamedTuple

from django.utils import translation

from muniment.errors import MunimentError
from muniment.facts import canonical
from muniment.facts.act_statements import ActStatement, decode_statement
from muniment.server import moments
from muniment.server.acts.act import Act
from muniment.server.records.models import Record
from muniment.server.requests.execution import RECORD_LANGUAGE
from muniment.server.requests.models import ProofVerification, RequestExecution
from muniment.server.requests.registry import decode_act
from muniment.server.requests.statements import make_shown


class SignedAct(NamedTuple):
    """An act that two persons signed, whose signatures the worker verified, and that one record carried out."""

    act: Act
    verification: ProofVerification
    statement: ActStatement

    def shows_the_same(self) -> bool:
        """Whether the act shows now what the persons saw: the rows that it names are what they were then."""
        request = self.verification.request
        with translation.override(RECORD_LANGUAGE):
            moment = moments.text(request.requested_at)
            shown = make_shown(self.act, self.act.summary(), request.requester, moment)
        return canonical.digest(shown.encode()) == self.statement.shown


def find_signed_act(record: int) -> SignedAct | None:
    """The verified act that a record carried out, None for none."""
    execution = RequestExecution.objects.filter(record=record).select_related("request").first()
    if execution is None:
        return None
    rows = ProofVerification.objects.filter(request=execution.request)
    found = rows.select_related("request__requester", "approval_proof", "request_proof").first()
    proof = (found.approval_proof or found.request_proof) if found is not None else None
    if found is None or proof is None:
        return None
    try:
        statement = decode_statement(proof.statement.encode())
        act = decode_act(statement.act, canonical.digest(statement.act.encode()))
    except MunimentError:
        return None
    return SignedAct(act, found, statement)


def is_free_of_persons(record: int) -> bool:
    """Whether a record is of no person's act: another process wrote it, whose credentials the web does not have."""
    return not Record.objects.filter(pk=record, kind="person-action").exists()
