"""Deployments, as pipelines request them: each with the identity that its forge gave it.

A person's token is no identity here. A request is stored first and evaluated by the worker; so the answer says that
it was stored, and the pipeline polls until it is decided.
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
from muniment.access.authorization import AccessResult, Resource, authorize
from muniment.errors import IdentityCode, IdentityError
from muniment.facts import canonical
from muniment.pipelines import identities
from muniment.pipelines.identities import VerifiedIdentity
from muniment.server import moments
from muniment.server.api_serving import LONGEST_KEY, ApiProblem, refuse_malformed_body
from muniment.server.deployments import deployment_answer, deployment_requests
from muniment.server.deployments.models import Deployment, PipelineIdentity
from muniment.server.deployments.pipeline_identification import (
    bind_runner_token,
    find_pipeline,
    make_pipeline_actor,
    make_trust,
    name_environment,
)
from muniment.server.guarding.mediation import allow_writes
from muniment.server.products.models import Environment

_DIGEST = r"^sha256:[0-9a-f]{64}$"
COMMIT = r"^(?:[0-9a-f]{40}|[0-9a-f]{64})$"
ENVIRONMENT_SLUG = r"^[a-z0-9-]{1,64}$"
WAIT_SECONDS, STEP_SECONDS = 2.0, 0.05  # that an answer waits for the worker to have looked once more


class Bearer(HttpBearer):
    """Bearer token that could be an identity. Verifying it takes the environment."""

    def authenticate(self, request: HttpRequest, token: str) -> str | None:
        return token if token.count(".") == 2 else None


router = Router(auth=Bearer())


class DeploymentIn(Schema):
    """Artifact to deploy, and the environment. `provenance` are DSSE envelopes that say what the artifact was made
    of.

    `wait`: seconds that the pipeline waits for another deployment there to end. 0: this one is denied if there is
    one.
    """

    model_config = {"extra": "forbid"}

    product: str = Field(pattern=ENVIRONMENT_SLUG)
    environment: str = Field(pattern=ENVIRONMENT_SLUG)
    artifact: str = Field(pattern=_DIGEST)
    commit: str = Field(pattern=COMMIT)
    provenance: list[dict[str, object]] = Field([], max_length=8)
    wait: int = Field(0, ge=0, le=86_400)


class OutcomeIn(Schema):
    """Outcome of a deployment. `digest_seen` is what the environment then runs, if the pipeline looked."""

    model_config = {"extra": "forbid"}

    state: Literal["succeeded", "failed", "rolled-back", "rollback-failed", "crashed"]
    exit_code: int | None = Field(None, ge=-(2**31), lt=2**31)
    digest_seen: str | None = Field(None, pattern=_DIGEST)


class DigestIn(Schema):
    """Digest of the artifact that an environment runs."""

    model_config = {"extra": "forbid"}

    digest: str = Field(pattern=_DIGEST)


def for_pipelines(operation: Callable[..., Any]) -> Any:
    """Mark an operation with the one action of pipelines. The operation itself has to call `identify_pipeline`."""

    @functools.wraps(operation)
    def run_guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        refuse_malformed_body(request)
        try:
            return operation(request, *args, **kwargs)
        except IdentityError as error:
            raise ApiProblem(403, f"identity-{error.code.value}", f"{error.message}. {error.remedy}") from None

    run_guarded.action = Action.DEPLOY  # type: ignore[attr-defined]
    return run_guarded


def identify_pipeline(
    request: HttpRequest, product: str, environment: str, purpose: str = PipelineIdentity.Purpose.DEPLOY
) -> tuple[Environment, PipelineIdentity, VerifiedIdentity]:
    """Identify the pipeline that sends the request, for an environment.

    An environment that does not exist is refused like one where nobody may deploy.
    """
    rows = Environment.objects.filter(product__slug=product, name=environment, ended_at=None, product__retired_at=None)
    found = rows.select_related("product").first()
    if found is None:
        raise ApiProblem(
            403, f"identity-{IdentityCode.INCOMPLETE_TRUST}", _("No pipeline may deploy to this environment.")
        )
    pipeline, identity = find_pipeline(found, request.auth, purpose)  # type: ignore[attr-defined]
    _use_token(request, found, pipeline)
    return found, pipeline, identity


def _use_identity(request: HttpRequest, environment: Environment, pipeline: PipelineIdentity) -> VerifiedIdentity:
    """Identity by which that pipeline sends the request, whether or not it is still trusted. Raises IdentityError."""
    found = identities.verify_identity(request.auth, make_trust(pipeline, environment), moments.current_moment())  # type: ignore[attr-defined]
    _use_token(request, environment, pipeline)
    return found


def _use_token(request: HttpRequest, environment: Environment, pipeline: PipelineIdentity) -> None:
    about = Resource(product=environment.product.slug, environment=name_environment(environment))
    if authorize(make_pipeline_actor(environment), Action.DEPLOY, about) is not AccessResult.YES:
        raise ApiProblem(403, "not-allowed", _("It may not do that."))
    with allow_writes(Action.DEPLOY), transaction.atomic():
        bind_runner_token(pipeline, request.auth, _digest_request(request))  # type: ignore[attr-defined]


def _digest_request(request: HttpRequest) -> str:
    """Digest that distinguishes a request from others: a request that is sent again unchanged has the same."""
    head = f"{request.method} {request.path}\n{request.headers.get('Idempotency-Key', '')}\n"
    return hashlib.sha256(head.encode() + request.body).hexdigest()


def read_idempotency_key(request: HttpRequest) -> str:
    """Read the Idempotency-Key, which a pipeline has to send. Raises Problem."""
    key = request.headers.get("Idempotency-Key", "")
    if not 0 < len(key) <= LONGEST_KEY:
        raise ApiProblem(400, "malformed-key", _("Send an Idempotency-Key of at most 200 characters."))
    return key


def require_same_run(identity: VerifiedIdentity, stored: Mapping[str, object]) -> None:
    """Raise Problem unless the identity is of the very run that is stored with the request."""
    if not identity.run or identity.run != stored["run"]:
        raise ApiProblem(
            403, "another-run", _("Only the run that asked for it is answered, and this is not known to be it.")
        )


def _find_own_deployment(request: HttpRequest, number: int, *, ended: bool = False) -> Deployment:
    """Deployment of that number, if this very run of this very pipeline requested it.

    With `ended` also one whose pipeline was revoked since: its outcome is still to be reported.
    """
    row = Deployment.objects.select_related("environment__product", "pipeline", "permission").filter(pk=number).first()
    if row is None:
        raise ApiProblem(404, "not-found", _("There is no such deployment."))
    if ended:
        pipeline, identity = row.pipeline, _use_identity(request, row.environment, row.pipeline)
    else:
        _found, pipeline, identity = identify_pipeline(request, row.environment.product.slug, row.environment.name)
    if pipeline.pk != row.pipeline_id:
        raise ApiProblem(404, "not-found", _("There is no such deployment."))
    require_same_run(identity, row.identity)
    return row


@router.post("/deployments", response={202: dict[str, object]})
@for_pipelines
def request_deployment(request: HttpRequest, body: DeploymentIn) -> Any:
    """Request to deploy an artifact to an environment. An Idempotency-Key has to be sent along."""
    key = read_idempotency_key(request)
    environment, pipeline, identity = identify_pipeline(request, body.product, body.environment)
    canonical.refuse_repeated_keys(request.body)  # the envelopes in it are read and digested as this one reading
    with allow_writes(Action.DEPLOY), transaction.atomic():
        token = request.auth  # type: ignore[attr-defined]
        wish = deployment_requests.RequestedDeployment(
            body.artifact, body.commit, body.provenance, key, token, body.wait
        )
        row = deployment_requests.store_request(environment, pipeline, identity, wish)
    return Status(202, {"id": row.pk, "state": row.state})


@router.get("/deployments/{number}")
@for_pipelines
def get_deployment(request: HttpRequest, number: int) -> dict[str, object]:
    """Show the state of a deployment. A permission is checked once more before it is shown: for that, the answer
    may wait a little.

    A permission that could not be checked again in time is not shown, and its state is `pending` until it could.
    """
    row = _find_own_deployment(request, number)
    with allow_writes(Action.DEPLOY):
        since = deployment_answer.request_check(row)
        goes_on = deployment_answer.take_over_signed(row)
    end = time.monotonic() + WAIT_SECONDS
    while deployment_answer.is_waiting(row, since) and time.monotonic() < end:
        time.sleep(STEP_SECONDS)
        row = deployment_answer.reload_deployment(row)
        if not goes_on:
            with allow_writes(Action.DEPLOY):
                goes_on = deployment_answer.take_over_signed(row)
    return deployment_answer.make_answer(row, since)


@router.post("/deployments/{number}/outcome", response={202: dict[str, object]})
@for_pipelines
def report_outcome(request: HttpRequest, number: int, body: OutcomeIn) -> Any:
    """Report the outcome of a deployment, once. Only the run that requested it may: another may know nothing of it."""
    row = _find_own_deployment(request, number, ended=True)
    if row.state in ("pending", "denied", "withdrawn"):
        raise ApiProblem(409, "not-allowed-yet", _("It was not allowed, so nothing can have come of it."))
    with allow_writes(Action.DEPLOY), transaction.atomic():
        token = request.auth  # type: ignore[attr-defined]
        deployment_requests.store_report(row, body.state, body.exit_code, body.digest_seen or "", token)
    return Status(202, {"id": row.pk, "state": body.state})


@router.post("/deployments/{number}/withdrawal", response={202: dict[str, object]})
@for_pipelines
def withdraw_deployment(request: HttpRequest, number: int) -> Any:
    """Withdraw a requested deployment: its pipeline waits no longer, and it is never allowed."""
    row = _find_own_deployment(request, number, ended=True)
    with allow_writes(Action.DEPLOY), transaction.atomic():
        deployment_requests.store_withdrawal(row)
    return Status(202, {"id": row.pk})


@router.post("/deployments/{number}/fetched")
@for_pipelines
def end_deployment_access(request: HttpRequest, number: int) -> dict[str, object]:
    """Close the vault's role to a run that has its secrets. Send it again while it is `open`."""
    row = _find_own_deployment(request, number, ended=True)
    with allow_writes(Action.DEPLOY), transaction.atomic():
        deployment_requests.request_access_end(row)
    end = time.monotonic() + WAIT_SECONDS
    while (still := deployment_answer.has_vault_access(row)) and time.monotonic() < end:
        time.sleep(STEP_SECONDS)
    return {"id": row.pk, "open": still}


@router.post("/environments/{product}/{environment}/digest", response={202: dict[str, object]})
@for_pipelines
def report_running_digest(request: HttpRequest, product: str, environment: str, body: DigestIn) -> Any:
    """Report what an environment runs. An artifact that no allowed deployment brought is an incident."""
    found, _, _ = identify_pipeline(request, product, environment)
    with allow_writes(Action.DEPLOY), transaction.atomic():
        deployment_requests.store_sighting(found, body.digest)
    return Status(202, {"digest": body.digest})
