"""How each deployment came by its secrets: by the vault's audit log, which tells when a pipeline read them.

Between a deployment's permission and its end, a pipeline of its environment read there, or nobody can tell.
"""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta

from django.conf import settings
from django.utils import timezone
from msgspec import Struct

from muniment.facts.facts import Fact
from muniment.facts.kinds import RETRIEVALS
from muniment.facts.maybe import Known, Maybe, Unknown
from muniment.facts.vault import Retrieval, RetrievalMethod
from muniment.server.deployments.models import BROUGHT, DeploymentPermission
from muniment.server.secrets.fetching import audit_log
from muniment.server.secrets.models import Secret
from muniment.vault import audit, layout
from muniment.workflows.supplies import fact

_DAYS = 90
_LONGEST = timedelta(hours=1)  # that a deployment is under way, if nobody reported its end
_SOURCE = "vault"


class Log(Struct, frozen=True):
    """What the audit log has of a product: from when on it is whole, and when pipelines read, by place."""

    since: datetime
    reads: dict[str, tuple[datetime, ...]]


class Retrievals:
    """The supplier (`workflows.supplies`)."""

    names = frozenset({RETRIEVALS.name})

    def supply(self, product: str, names: Collection[str], now: str) -> Mapping[str, Fact]:
        """How the deployments of the last months got their secrets."""
        return {name: fact(Known(_retrievals(product)), _SOURCE, now) for name in names}


def how(begun: datetime, ended: datetime, place: str, log: Maybe[Log], *, keeps: bool) -> Maybe[RetrievalMethod]:
    """How a deployment between two moments came by its secrets. `keeps`: the vault has some for its environment."""
    if isinstance(log, Unknown):
        return log
    if any(begun <= read <= ended for read in log.value.reads.get(place, ())):
        return Known(RetrievalMethod.PIPELINE)
    if log.value.since > begun:
        return Unknown("the vault's audit log begins later")
    if not keeps:
        return Known(RetrievalMethod.NONE)
    return Unknown("no pipeline read the vault meanwhile, although it keeps secrets for this environment")


def _retrievals(product: str) -> tuple[Retrieval, ...]:
    since = timezone.now() - timedelta(days=_DAYS)
    rows = DeploymentPermission.objects.filter(deployment__environment__product__slug=product, decided_at__gte=since)
    came = list(
        rows.filter(state__in=BROUGHT)
        .select_related("deployment__environment", "deployment__report")
        .order_by("deployment_id")
    )
    keeping = set(Secret.objects.filter(environment__product__slug=product).values_list("environment_id", flat=True))
    log = _log() if came else Unknown("nothing was deployed")
    return tuple(_retrieval(row, product, log, keeps=row.deployment.environment_id in keeping) for row in came)


def _retrieval(row: DeploymentPermission, product: str, log: Maybe[Log], *, keeps: bool) -> Retrieval:
    asked = row.deployment
    report = getattr(asked, "report", None)
    ended = report.reported_at if report is not None else row.decided_at + _LONGEST
    name = asked.environment.name
    found = how(row.decided_at, ended, layout.place(product, name), log, keeps=keeps)
    return Retrieval(str(asked.pk), name, found)


def _log() -> Maybe[Log]:
    path = audit_log()
    if path is None:
        return Unknown("no copy of the vault's audit log is named in MUNIMENT_VAULT_AUDIT")
    try:
        return Known(Log(audit.parse_moment(audit.since(path)), _by_place(audit.reads(path, settings.VAULT_NAMESPACE))))
    except audit.Broken as error:
        return Unknown(f"the vault's audit log cannot be read: {error}")
    except ValueError:  # of a time or number in it
        return Unknown("the vault's audit log cannot be read: an entry has another form")


def _by_place(reads: Iterable[audit.Read]) -> dict[str, tuple[datetime, ...]]:
    found: dict[str, list[datetime]] = {}
    for one in reads:
        if one.pipeline:
            found.setdefault(one.place, []).append(audit.parse_moment(one.time))
    return {place: tuple(times) for place, times in found.items()}
