"""Who asks: a pipeline whose token proves an identity that is trusted for exactly this environment, or nobody.

The token of a request or a report is kept until the worker has verified it too (`receiving`), and that of a question
not at all. None stands in a log or message.
"""

import json
from datetime import timedelta

import msgspec
from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext

from muniment.access.authorize import Actor
from muniment.errors import IdentityCode, IdentityError
from muniment.pipelines import identities
from muniment.pipelines.identities import Identity, Trust
from muniment.server import moments
from muniment.server.deployments.models import PipelineIdentity, TokenIssuer, UsedRunnerToken
from muniment.server.products.models import Environment

_GOOD_FOR = timedelta(seconds=identities.LONGEST[identities.Issuer.RUNNER] + identities.SKEW)  # at the most
_FAR = (IdentityCode.ALGORITHM, IdentityCode.KEY, IdentityCode.SIGNATURE, IdentityCode.ISSUER)  # the farthest first


def identified(
    environment: Environment, token: str, purpose: str = PipelineIdentity.Purpose.DEPLOY
) -> tuple[PipelineIdentity, Identity]:
    """The pipeline of this environment and purpose that sent `token`.

    Raises IdentityError, of the one that it comes closest to.
    """
    now = moments.now()
    problems: list[IdentityError] = []
    for row in environment.pipelines.filter(ended_at=None, purpose=purpose).order_by("pk"):
        try:
            return row, identities.verify(token, trust_of(row, environment), now)
        except IdentityError as error:
            problems.append(error)
    raise max(problems, key=_closeness, default=_nobody(purpose))


def use(row: PipelineIdentity, token: str, request: str) -> None:
    """Let it stand for the request with this digest. Raises IdentityError if it stood for another.

    A forge's token is for a whole job; a plain runner signs as many as it likes, so one of its own is for one request,
    which may be sent again.
    """
    if row.kind != PipelineIdentity.Kind.RUNNER:
        return
    now = timezone.now()
    UsedRunnerToken.objects.filter(expires_at__lte=now).delete()
    values = {"request_digest": request, "expires_at": now + _GOOD_FOR}
    used, _ = UsedRunnerToken.objects.get_or_create(token_digest=identities.mark(token), defaults=values)
    if used.request_digest != request:
        raise IdentityError(
            IdentityCode.ALREADY_USED,
            gettext("this identity is not valid: it was used for another request"),
            gettext("Sign one for each request, with a jti of its own; muniment deploy does."),
        )


def _closeness(error: IdentityError) -> int:
    return _FAR.index(error.code) if error.code in _FAR else len(_FAR)


def trust_of(row: PipelineIdentity, environment: Environment) -> Trust:
    """What its identity is held against. One whose issuer's keys were never read has none, and is refused."""
    if row.kind == PipelineIdentity.Kind.RUNNER:
        subject = f"{environment.product.slug}.{environment.name}"
        return Trust(
            identities.Issuer.RUNNER,
            identities.RUNNER,
            settings.URL,
            (row.public_key,),
            environment.name,
            refs=row.patterns,
            subject=subject,
        )
    return Trust(
        identities.Issuer(row.kind),
        row.issuer,
        settings.URL,
        _keys(row.issuer),
        row.forge_environment or environment.name,
        row.forge_repository_id,
        row.patterns,
        row.subject,
        row.workflows,
    )


def actor_of(environment: Environment) -> Actor:
    """A pipeline that was identified for this environment, as authorize() knows it."""
    return Actor(pipeline=place(environment))


def place(environment: Environment) -> str:
    """What stands for an environment, such as `shop/production`."""
    return f"{environment.product.slug}/{environment.name}"


def told(identity: Identity) -> dict[str, object]:
    """An identity as it is kept."""
    kept: dict[str, object] = msgspec.to_builtins(identity)
    return kept


def read(kept: dict[str, object]) -> Identity:
    """An identity that was kept."""
    return msgspec.convert(kept, Identity)


def _keys(url: str) -> tuple[str, ...]:
    found = TokenIssuer.objects.filter(url=url).first()
    keys = found.key_set.get("keys", []) if found is not None else []
    return tuple(json.dumps(key) for key in keys if isinstance(key, dict))


def _nobody(purpose: str) -> IdentityError:
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
