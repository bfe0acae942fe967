"""Deployments, as pipelines ask for them: each with the identity that its forge gave it, and nobody else.

A person's token is no identity here. What is asked is kept first and judged by the worker; so the answer is that it
was asked, and the pipeline asks again until it is decided.
"""

import functools
import hashlib
import time
from collections.abc import Callable, Mapping
from typing import Any, Literal

from django.db import transaction
from django.http import HttpRequest
from django.utils.translation import gettext as _
from ninja import Router, Schema, Status
from ninja.security import HttpBearer
from pydantic import Field

from muniment.access.actions import Action
from muniment.access.authorize import Resource, Why, authorize
from muniment.errors import IdentityCode, IdentityError
from muniment.facts import canonical
from muniment.pipelines import identities
from muniment.pipelines.identities import Identity
from muniment.server import moments
from muniment.server.api_serving import LONGEST_KEY, Problem, refuse_malformed_body
from muniment.server.deployments import asking, telling
from muniment.server.deployments.identifying import actor_of, identified, place, trust_of, use
from muniment.server.deployments.models import Deployment, PipelineIdentity
from muniment.server.guarding.mediation import allowing
from muniment.server.products.models import Environment

_DIGEST = r"^sha256:[0-9a-f]{64}$"
COMMIT = r"^(?:[0-9a-f]{40}|[0-9a-f]{64})$"
SLUG = r"^[a-z0-9-]{1,64}$"
WAIT_SECONDS, STEP_SECONDS = 2.0, 0.05  # that an answer waits for the worker to have looked once more


class Bearer(HttpBearer):
    """Something that could be an identity. Whose it is, and whether it holds, takes the environment."""

    def authenticate(self, request: HttpRequest, token: str) -> str | None:
        return token if token.count(".") == 2 else None


router = Router(auth=Bearer())


class DeploymentIn(Schema):
    """What to bring where. `provenance` are DSSE envelopes that say what the artifact was made of.

    `wait`: seconds that the pipeline waits for another deployment there to end. 0: this one is denied if there is one.
    """

    model_config = {"extra": "forbid"}

    product: str = Field(pattern=SLUG)
    environment: str = Field(pattern=SLUG)
    artifact: str = Field(pattern=_DIGEST)
    commit: str = Field(pattern=COMMIT)
    provenance: list[dict[str, Any]] = Field([], max_length=8)
    wait: int = Field(0, ge=0, le=86_400)


class OutcomeIn(Schema):
    """What came of it. `digest_seen` is what the environment then runs, if the pipeline looked."""

    model_config = {"extra": "forbid"}

    state: Literal["succeeded", "failed", "rolled-back", "rollback-failed", "crashed"]
    exit_code: int | None = Field(None, ge=-(2**31), lt=2**31)
    digest_seen: str | None = Field(None, pattern=_DIGEST)


class DigestIn(Schema):
    """What an environment runs."""

    model_config = {"extra": "forbid"}

    digest: str = Field(pattern=_DIGEST)


def pipes(operation: Callable[..., Any]) -> Any:
    """Marks an operation with the one action of pipelines. The operation itself has to call `identify_pipeline`."""

    @functools.wraps(operation)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        refuse_malformed_body(request)
        try:
            return operation(request, *args, **kwargs)
        except IdentityError as error:
            raise Problem(403, f"identity-{error.code.value}", f"{error.message}. {error.remedy}") from None

    guarded.action = Action.DEPLOY  # type: ignore[attr-defined]
    return guarded


def identify_pipeline(
    request: HttpRequest, product: str, environment: str, purpose: str = PipelineIdentity.Purpose.DEPLOY
) -> tuple[Environment, PipelineIdentity, Identity]:
    """Who asks, for that environment. One that is not there is refused in the words of one where nobody may deploy."""
    rows = Environment.objects.filter(product__slug=product, name=environment, ended_at=None, product__retired_at=None)
    found = rows.select_related("product").first()
    if found is None:
        raise Problem(
            403, f"identity-{IdentityCode.INCOMPLETE_TRUST}", _("No pipeline may deploy to this environment.")
        )
    pipeline, identity = identified(found, request.auth, purpose)  # type: ignore[attr-defined]
    _use_token(request, found, pipeline)
    return found, pipeline, identity


def _use(request: HttpRequest, environment: Environment, pipeline: PipelineIdentity) -> Identity:
    """The identity by which that pipeline asks, whether or not it is still trusted. Raises IdentityError."""
    found = identities.verify(request.auth, trust_of(pipeline, environment), moments.now())  # type: ignore[attr-defined]
    _use_token(request, environment, pipeline)
    return found


def _use_token(request: HttpRequest, found: Environment, pipeline: PipelineIdentity) -> None:
    about = Resource(product=found.product.slug, environment=place(found))
    if authorize(actor_of(found), Action.DEPLOY, about) is not Why.YES:
        raise Problem(403, "not-allowed", _("It may not do that."))
    with allowing(Action.DEPLOY), transaction.atomic():
        use(pipeline, request.auth, _digest(request))  # type: ignore[attr-defined]


def _digest(request: HttpRequest) -> str:
    """What tells a request from others: sent again as it was, it is the same."""
    told = f"{request.method} {request.path}\n{request.headers.get('Idempotency-Key', '')}\n"
    return hashlib.sha256(told.encode() + request.body).hexdigest()


def read_idempotency_key(request: HttpRequest) -> str:
    """The Idempotency-Key, which a pipeline has to send. Raises Problem."""
    key = request.headers.get("Idempotency-Key", "")
    if not 0 < len(key) <= LONGEST_KEY:
        raise Problem(400, "malformed-key", _("Send an Idempotency-Key of at most 200 characters."))
    return key


def require_same_run(identity: Identity, stored: Mapping[str, Any]) -> None:
    """Raise Problem unless the identity is of the very run that is stored with the request."""
    if not identity.run or identity.run != stored["run"]:
        raise Problem(
            403, "another-run", _("Only the run that asked for it is answered, and this is not known to be it.")
        )


def _own(request: HttpRequest, number: int, *, ended: bool = False) -> Deployment:
    """The deployment of that number, if this very run of this very pipeline asked for it.

    With `ended` also one whose pipeline was revoked since: what it did is still to be reported.
    """
    row = Deployment.objects.select_related("environment__product", "pipeline", "permission").filter(pk=number).first()
    if row is None:
        raise Problem(404, "not-found", _("There is no such deployment."))
    if ended:
        pipeline, identity = row.pipeline, _use(request, row.environment, row.pipeline)
    else:
        _found, pipeline, identity = identify_pipeline(request, row.environment.product.slug, row.environment.name)
    if pipeline.pk != row.pipeline_id:
        raise Problem(404, "not-found", _("There is no such deployment."))
    require_same_run(identity, row.identity)
    return row


@router.post("/deployments", response={202: dict[str, Any]})
@pipes
def ask_deployment(request: HttpRequest, body: DeploymentIn) -> Any:
    """Ask to bring an artifact to an environment. An Idempotency-Key has to be sent along."""
    key = read_idempotency_key(request)
    environment, pipeline, identity = identify_pipeline(request, body.product, body.environment)
    canonical.refuse_repeated_keys(request.body)  # the envelopes in it are read and digested as this one reading
    with allowing(Action.DEPLOY), transaction.atomic():
        token = request.auth  # type: ignore[attr-defined]
        wish = asking.Wish(body.artifact, body.commit, body.provenance, key, token, body.wait)
        row = asking.ask(environment, pipeline, identity, wish)
    return Status(202, {"id": row.pk, "state": row.state})


@router.get("/deployments/{number}")
@pipes
def get_deployment(request: HttpRequest, number: int) -> dict[str, Any]:
    """How far it is. What is allowed is looked at once more before it is said: for that, the answer may wait a little.

    A permission that could not be looked at again in time is not told, and is `asked` until it could.
    """
    row = _own(request, number)
    with allowing(Action.DEPLOY):
        since = telling.ask_again(row)
        goes_on = telling.go_on(row)
    end = time.monotonic() + WAIT_SECONDS
    while telling.waits(row, since) and time.monotonic() < end:
        time.sleep(STEP_SECONDS)
        row = telling.anew(row)
        if not goes_on:
            with allowing(Action.DEPLOY):
                goes_on = telling.go_on(row)
    return telling.told(row, since)


@router.post("/deployments/{number}/outcome", response={202: dict[str, Any]})
@pipes
def report_outcome(request: HttpRequest, number: int, body: OutcomeIn) -> Any:
    """Report what came of it, once. Only the run that asked may: another one may know nothing of it."""
    row = _own(request, number, ended=True)
    if row.state in ("pending", "denied", "withdrawn"):
        raise Problem(409, "not-allowed-yet", _("It was not allowed, so nothing can have come of it."))
    with allowing(Action.DEPLOY), transaction.atomic():
        token = request.auth  # type: ignore[attr-defined]
        asking.report(row, body.state, body.exit_code, body.digest_seen or "", token)
    return Status(202, {"id": row.pk, "state": body.state})


@router.post("/deployments/{number}/withdrawal", response={202: dict[str, Any]})
@pipes
def withdraw_deployment(request: HttpRequest, number: int) -> Any:
    """Withdraw what was asked: its pipeline waits no longer, and it is never allowed."""
    row = _own(request, number, ended=True)
    with allowing(Action.DEPLOY), transaction.atomic():
        asking.withdraw(row)
    return Status(202, {"id": row.pk})


@router.post("/deployments/{number}/fetched")
@pipes
def end_access(request: HttpRequest, number: int) -> dict[str, Any]:
    """Close the vault's role to a run that has its secrets. Ask again while it is `open`."""
    row = _own(request, number, ended=True)
    with allowing(Action.DEPLOY), transaction.atomic():
        asking.end_access(row)
    end = time.monotonic() + WAIT_SECONDS
    while (still := telling.has_access(row)) and time.monotonic() < end:
        time.sleep(STEP_SECONDS)
    return {"id": row.pk, "open": still}


@router.post("/environments/{product}/{environment}/digest", response={202: dict[str, Any]})
@pipes
def report_digest(request: HttpRequest, product: str, environment: str, body: DigestIn) -> Any:
    """Report what an environment runs. What no allowed deployment brought is an incident."""
    found, _, _ = identify_pipeline(request, product, environment)
    with allowing(Action.DEPLOY), transaction.atomic():
        asking.sighted(found, body.digest)
    return Status(202, {"digest": body.digest})
