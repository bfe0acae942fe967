"""Supplies the fact about the machinery for updates of a product."""

from collections.abc import Collection, Mapping

from muniment.facts import kinds
from muniment.facts.facts import Fact
from muniment.facts.maybe import Known
from muniment.facts.update_facts import UnreadLock, UpdateAutomation, UpdatedLock, UpdateMachinery
from muniment.server import moments
from muniment.server.connections.forge_access import find_repository_link
from muniment.server.products.models import Product, Repository
from muniment.server.records import row_checks
from muniment.server.updates.models import DependencyLock, DependencyReading, UpdateRun
from muniment.updates.dependencies import LockFormat
from muniment.updates.lock_updates import MOVED_FORMATS
from muniment.workflows.fact_suppliers import create_fact

_SOURCE = "record"
_BRANCH = "refs/heads/"
_NO_LOCK = LockFormat.CYCLONEDX.value  # a list of what was built: nobody updates it


class AutomationSupplier:
    """Supplier of the machinery for updates (`workflows.fact_suppliers`)."""

    names = frozenset({kinds.UPDATE_AUTOMATION.name})

    def supply_facts(self, product: str, names: Collection[str], now: str) -> Mapping[str, Fact]:
        """Supply the fact. Raises RowsDifferError if a row differs from the ledger."""
        found = row_checks.read_recorded(lambda: read_automation(product), Product, Repository)
        return {name: create_fact(Known(found), _SOURCE, now) for name in names if name in self.names}


def describe_automation_state() -> str:
    """Text that differs once the fact may: after each run."""
    newest = UpdateRun.objects.exclude(started_at=None).order_by("-started_at").values_list("started_at", "proven_at")
    return f"{newest.first()}"


def read_automation(product: str) -> UpdateAutomation:
    """Machinery for updates of each repository of a product."""
    rows = Repository.objects.filter(product__slug=product).select_related("dependency_reading", "update_run")
    return UpdateAutomation(tuple(map(_describe_machinery, rows.order_by("pk"))))


def _describe_machinery(repository: Repository) -> UpdateMachinery:
    reading: DependencyReading | None = getattr(repository, "dependency_reading", None)
    run: UpdateRun | None = getattr(repository, "update_run", None)
    if reading is None or reading.first_read_at is None:
        why = reading.problem if reading is not None and reading.problem else "its lock files were not read yet"
        return UpdateMachinery(repository.name, "", unread=(UnreadLock(repository.name, why),))
    return UpdateMachinery(
        repository=repository.name,
        since=moments.format_moment(reading.first_read_at),
        proven_at=moments.format_moment(run.proven_at) if run is not None and run.proven_at is not None else "",
        problem=run.problem if run is not None else "",
        locks=_list_locks(repository, run),
        unread=tuple(UnreadLock(path, why) for path, why in sorted({(path, why) for _, path, why in reading.unread})),
    )


def _list_locks(repository: Repository, run: UpdateRun | None) -> tuple[UpdatedLock, ...]:
    """Locks of the branches, each by its path. Muniment updates those that it can move, at a forge alone."""
    rows = DependencyLock.objects.filter(repository=repository, place__startswith=_BRANCH).exclude(format=_NO_LOCK)
    formats = dict(rows.values_list("path", "format"))
    bots = {path: (login, at) for path, login, at in run.bots} if run is not None else {}
    connected = find_repository_link(repository) is not None
    return tuple(
        UpdatedLock(path, connected and LockFormat(formats[path]) in MOVED_FORMATS, *bots.get(path, ("", "")))
        for path in sorted(formats)
    )
