"""What a product's repository, its gate and all suppliers tell of it now, for judgements of the service."""

from collections.abc import Callable, Collection, Mapping
from datetime import timedelta

from django.utils import timezone

from muniment.decision.binding import BoundPolicy
from muniment.errors import LedgerError
from muniment.facts import kinds
from muniment.facts.facts import Fact
from muniment.facts.maybe import Known, Maybe, Unknown
from muniment.facts.pipeline import BypassPath
from muniment.git.repository import Repository as Git
from muniment.ledger import entries
from muniment.server.changes.models import ServerHookLog
from muniment.server.products.models import Repository
from muniment.server.records import row_checks
from muniment.server.registration import read_contributions
from muniment.workflows.repository_facts import NOBODY_SAID, Guard, repository_facts
from muniment.workflows.supplies import Supplier, gather

GUARDED = {kinds.BRANCH_RULES.name, kinds.FORGE_SETTINGS.name}  # facts that depend on what stands before it
ForgeReader = Callable[
    [Repository, Git, str, str, BoundPolicy, Collection[str], str],  # with target, tip, policy, names and moment
    Mapping[str, Fact] | None,  # None for a repository that is at no forge
]
_forge_readers: list[ForgeReader] = []  # one at most
_DAYS = 90  # that a way past a gate is remembered


def product_facts(
    repository: Repository, git: Git, target: str, tip: str, policy: BoundPolicy, names: Collection[str], now: str
) -> dict[str, Fact]:
    """The facts of a product that go by `names`, read by the worker, who alone reaches a forge.

    A supplier outweighs what the repository says of itself.
    """
    where = (git, target, tip, policy, names, now)
    own = next((found for read in _forge_readers if (found := read(repository, *where)) is not None), None)
    if own is None:
        guard = guard_of(repository, target) if GUARDED & set(names) else NOBODY_SAID
        own = repository_facts(*where, guard)
    return dict(own) | gather(fact_suppliers(), repository.product.slug, names, now)


def fact_suppliers() -> tuple[Supplier, ...]:
    """Suppliers of facts about a product besides its repository, of every app, in the order in which they are asked."""
    return tuple(supplier for app in read_contributions() for supplier in app.fact_suppliers)


def register_forge_reader(read: ForgeReader) -> None:
    """Have facts of a repository at a forge read by `read`: forges are a higher layer."""
    _forge_readers[:] = [read]


def guard_of(repository: Repository, target: str) -> Maybe[Guard]:
    """The gate before a repository, by what its log says of a branch."""
    log = ServerHookLog.objects.filter(repository=repository).first()
    if log is None:
        return NOBODY_SAID
    if row_checks.find_instance_problems([log]):
        return Unknown("the log of the gate is not what the ledger says: no act named it so")
    if log.problem:
        return Unknown(f"the log of the gate cannot be read: {log.problem}")
    try:
        newest = _newest(log, target)
    except LedgerError as error:
        return Unknown(error.message)
    if newest is None:
        return Unknown("the gate has decided nothing about this branch yet")
    return Known(Guard(newest.enforced, Known(_around(log))))


def _newest(log: ServerHookLog, target: str) -> entries.DecisionRecord | None:
    for row in log.records.filter(kind="decision").order_by("-position")[:200]:
        entry = entries.decode(bytes(row.data), row.position)
        if isinstance(entry, entries.DecisionRecord) and entry.target == target:
            return entry
    return None


def _around(log: ServerHookLog) -> tuple[BypassPath, ...]:
    since = timezone.now() - timedelta(days=_DAYS)
    moved = log.records.filter(kind="hook-bypass", recorded_at__gte=since).order_by("-position").first()
    if moved is None:
        return ()
    return (
        BypassPath(
            "Somebody", f"refs updated without the server hook on {moved.recorded_at:%Y-%m-%d}, as its log says"
        ),
    )
