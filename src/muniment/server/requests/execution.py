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
from psycopg.errors import UniqueViolation

from muniment.access.actions import Action
from muniment.access.authorization import AccessResult, Actor, Resource, authorize
from muniment.access.roles import EVERYWHERE
from muniment.errors import RefusedError
from muniment.server import moments
from muniment.server.acts.act import Act, ActContext
from muniment.server.acts.parser import format_recorded_fields, parse_act
from muniment.server.acts.system_actors import SystemActor
from muniment.server.guarding.mediation import allow_writes
from muniment.server.people import bootstrap
from muniment.server.people.messages import notify_people
from muniment.server.people.models import Person
from muniment.server.products.models import Product
from muniment.server.records.demanded_proofs import is_proof_demanded
from muniment.server.records.models import Record
from muniment.server.records.record_writing import action_code, record_act, recording_act
from muniment.server.requests.approvers import assume_second_factor, check_approval, find_approvers, product_of
from muniment.server.requests.models import SIGNATURE_LASTS, ProofVerification, Request, RequestExecution
from muniment.server.requests.registry import ACTS_OF_SYSTEM, EXACT_ACTS, decode_stored_act
from muniment.server.requests.shown_requests import make_shown_request

_GUARDED_LOCK = 0x6D756700  # the first number of the advisory locks of guarded states
_SIGN_IN = "sign-in"  # of how a person confirmed an act, where they did not sign it
RECORD_LANGUAGE = "en"  # of summaries that are stored: readers of the record share one text


class ActResult(NamedTuple):
    """Result of an act: the request that waits for a second person, or None and the result of the execution."""

    request: Request | None
    result: object = None


def perform_act(actor: Actor, act: Act, *, secret: object = None) -> ActResult:
    """Carry the act out now, or let it wait for a second person. In the caller's transaction.

    Raises PermissionDenied unless authorize() permits it, RefusedError if the present state does not. `secret` is a
    value that accompanies the act to its execution, and is stored nowhere.
    """
    resource = act.find_resource()
    _lock_guarded_state(act, resource)
    action = act.required_action()
    if authorize(actor, action, resource) is not AccessResult.YES:
        raise PermissionDenied
    needs_second = bool(act.required_second())
    with allow_writes(action):
        bootstrap.finish_bootstrap_if_ready()
    alone = needs_second and bootstrap.may_act_alone(actor, action) and not is_proof_demanded(action)
    context = ActContext(
        actor.person,
        moments.current_moment(),
        alone=alone,
        second_factor=actor.second_factor,
        by_token=actor.scopes is not None,
        secret=secret,
    )
    if needs_second and not alone:
        act.check_preconditions(context)
        with allow_writes(action):
            return ActResult(_add_request(actor, act, resource, context))
    result = _carry_out(actor, act, resource, context, ended=bootstrap.finish_bootstrap_if_ready)
    following = act.follow_up(result)
    if (
        following is not None
        and authorize(actor, following.required_action(), following.find_resource()) is AccessResult.YES
    ):
        return ActResult(perform_act(actor, following).request, result)
    return ActResult(None, result)


@transaction.atomic
def perform_system_act(system: SystemActor, cls: type[Act], values: Mapping[str, object]) -> Any:
    """Read, check, record and carry out an act that no person does; what its execution returned.

    Raises PermissionDenied unless `registry.ACTS_OF_SYSTEM` lists the act for the actor; for one of a class that
    `registry.EXACT_ACTS` has, unless it is exactly the permitted one; for any other that is due for a second person.
    Raises ActInputError for values that no act has, RefusedError if the present state does not permit it.
    """
    if cls not in ACTS_OF_SYSTEM[system]:
        raise PermissionDenied
    actor = system.make_actor()
    act = parse_act(cls, values, actor)
    alone, is_permitted = bool(act.required_second()), EXACT_ACTS.get((system, cls))
    if alone if is_permitted is None else not is_permitted(act):
        raise PermissionDenied
    return _carry_out(actor, act, act.find_resource(), ActContext(actor.person, moments.current_moment(), alone=alone))


def _carry_out(
    actor: Actor, act: Act, resource: Resource, context: ActContext, ended: Callable[[], None] = lambda: None
) -> object:
    """Check, record and execute an act; what its execution returned. `ended` is called with its rights to write."""
    act.check_preconditions(context)
    try:
        with allow_writes(act.required_action()):
            with _recording_execution(actor, act, "performed", resource, context) as recorded:
                result = act.carry_out(recorded)
            act.finish_after_record(recorded)
            ended()
    except IntegrityError as error:
        if not isinstance(error.__cause__, UniqueViolation):
            raise
        # Its preconditions held, and another request did the same before this one wrote.
        raise RefusedError(
            "done-meanwhile",
            _("The same was done at this moment by another request. Nothing was changed by this one."),
            _("Open the page again to see it."),
        ) from error
    return result


def approve_request(actor: Actor, request: Request, reason: str = "") -> object:
    """Carry out exactly the act that waits; returns the result of its execution. `reason` is the second person's.

    Raises PermissionDenied unless the actor may be its second person. Raises RefusedError if it no longer waits,
    was altered, is not permitted any more, or if its requester could not request it now.
    """
    own = request.requester.pk == actor.person and may_confirm_own(request)
    if not own and check_approval(actor, request) is not AccessResult.YES:
        raise PermissionDenied
    if request.act:  # before the row: an act that ends requests holds this lock while it waits for rows
        waiting = decode_stored_act(request.act, request.digest)
        _lock_guarded_state(waiting, waiting.find_resource())
    locked = _lock_request(request)
    act = decode_stored_act(locked.act, locked.digest)
    resource = act.find_resource()
    action = act.required_action()
    if (action_code(action), resource.product) != (locked.action, product_of(locked)):
        raise RefusedError(
            "request-changed",
            _("The act now needs another permission than the one that was requested."),
            _("Reject it; its requester can request it again."),
        )
    _check_requester(locked.requester, action, resource)
    confirmed = _read_confirmation(locked, action, actor) | ({"decision_reason": reason} if reason else {})
    context = structs.replace(make_context(locked), approver=None if own else actor.person)
    act.check_preconditions(context)
    with allow_writes(action):
        with _recording_execution(actor, act, "approved", resource, context, confirmed) as recorded:
            result = act.carry_out(recorded)
        act.finish_after_record(recorded)
        carried_out = Record.objects.get(details_digest=recorded.record)
        RequestExecution.objects.create(request=locked, record=carried_out)
        end_request(locked, Request.State.APPROVED, actor, reason)
        sentence = _("%(name)s approved it.") % {"name": _person_name(actor)}
        text = f"{_format_state(_('Approved'), locked)} {sentence} {reason}".strip()
        notify_people([locked.requester], text, find_request_path(locked))
        bootstrap.finish_bootstrap_if_ready()
    return result


def may_confirm_own(request: Request) -> bool:
    """Whether the requester themselves may carry it out: an enrolment that they signed with an older authenticator."""
    found = ProofVerification.objects.filter(request=request, request_proof__isnull=False).first()
    return request.action == action_code(Action.ENROL_AUTHENTICATOR) and found is not None and not found.is_expired()


def _read_confirmation(request: Request, action: Action, approver: Actor) -> dict[str, str]:
    """How both persons confirmed the request, for its record. Raises RefusedError where what is needed is missing."""
    found = ProofVerification.objects.filter(request=request).first()
    if found is not None and found.is_expired():
        raise RefusedError(
            "signature-expired",
            _("A signature over this request is older than %(days)d days.") % {"days": SIGNATURE_LASTS.days},
            _("Reject it; its requester can request it again, and both sign anew."),
        )
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
            _("%(name)s confirms it on the page of the request.") % {"name": request.requester.name},
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
    locked = _lock_request(request)
    act = decode_stored_act(locked.act, locked.digest)
    resource = act.find_resource()
    if authorize(actor, act.required_action(), resource) is not AccessResult.YES:
        raise PermissionDenied
    with allow_writes(act.required_action()):
        _record_step(actor, act, "confirmed", resource, make_context(locked), reason="")
        Request.objects.filter(pk=locked.pk).update(confirmed_at=timezone.now())


def reject_request(actor: Actor, request: Request, reason: str) -> None:
    """End a request: by a person who may approve it, or by its requester, who withdraws it.

    Raises PermissionDenied for anybody else, RefusedError if it no longer waits.
    """
    own = request.requester.pk == actor.person
    if not own and check_approval(actor, request) is not AccessResult.YES:
        raise PermissionDenied
    locked = _lock_request(request)
    act = decode_stored_act(locked.act, locked.digest)
    with allow_writes(act.required_action()):
        step = "withdrawn" if own else "rejected"
        _record_step(actor, act, step, Resource(product=product_of(locked)), make_context(locked), reason=reason)
        end_request(locked, Request.State.WITHDRAWN if own else Request.State.REJECTED, actor, reason)
        if not own:
            sentence = _("%(name)s rejected it.") % {"name": _person_name(actor)}
            text = f"{_format_state(_('Rejected'), locked)} {sentence} {reason}".strip()
            notify_people([locked.requester], text, find_request_path(locked))


def find_request_path(request: Request) -> str:
    """Path of the page of a request, for messages."""
    return f"/requests/{request.pk}"


def end_request(request: Request, state: Request.State, actor: Actor, reason: str = "") -> None:
    """Store who ended a request, how and why. The requested act is stored only while it waits."""
    request.state, request.decided_at, request.act, request.shown = state, timezone.now(), "", ""
    request.second_person, request.decision_reason = Person.objects.get(pk=actor.person), reason
    request.save(update_fields=["state", "decided_at", "second_person", "act", "shown", "decision_reason"])


def _add_request(actor: Actor, act: Act, resource: Resource, context: ActContext) -> Request:
    requester = Person.objects.get(pk=actor.person)
    with translation.override(RECORD_LANGUAGE):
        summary = act.describe_act()
        display = make_shown_request(act, summary, requester, context.requested_at)
    record = _record_step(actor, act, "requested", resource, context)
    try:
        # A savepoint: the database refuses a second waiting request with the same digest, and the transaction of the
        # act goes on to say so.
        with transaction.atomic():
            request = Request.objects.create(
                action=action_code(act.required_action()),
                product=Product.objects.get(slug=resource.product) if resource.product != EVERYWHERE else None,
                act=act.encode_act().decode(),
                digest=act.digest_act(),
                shown=display,
                confirmed_at=moments.parse_moment(context.requested_at) if actor.scopes is None else None,
                request_record=record,
                subject=act.format_subject(),
                summary=summary,
                reason=act.given_reason(),
                requester=requester,
                requested_at=moments.parse_moment(context.requested_at),
            )
    except IntegrityError:
        raise _make_duplicate_error(act) from None
    sentence = _("%(name)s requested it.") % {"name": requester.name}
    text = f"{_format_state(_('Decision needed'), request)} {sentence}"
    notify_people(find_approvers(request), text, find_request_path(request))
    return request


def _format_state(state: str, request: Request) -> str:
    """First sentence of a message, the subject of its mail: state, product and act."""
    place = f"{state}, {request.product.name}" if request.product is not None else state
    return f"{place}: {request.summary}."


def _make_duplicate_error(act: Act) -> RefusedError:
    waiting = (
        Request.objects.select_related("requester").filter(digest=act.digest_act(), state=Request.State.WAITING).first()
    )
    return RefusedError(
        "already-requested",
        _("%(name)s requested that already: it waits for a second person.")
        % {"name": waiting.requester.name if waiting is not None else _("Somebody")},
        _("Wait for a second person to approve or reject it."),
    )


def _check_requester(requester: Person, action: Action, resource: Resource) -> None:
    """Raise RefusedError if the requester has left, was recovered lately, or lost the role for which they may."""
    if authorize(assume_second_factor(requester), action, resource) is not AccessResult.YES:
        raise RefusedError(
            "requester-not-permitted",
            _("%(name)s may no longer request this.") % {"name": requester.name},
            _("Reject it; somebody who has the role can request it."),
        )


def _lock_guarded_state(act: Act, resource: Resource) -> None:
    """Let acts that change, or depend on, a state that two people decided wait for each other, product by product.

    Whether such an act needs a second person follows from the present state: without the lock, two that are sent at
    the same moment would both be measured against a state that one of them replaces.
    """
    if any(action.rule.second for action in act.actions):
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s, hashtext(%s))", [_GUARDED_LOCK, resource.product])


def _lock_request(request: Request) -> Request:
    """Request as it is now, locked against others who decide on it at the same moment."""
    rows = Request.objects.select_for_update(of=("self",)).select_related("requester", "product")
    locked = rows.get(pk=request.pk)
    if locked.state != Request.State.WAITING:
        raise RefusedError(
            "request-decided", _("It no longer waits."), _("Look at the requests that still wait, on the first page.")
        )
    return locked


def make_context(request: Request) -> ActContext:
    """Context in which a request is carried out, but for its second person."""
    return ActContext(
        request.requester.pk, moments.format_moment(request.requested_at), request_record=request.request_record
    )


def _person_name(actor: Actor) -> str:
    return Person.objects.get(pk=actor.person).name


def _record_step(
    actor: Actor, act: Act, step: str, resource: Resource, context: ActContext, *, reason: str | None = None
) -> str:
    """Record one step of an act; returns the digest of its object, which is stored outside the ledger."""
    details = _collect_details(act, step, context, reason)
    return record_act(actor, act.required_action(), act.format_subject(), details, about=resource, alone=context.alone)


@contextmanager
def _recording_execution(
    actor: Actor,
    act: Act,
    step: str,
    resource: Resource,
    context: ActContext,
    extra_details: Mapping[str, str] | None = None,
) -> Iterator[ActContext]:
    """Record the step that executes an act, with the rows that it writes; gives the context with the digest of the
    record.

    `extra_details` are stored outside the ledger.
    """
    details, subject = {**_collect_details(act, step, context), **(extra_details or {})}, act.format_subject()
    with recording_act(actor, act.required_action(), subject, details, about=resource, alone=context.alone) as record:
        yield structs.replace(context, record=record)


def _collect_details(act: Act, step: str, context: ActContext, reason: str | None = None) -> dict[str, str]:
    """Details of one step, which are stored outside the ledger."""
    with translation.override(RECORD_LANGUAGE):
        description = act.describe_act()
    given = act.given_reason() if reason is None else reason
    details = {
        "step": step,
        "act": act.act_tag(),
        "act_digest": act.digest_act(),
        "act_description": description,
        "reason": given,
    }
    return details | format_recorded_fields(act) | act.recorded_details(context)
