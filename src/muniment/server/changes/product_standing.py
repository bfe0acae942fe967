"""Current facts of a product's repository, from itself, its server hook and all suppliers, for evaluations of the
service.
"""

from collections.abc import Callable, Collection, Mapping
from datetime import timedelta

from django.utils import timezone

from muniment.decision.binding import BoundPolicy
from muniment.errors import LedgerError
from muniment.facts import canonical, kinds
from muniment.facts.facts import Fact
from muniment.facts.maybe import Known, Maybe, Unknown
from muniment.facts.pipeline import BypassPath
from muniment.git.repository import Repository as Git
from muniment.ledger import record_kinds
from muniment.server.changes.models import ServerHookLog
from muniment.server.products.models import Repository
from muniment.server.records import row_checks
from muniment.server.registration import read_contributions
from muniment.workflows.fact_suppliers import Supplier, gather_facts
from muniment.workflows.repository_facts import PROTECTION_UNKNOWN, HookProtection, read_repository_facts

GUARDED = {kinds.BRANCH_RULES.name, kinds.FORGE_SETTINGS.name}  # facts that depend on what stands before it
ForgeReader = Callable[
    [Repository, Git, str, str, BoundPolicy, Collection[str], str],  # with target, tip, policy, names and moment
    Mapping[str, Fact] | None,  # None for a repository that is at no forge
]
_forge_readers: list[ForgeReader] = []  # one at most
_DAYS = 90  # for which a bypass of a server hook counts


def read_product_facts(
    repository: Repository, git: Git, target: str, tip: str, policy: BoundPolicy, names: Collection[str], now: str
) -> dict[str, Fact]:
    """Facts of a product, of those in `names`, read by the worker, which alone reaches a forge.

    A supplier outweighs what the repository says of itself.
    """
    where = (git, target, tip, policy, names, now)
    own = next((found for read in _forge_readers if (found := read(repository, *where)) is not None), None)
    if own is None:
        guard = find_hook_guard(repository, target) if GUARDED & set(names) else PROTECTION_UNKNOWN
        own = read_repository_facts(*where, guard)
    return dict(own) | gather_facts(fact_suppliers(), repository.product.slug, names, now)


def fact_suppliers() -> tuple[Supplier, ...]:
    """Suppliers of facts about a product besides its repository, of every app, in the order in which they are asked."""
    return tuple(supplier for app in read_contributions() for supplier in app.fact_suppliers)


def digest_fact_states() -> str:
    """Digest of the state that the suppliers' facts are read from: after another one they are to be read again."""
    return canonical.digest_value([read() for app in read_contributions() for read in app.fact_states])


def register_forge_reader(read: ForgeReader) -> None:
    """Have facts of a repository at a forge read by `read`: forges are a higher layer."""
    _forge_readers[:] = [read]


def find_hook_guard(repository: Repository, target: str) -> Maybe[HookProtection]:
    """Server hook before a repository, by what its log says of a branch."""
    log = ServerHookLog.objects.filter(repository=repository).first()
    if log is None:
        return PROTECTION_UNKNOWN
    if row_checks.find_instance_problems([log]):
        return Unknown("the log of the server hook differs from the ledger: no act named it so")
    if log.problem:
        return Unknown(f"the log of the server hook cannot be read: {log.problem}")
    try:
        newest = _find_newest_decision(log, target)
    except LedgerError as error:
        return Unknown(error.message)
    if newest is None:
        return Unknown("the server hook has decided nothing about this branch yet")
    return Known(HookProtection(newest.enforced, Known(_find_bypass_paths(log))))


def _find_newest_decision(log: ServerHookLog, target: str) -> record_kinds.DecisionRecord | None:
    for row in log.records.filter(kind="decision").order_by("-position")[:200]:
        entry = record_kinds.decode_record(bytes(row.data), row.position)
        if isinstance(entry, record_kinds.DecisionRecord) and entry.target == target:
            return entry
    return None


def _find_bypass_paths(log: ServerHookLog) -> tuple[BypassPath, ...]:
    since = timezone.now() - timedelta(days=_DAYS)
    moved = log.records.filter(kind="hook-bypass", recorded_at__gte=since).order_by("-position").first()
    if moved is None:
        return ()
    return (
        BypassPath(
            "Somebody", f"refs updated without the server hook on {moved.recorded_at:%Y-%m-%d}, as its log says"
        ),
    )
