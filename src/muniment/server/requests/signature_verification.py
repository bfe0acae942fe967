"""Verifies the signatures over a request before it is carried out. For the worker, which alone stores the result."""

import logging
from datetime import datetime

from django.db import transaction
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from muniment.access.actions import Action
from muniment.access.authorization import AccessResult, Resource, authorize, authorize_second_person
from muniment.errors import MunimentError, NotCanonicalError, RefusedError
from muniment.facts import canonical
from muniment.facts.act_statements import ActStep, decode_act_statement
from muniment.server import moments
from muniment.server.acts.act import Act
from muniment.server.people.act_signatures import SigningKey, find_confirmation_origin, require_valid_signature
from muniment.server.people.authenticators import is_in_force
from muniment.server.people.models import Person
from muniment.server.records import row_checks
from muniment.server.requests.approvers import assume_second_factor
from muniment.server.requests.execution import RECORD_LANGUAGE
from muniment.server.requests.models import ActProof, ProofVerification, Request
from muniment.server.requests.registry import decode_stored_act
from muniment.server.requests.shown_requests import make_shown_request, read_ledger_origin

_log = logging.getLogger("muniment.requests")


def verify_waiting_requests() -> None:
    """Verify the requests that wait and have signatures which were not verified yet; store which were carried out."""
    executed = ProofVerification.objects.filter(carried_out_at=None, request__execution__isnull=False)
    executed.update(carried_out_at=timezone.now())
    rows = Request.objects.filter(state=Request.State.WAITING, verification=None, proofs__isnull=False).distinct()
    for row in rows.select_related("requester", "product"):
        try:
            with transaction.atomic():
                verify_request_signatures(row)
        except MunimentError as error:
            _log.warning("the signatures over request %s were not verified: %s", row.pk, error.message)


def verify_request_signatures(request: Request) -> ProofVerification | None:
    """Verify the signatures over a request and store that they are valid; None while one of them is missing.

    Raises RefusedError for a request that was altered, RowsDifferError for an authenticator that no act enrolled.
    """
    act = decode_stored_act(request.act, request.digest)
    _require_true_text(act, request)
    found: dict[ActStep, ActProof] = {}
    for proof in request.proofs.select_related("authenticator", "signer"):
        try:
            _require_proof(proof, request, act)
        except RefusedError as error:
            _log.warning("a signature over request %s does not count: %s", request.pk, error.message)
            continue
        found[ActStep(proof.step)] = proof
    if not _has_enough_signatures(act.required_action(), found):
        return None
    requested, approved = found.get(ActStep.REQUEST), found.get(ActStep.APPROVE)
    read = approved or requested
    digest = canonical.digest_bytes(read.statement.encode()) if read is not None else ""
    return ProofVerification.objects.create(
        request=request, request_proof=requested, approval_proof=approved, statement_digest=digest
    )


def _require_true_text(act: Act, request: Request) -> None:
    """Raise RefusedError unless the act itself gives the shown text of the request: the web wrote both."""
    with translation.override(RECORD_LANGUAGE):
        display = make_shown_request(
            act, act.describe_act(), request.requester, moments.format_moment(request.requested_at)
        )
    if display != request.shown:
        raise RefusedError(
            "shown-otherwise",
            _("What is shown of the request is not what its act says now."),
            _("Reject it; its requester can request it again."),
        )


def _has_enough_signatures(action: Action, found: dict[ActStep, ActProof]) -> bool:
    """Whether both steps are signed; for an enrolment one: a second person's, or the person's own by an older
    authenticator.
    """
    return bool(found) if action is Action.ENROL_AUTHENTICATOR else set(found) == set(ActStep)


def _require_proof(proof: ActProof, request: Request, act: Act) -> None:
    """Raise RefusedError unless a signature counts for its step of the request."""
    try:
        statement = decode_act_statement(proof.statement.encode())
    except NotCanonicalError as error:
        raise _make_proof_error(error.message) from error
    expected = (read_ledger_origin(), request.internal_id, request.act, canonical.digest_bytes(request.shown.encode()))
    if (statement.origin, statement.request, statement.act, statement.shown) != expected:
        raise _make_proof_error(_("it is of another request, or of what was not shown"))
    if (statement.step.value, statement.signer) != (proof.step, proof.signer_id):
        raise _make_proof_error(_("it is of another step or person"))
    now = timezone.now()
    if proof.is_expired(now):
        raise _make_proof_error(_("it is too old"))
    _require_permitted_signer(proof.signer, statement.step, request, act)
    _require_valid_authenticator(proof, now)
    key = SigningKey(proof.authenticator.kind, proof.authenticator.public_key)
    require_valid_signature(key, proof.statement.encode(), proof.signature, find_confirmation_origin())


def _require_permitted_signer(signer: Person, step: ActStep, request: Request, act: Act) -> None:
    actor, action, resource = assume_second_factor(signer), act.required_action(), act.find_resource()
    if step is ActStep.REQUEST:
        permitted = signer.pk == request.requester.pk and authorize(actor, action, resource) is AccessResult.YES
    else:
        asked = Resource(product=resource.product, asker=request.requester.pk)
        permitted = authorize_second_person(actor, action, asked) is AccessResult.YES
    if not permitted:
        raise _make_proof_error(_("its signer may not do this"))


def _require_valid_authenticator(proof: ActProof, now: datetime) -> None:
    """Require that the authenticator is the signer's, that the ledger has it, and that it was and is in force."""
    row = proof.authenticator
    row_checks.require_recorded(row)
    if row.person_id != proof.signer_id:
        raise _make_proof_error(_("the authenticator is another person's"))
    if not is_in_force(row, proof.made_at) or not is_in_force(row, now):
        raise _make_proof_error(_("the authenticator is not in force"))


def _make_proof_error(why: str) -> RefusedError:
    return RefusedError(
        "signature-does-not-count",
        _("The signature does not count: %(why)s.") % {"why": why},
        _("Open the request at the confirmation address again, and sign what it shows."),
    )
