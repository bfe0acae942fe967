"""Carries out acts: at once or, where a second person is due, once that person approves. Each step is recorded first.

Nothing else may execute an act. What each act needs and does stands in its own class.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, connection, transaction
from django.utils import timezone, translation
from django.utils.translation import gettext as _
from msgspec import structs

from muniment.access.actions import Action
from muniment.access.authorize import Actor, Resource, Why, authorize
from muniment.access.roles import EVERYWHERE
from muniment.errors import RefusedError
from muniment.server import moments
from muniment.server.acts.act import Act, ActContext
from muniment.server.acts.parser import parse_act, record_details
from muniment.server.acts.system_actors import SystemActor
from muniment.server.guarding.mediation import allowing
from muniment.server.people import bootstrap
from muniment.server.people.messages import tell
from muniment.server.people.models import Person
from muniment.server.products.models import Product
from muniment.server.records.demanded_proofs import is_proof_demanded
from muniment.server.records.entering import code, record_act, recording_act
from muniment.server.records.models import Record
from muniment.server.requests.approvers import assume_second_factor, find_approvers, may_approve, product_of
from muniment.server.requests.models import ProofVerification, Request, RequestExecution
from muniment.server.requests.registry import ACTS_OF_SYSTEM, EXACT_ACTS, decode_act
from muniment.server.requests.statements import make_shown

_GUARDED_LOCK = 0x6D756700  # the first number of the advisory locks of guarded states
_SIGN_IN = "sign-in"  # of how a person confirmed an act, where they did not sign it
RECORD_LANGUAGE = "en"  # of summaries that are stored: readers of the record share one text


class Outcome(NamedTuple):
    """What came of an act: the request that waits for a second person, or None and what the execution returned."""

    request: Request | None
    result: object = None


def perform_act(actor: Actor, act: Act, *, secret: object = None) -> Outcome:
    """Carry the act out now, or have it wait for a second person. In the caller's transaction.

    Raises PermissionDenied unless authorize() permits it, RefusedError if the present state does not. `secret` is a
    value that accompanies the act to its execution, and is stored nowhere.
    """
    resource = act.resource()
    _lock_guarded_state(act, resource)
    action = act.action()
    if authorize(actor, action, resource) is not Why.YES:
        raise PermissionDenied
    needs_second = bool(act.required_second())
    with allowing(action):
        bootstrap.finish_if_enough()
    alone = needs_second and bootstrap.may_act_alone(actor, action) and not is_proof_demanded(action)
    context = ActContext(actor.person, moments.now(), alone=alone, second_factor=actor.second_factor, secret=secret)
    if needs_second and not alone:
        act.check(context)
        with allowing(action):
            return Outcome(_add_request(actor, act, resource, context))
    result = _carry_out(actor, act, resource, context, ended=bootstrap.finish_if_enough)
    following = act.follow_up(result)
    if following is not None and authorize(actor, following.action(), following.resource()) is Why.YES:
        return Outcome(perform_act(actor, following).request, result)
    return Outcome(None, result)


@transaction.atomic
def perform_system_act(system: SystemActor, cls: type[Act], values: Mapping[str, object]) -> Any:
    """Read, check, record and carry out an act that no person does; what its execution returned.

    Raises PermissionDenied unless `registry.ACTS_OF_SYSTEM` lists the act for the actor; for one of a class that
    `registry.EXACT_ACTS` has, unless it is exactly the permitted one; for any other that is due for a second person.
    Raises ActInputError for values that no act has, RefusedError if the present state does not permit it.
    """
    if cls not in ACTS_OF_SYSTEM[system]:
        raise PermissionDenied
    actor = system.actor()
    act = parse_act(cls, values, actor)
    alone, is_permitted = bool(act.required_second()), EXACT_ACTS.get((system, cls))
    if alone if is_permitted is None else not is_permitted(act):
        raise PermissionDenied
    return _carry_out(actor, act, act.resource(), ActContext(actor.person, moments.now(), alone=alone))


def _carry_out(
    actor: Actor, act: Act, resource: Resource, context: ActContext, ended: Callable[[], None] = lambda: None
) -> object:
    """Check, record and execute an act; what its execution returned. `ended` is called with its rights to write."""
    act.check(context)
    with allowing(act.action()):
        with _recording(actor, act, "performed", resource, context) as recorded:
            result = act.execute(recorded)
        act.conclude(recorded)
        ended()
    return result


def approve_request(actor: Actor, request: Request) -> object:
    """Carry out exactly the act that waits; what its execution returned.

    Raises PermissionDenied unless the actor may be its second person. Raises RefusedError if it no longer waits, was
    altered, is not permitted any more, or if its requester could not request it now.
    """
    own = request.requester.pk == actor.person and confirms_own(request)
    if not own and may_approve(actor, request) is not Why.YES:
        raise PermissionDenied
    if request.act:  # before the row: an act that ends requests holds this lock while it waits for rows
        waiting = decode_act(request.act, request.digest)
        _lock_guarded_state(waiting, waiting.resource())
    locked = _locked(request)
    act = decode_act(locked.act, locked.digest)
    resource = act.resource()
    action = act.action()
    if (code(action), resource.product) != (locked.action, product_of(locked)):
        raise RefusedError(
            "request-changed",
            _("The act now needs another permission than the one that was requested."),
            _("Reject it; its requester can request it again."),
        )
    _check_requester(locked.requester, action, resource)
    confirmed = _read_confirmation(locked, action, actor)
    context = structs.replace(_context_of(locked), approver=None if own else actor.person)
    act.check(context)
    with allowing(action):
        with _recording(actor, act, "approved", resource, context, confirmed) as recorded:
            result = act.execute(recorded)
        act.conclude(recorded)
        carried_out = Record.objects.get(details_digest=recorded.record)
        RequestExecution.objects.create(request=locked, record=carried_out)
        end_request(locked, Request.State.APPROVED, actor)
        tell(
            [locked.requester], _("%(name)s approved: %(act)s.") % {"name": _name(actor), "act": locked.summary}, "/me"
        )
        bootstrap.finish_if_enough()
    return result


def confirms_own(request: Request) -> bool:
    """Whether the requester themselves may carry it out: an enrolment that they signed with an older authenticator."""
    rows = ProofVerification.objects.filter(request=request, request_proof__isnull=False)
    return request.action == code(Action.ENROL_AUTHENTICATOR) and rows.exists()


def _read_confirmation(request: Request, action: Action, approver: Actor) -> dict[str, str]:
    """How both persons confirmed the request, for its record. Raises RefusedError where what is needed is missing."""
    found = ProofVerification.objects.filter(request=request).first()
    proofs = {} if found is None else {"requester": found.request_proof, "approver": found.approval_proof}
    signed = [proof for proof in proofs.values() if proof is not None]
    if is_proof_demanded(action) and not any(proof.signer_id == approver.person for proof in signed):
        raise RefusedError(
            "signature-missing",
            _("The policy demands signatures for this, and those of both persons are not verified yet."),
            _("Each signs at the confirmation address, or with: muniment confirm ADDRESS. Then try again in a moment."),
        )
    if request.confirmed_at is None and proofs.get("requester") is None:
        raise RefusedError(
            "request-unconfirmed",
            _("%(name)s requested this with an API token, which confirms nothing.") % {"name": request.requester.name},
            _("%(name)s confirms it on the page of their own account.") % {"name": request.requester.name},
        )
    described = {f"{who}_confirmed": _SIGN_IN for who in ("requester", "approver")}
    for who, proof in proofs.items():
        if proof is not None:
            described[f"{who}_confirmed"] = f"{proof.authenticator.kind} {proof.authenticator.identifier}"
    return {"request": request.internal_id, **described}


def confirm_request(actor: Actor, request: Request) -> None:
    """Confirm a request that an API token made for oneself, by a signed-in session.

    Raises PermissionDenied for anybody else and for a token, RefusedError if it no longer waits or is not permitted.
    """
    if request.requester.pk != actor.person or actor.scopes is not None:
        raise PermissionDenied
    locked = _locked(request)
    act = decode_act(locked.act, locked.digest)
    resource = act.resource()
    if authorize(actor, act.action(), resource) is not Why.YES:
        raise PermissionDenied
    with allowing(act.action()):
        _record(actor, act, "confirmed", resource, _context_of(locked), reason="")
        Request.objects.filter(pk=locked.pk).update(confirmed_at=timezone.now())


def reject_request(actor: Actor, request: Request, reason: str) -> None:
    """End a request: by a person who may approve it, or by its requester, who withdraws it.

    Raises PermissionDenied for anybody else, RefusedError if it no longer waits.
    """
    own = request.requester.pk == actor.person
    if not own and may_approve(actor, request) is not Why.YES:
        raise PermissionDenied
    locked = _locked(request)
    act = decode_act(locked.act, locked.digest)
    with allowing(act.action()):
        step = "withdrawn" if own else "rejected"
        _record(actor, act, step, Resource(product=product_of(locked)), _context_of(locked), reason=reason)
        end_request(locked, Request.State.WITHDRAWN if own else Request.State.REJECTED, actor)
        if not own:
            sentence = _("%(name)s rejected: %(act)s.") % {"name": _name(actor), "act": locked.summary}
            tell([locked.requester], f"{sentence} {reason}".strip(), "/me")


def end_request(request: Request, state: Request.State, actor: Actor) -> None:
    """Store who ended a request and how. What was requested is kept only while it waits."""
    request.state, request.decided_at, request.act, request.shown = state, timezone.now(), "", ""
    request.second_person = Person.objects.get(pk=actor.person)
    request.save(update_fields=["state", "decided_at", "second_person", "act", "shown"])


def _add_request(actor: Actor, act: Act, resource: Resource, context: ActContext) -> Request:
    requester = Person.objects.get(pk=actor.person)
    with translation.override(RECORD_LANGUAGE):
        summary = act.summary()
        shown = make_shown(act, summary, requester, context.requested_at)
    record = _record(actor, act, "requested", resource, context)
    try:
        with transaction.atomic():
            request = Request.objects.create(
                action=code(act.action()),
                product=Product.objects.get(slug=resource.product) if resource.product != EVERYWHERE else None,
                act=act.encode().decode(),
                digest=act.digest(),
                shown=shown,
                confirmed_at=moments.read(context.requested_at) if actor.scopes is None else None,
                request_record=record,
                subject=act.subject(),
                summary=summary,
                reason=act.given_reason(),
                requester=requester,
                requested_at=moments.read(context.requested_at),
            )
    except IntegrityError:
        raise _already_requested(act) from None
    tell(find_approvers(request), f"{requester.name} requests: {summary}.", "/")
    return request


def _already_requested(act: Act) -> RefusedError:
    waiting = (
        Request.objects.select_related("requester").filter(digest=act.digest(), state=Request.State.WAITING).first()
    )
    return RefusedError(
        "already-requested",
        _("%(name)s requested that already: it waits for a second person.")
        % {"name": waiting.requester.name if waiting is not None else _("Somebody")},
        _("Wait for a second person to approve or reject it."),
    )


def _check_requester(requester: Person, action: Action, resource: Resource) -> None:
    """Raise RefusedError if the requester has left, was recovered lately, or lost the role for which they may."""
    if authorize(assume_second_factor(requester), action, resource) is not Why.YES:
        raise RefusedError(
            "requester-not-permitted",
            _("%(name)s may no longer request this.") % {"name": requester.name},
            _("Reject it; somebody who has the role can request it."),
        )


def _lock_guarded_state(act: Act, resource: Resource) -> None:
    """Have acts that change, or depend on, what two people decided wait for each other, product by product.

    Whether such an act needs a second person follows from the present state: without the lock, two that are sent at
    the same moment would both be measured against a state that one of them replaces.
    """
    if any(action.rule.second for action in act.actions):
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s, hashtext(%s))", [_GUARDED_LOCK, resource.product])


def _locked(request: Request) -> Request:
    """The request as it is now, locked against whoever decides on it at the same moment."""
    rows = Request.objects.select_for_update(of=("self",)).select_related("requester", "product")
    locked = rows.get(pk=request.pk)
    if locked.state != Request.State.WAITING:
        raise RefusedError(
            "request-decided", _("It no longer waits."), _("Look at the requests that still wait, on the first page.")
        )
    return locked


def _context_of(request: Request) -> ActContext:
    return ActContext(request.requester.pk, moments.text(request.requested_at), request_record=request.request_record)


def _name(actor: Actor) -> str:
    return Person.objects.get(pk=actor.person).name


def _record(
    actor: Actor, act: Act, step: str, resource: Resource, context: ActContext, *, reason: str | None = None
) -> str:
    """Record one step of an act; the digest of what stands outside the ledger."""
    details = _details(act, step, context, reason)
    return record_act(actor, act.action(), act.subject(), details, about=resource, alone=context.alone)


@contextmanager
def _recording(
    actor: Actor, act: Act, step: str, resource: Resource, context: ActContext, more: Mapping[str, str] | None = None
) -> Iterator[ActContext]:
    """Record the step that executes an act, with the rows that it writes; the context with the digest of the record.

    `more` are further details, which are stored outside the ledger.
    """
    details, subject = {**_details(act, step, context), **(more or {})}, act.subject()
    with recording_act(actor, act.action(), subject, details, about=resource, alone=context.alone) as record:
        yield structs.replace(context, record=record)


def _details(act: Act, step: str, context: ActContext, reason: str | None = None) -> dict[str, str]:
    """What stands outside the ledger of one step."""
    with translation.override(RECORD_LANGUAGE):
        told = act.summary()
    given = act.given_reason() if reason is None else reason
    details = {"step": step, "act": act.tag(), "act_digest": act.digest(), "told": told, "reason": given}
    return details | record_details(act) | act.details(context)
