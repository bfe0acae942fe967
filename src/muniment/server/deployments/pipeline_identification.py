"""Identifies the pipeline that sends a request: one whose token proves an identity trusted for exactly this
environment.

The token of a request or a report is stored until the worker has verified it too (`token_verification`), and that
of a question not at all. None stands in a log or message.
"""

import json
from datetime import timedelta

import msgspec
from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext

from muniment.access.authorization import Actor
from muniment.errors import IdentityCode, IdentityError
from muniment.pipelines import identities
from muniment.pipelines.identities import IdentityTrust, VerifiedIdentity
from muniment.server import moments
from muniment.server.deployments.models import PipelineIdentity, TokenIssuer, UsedRunnerToken
from muniment.server.products.models import Environment

_GOOD_FOR = timedelta(
    seconds=identities.LONGEST_SECONDS[identities.IssuerKind.RUNNER] + identities.CLOCK_SKEW_SECONDS
)  # at the most
_FAR = (IdentityCode.ALGORITHM, IdentityCode.KEY, IdentityCode.SIGNATURE, IdentityCode.ISSUER)  # the farthest first


def find_pipeline(
    environment: Environment, token: str, purpose: str = PipelineIdentity.Purpose.DEPLOY
) -> tuple[PipelineIdentity, VerifiedIdentity]:
    """Pipeline of this environment and purpose that sent `token`.

    Raises IdentityError, of the pipeline that it comes closest to.
    """
    now = moments.current_moment()
    problems: list[IdentityError] = []
    for row in environment.pipelines.filter(ended_at=None, purpose=purpose).order_by("pk"):
        try:
            return row, identities.verify_identity(token, make_trust(row, environment), now)
        except IdentityError as error:
            problems.append(error)
    raise max(problems, key=_rank_problem, default=_make_untrusted_error(purpose))


def bind_runner_token(row: PipelineIdentity, token: str, request: str) -> None:
    """Bind a runner's token to the request with this digest. Raises IdentityError if it was used for another.

    A forge's token is for a whole job; a plain runner signs as many as it likes, so each of its tokens is for one
    request, which may be sent again.
    """
    if row.kind != PipelineIdentity.Kind.RUNNER:
        return
    now = timezone.now()
    UsedRunnerToken.objects.filter(expires_at__lte=now).delete()
    values = {"request_digest": request, "expires_at": now + _GOOD_FOR}
    used, _ = UsedRunnerToken.objects.get_or_create(token_digest=identities.digest_token(token), defaults=values)
    if used.request_digest != request:
        raise IdentityError(
            IdentityCode.ALREADY_USED,
            gettext("this identity is not valid: it was used for another request"),
            gettext("Sign one for each request, with a jti of its own; muniment deploy does."),
        )


def _rank_problem(error: IdentityError) -> int:
    return _FAR.index(error.code) if error.code in _FAR else len(_FAR)


def make_trust(row: PipelineIdentity, environment: Environment) -> IdentityTrust:
    """Trust by which a pipeline's identity is verified. One whose issuer's keys were never read has no keys, and is
    refused.
    """
    if row.kind == PipelineIdentity.Kind.RUNNER:
        subject = f"{environment.product.slug}.{environment.name}"
        return IdentityTrust(
            identities.IssuerKind.RUNNER,
            identities.RUNNER,
            settings.URL,
            (row.public_key,),
            environment.name,
            refs=row.patterns,
            subject=subject,
        )
    return IdentityTrust(
        identities.IssuerKind(row.kind),
        row.issuer,
        settings.URL,
        _load_issuer_keys(row.issuer),
        row.forge_environment or environment.name,
        row.forge_repository_id,
        row.patterns,
        row.subject,
        row.workflows,
    )


def make_pipeline_actor(environment: Environment) -> Actor:
    """Actor of a pipeline that was identified for this environment, as authorize() knows it."""
    return Actor(pipeline=name_environment(environment))


def name_environment(environment: Environment) -> str:
    """Name of an environment with its product, such as `shop/production`."""
    return f"{environment.product.slug}/{environment.name}"


def store_identity(identity: VerifiedIdentity) -> dict[str, object]:
    """Identity as it is stored."""
    stored: dict[str, object] = msgspec.to_builtins(identity)
    return stored


def load_identity(stored: dict[str, object]) -> VerifiedIdentity:
    """Identity that was stored."""
    return msgspec.convert(stored, VerifiedIdentity)


def _load_issuer_keys(url: str) -> tuple[str, ...]:
    found = TokenIssuer.objects.filter(url=url).first()
    keys = found.key_set.get("keys", []) if found is not None else []
    return tuple(json.dumps(key) for key in keys if isinstance(key, dict))


def _make_untrusted_error(purpose: str) -> IdentityError:
    if purpose == PipelineIdentity.Purpose.RUN:
        return IdentityError(
            IdentityCode.INCOMPLETE_TRUST,
            gettext("no job may get secrets of this environment without a deployment"),
            gettext("Trust its pipeline for jobs on the page Environments of the product, or use muniment deploy."),
        )
    return IdentityError(
        IdentityCode.INCOMPLETE_TRUST,
        gettext("no pipeline may deploy to this environment"),
        gettext("Let one be named on the page Environments of the product: two people agree to it."),
    )
