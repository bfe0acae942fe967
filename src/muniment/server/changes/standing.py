"""What a product's repository, its gate and all suppliers tell of it now, for judgements of the service."""

from collections.abc import Collection
from datetime import timedelta

from django.utils import timezone

from muniment.decision.binding import BoundPolicy
from muniment.errors import LedgerError, MunimentError
from muniment.facts import kinds
from muniment.facts.facts import Fact
from muniment.facts.maybe import Known, Maybe, Unknown
from muniment.facts.pipeline import BypassPath
from muniment.git.repository import Repository as Git
from muniment.ledger import entries
from muniment.server.changes.models import ServerHookLog
from muniment.server.connections.models import RepositoryLink
from muniment.server.connections.reaching import connected_of, forge_of, repo_of
from muniment.server.products.models import Repository
from muniment.server.products.supplying import SUPPLIERS
from muniment.workflows.forge_facts import facts_at_forge
from muniment.workflows.repository_facts import NOBODY_SAID, Guard, repository_facts
from muniment.workflows.supplies import gather

_GUARDED = {kinds.BRANCH_RULES.name, kinds.FORGE_SETTINGS.name}  # facts that depend on what stands before it
_DAYS = 90  # that a way past a gate is remembered


def product_facts(
    repository: Repository, git: Git, target: str, tip: str, policy: BoundPolicy, names: Collection[str], now: str
) -> dict[str, Fact]:
    """The facts of a product that go by `names`, read by the worker, who alone reaches a forge.

    A supplier outweighs what the repository says of itself.
    """
    where = (git, target, tip, policy, names, now)
    connected = connected_of(repository)
    if connected is not None:
        own = _at_forge(connected, *where)
    else:
        guard = guard_of(repository, target) if _GUARDED & set(names) else NOBODY_SAID
        own = repository_facts(*where, guard)
    return own | gather(SUPPLIERS, repository.product.slug, names, now)


def _at_forge(
    connected: RepositoryLink, git: Git, target: str, tip: str, policy: BoundPolicy, names: Collection[str], now: str
) -> dict[str, Fact]:
    """A forge that is not reached tells nothing of its rules and settings; its repository is read all the same."""
    where = (git, target, tip, policy, names, now)
    if not _GUARDED & set(names):
        return repository_facts(*where)
    try:
        forge = forge_of(connected.connection)
    except MunimentError as error:
        return repository_facts(*where, Unknown(error.message))
    return facts_at_forge(forge, repo_of(connected), *where)


def guard_of(repository: Repository, target: str) -> Maybe[Guard]:
    """The gate before a repository, by what its log says of a branch."""
    log = ServerHookLog.objects.filter(repository=repository).first()
    if log is None:
        return NOBODY_SAID
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
