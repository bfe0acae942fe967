"""Finds how each deployment got its secrets: by the vault's audit log, which says when a pipeline read them.

Between a deployment's permission and its end, a pipeline of its environment read there, or it is unknown.
"""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Q
from django.utils import timezone
from msgspec import Struct

from muniment.facts.facts import Fact
from muniment.facts.kinds import RETRIEVALS
from muniment.facts.maybe import Known, Maybe, Unknown
from muniment.facts.vault_facts import RetrievalMethod, SecretRetrieval
from muniment.server.deployments.models import BROUGHT, DeploymentPermission
from muniment.server.secrets.models import Secret
from muniment.server.secrets.secret_acts import RESTORABLE
from muniment.server.secrets.secret_reads import find_audit_log
from muniment.server.secrets.watch_state import find_examined_moment
from muniment.vault import audit, layout
from muniment.workflows.fact_suppliers import create_fact

_DAYS = 90
_LONGEST = timedelta(hours=1)  # that a deployment is under way, if nobody reported its end
_SOURCE = "vault"


class AuditReads(Struct, frozen=True):
    """Reads of a product in the audit log: since when it is complete, and when pipelines read, by path."""

    since: datetime
    reads: dict[str, tuple[datetime, ...]]


class RetrievalSupplier:
    """Supplier of retrievals (`workflows.fact_suppliers`)."""

    names = frozenset({RETRIEVALS.name})

    def supply_facts(self, product: str, names: Collection[str], now: str) -> Mapping[str, Fact]:
        """Supply how the deployments of the last months got their secrets."""
        return {name: create_fact(Known(_find_retrievals(product)), _SOURCE, now) for name in names}


def find_retrieval_method(
    started_at: datetime, ended_at: datetime, place: str, log: Maybe[AuditReads], *, has_secrets: bool
) -> Maybe[RetrievalMethod]:
    """Find how a deployment between two moments got its secrets. `keeps`: the vault has some for its environment."""
    if isinstance(log, Unknown):
        return log
    if any(started_at <= read <= ended_at for read in log.value.reads.get(place, ())):
        return Known(RetrievalMethod.PIPELINE)
    if log.value.since > started_at:
        return Unknown("the vault's audit log begins later")
    if not has_secrets:
        return Known(RetrievalMethod.NONE)
    return Unknown("no pipeline read the vault meanwhile, although it keeps secrets for this environment")


def _find_retrievals(product: str) -> tuple[SecretRetrieval, ...]:
    since = timezone.now() - timedelta(days=_DAYS)
    rows = DeploymentPermission.objects.filter(deployment__environment__product__slug=product, decided_at__gte=since)
    came = list(
        rows.filter(state__in=BROUGHT)
        .select_related("deployment__environment", "deployment__report")
        .order_by("deployment_id")
    )
    there = Q(removed_at=None) | Q(removed_at__gt=timezone.now() - RESTORABLE)
    rows_there = Secret.objects.filter(there, environment__product__slug=product)
    keeping = set(rows_there.values_list("environment_id", flat=True))
    log = _read_audit_log() if came else Unknown("nothing was deployed")
    return tuple(_make_retrieval(row, product, log, keeps=row.deployment.environment_id in keeping) for row in came)


def _make_retrieval(row: DeploymentPermission, product: str, log: Maybe[AuditReads], *, keeps: bool) -> SecretRetrieval:
    asked = row.deployment
    report = getattr(asked, "report", None)
    ended = report.reported_at if report is not None else row.decided_at + _LONGEST
    name = asked.environment.name
    found = find_retrieval_method(row.decided_at, ended, layout.secret_path(product, name), log, has_secrets=keeps)
    return SecretRetrieval(str(asked.pk), name, found)


def _read_audit_log() -> Maybe[AuditReads]:
    path = find_audit_log()
    if path is None:
        return Unknown("no copy of the vault's audit log is named in MUNIMENT_VAULT_AUDIT")
    try:
        return Known(
            AuditReads(
                audit.parse_log_time(audit.find_first_time(path)),
                _group_by_path(audit.find_reads(path, settings.VAULT_NAMESPACE, find_examined_moment())),
            )
        )
    except audit.AuditLogError as error:
        return Unknown(f"the vault's audit log cannot be read: {error}")
    except ValueError:  # of a time or number in it
        return Unknown("the vault's audit log cannot be read: an entry has another form")


def _group_by_path(reads: Iterable[audit.LoggedRead]) -> dict[str, tuple[datetime, ...]]:
    found: dict[str, list[datetime]] = {}
    for one in reads:
        if one.pipeline:
            found.setdefault(one.place, []).append(audit.parse_log_time(one.time))
    return {place: tuple(times) for place, times in found.items()}
