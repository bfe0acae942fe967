"""Background jobs of updates: reading of locks and advisories, and the matching of both."""

from django.conf import settings

from muniment.server.job_queue import LONG_SECONDS, enqueue, register_periodic_task, register_task
from muniment.server.products.models import Repository
from muniment.server.updates import advisory_data, lock_reading, matching, update_runs

_MINUTE = 60


@register_task("read-dependencies", LONG_SECONDS, share_slots=True)
def read_dependencies_task(repository: int) -> None:
    """Read the locks of a repository, and match them with the advisories."""
    row = Repository.objects.select_related("product").filter(pk=repository, product__retired_at=None).first()
    if row is not None and not settings.DEMONSTRATION and lock_reading.read_repository(row):
        matching.match_products([row.pk])


@register_periodic_task("read-due-dependencies", every=_MINUTE)
def read_due_dependencies() -> None:
    """Enqueue the reading of each repository whose branches or deployments moved, or that was not read for a day."""
    if not settings.DEMONSTRATION:  # its repositories have no code
        for number in lock_reading.list_due_readings():
            enqueue("read-dependencies", repository=number)


@register_task("read-advisories", LONG_SECONDS)
def read_advisories_task() -> None:
    """Read every source of advisories. After a change, all products are matched again."""
    if not settings.DEMONSTRATION and advisory_data.read_sources():
        matching.match_products()
        enqueue("reevaluate-all")  # an open change may bring a package that has an advisory only now


@register_periodic_task("read-due-advisories", every=15 * _MINUTE)
def read_due_advisories() -> None:
    """Enqueue the reading of the advisories."""
    if not settings.DEMONSTRATION:
        enqueue("read-advisories")


@register_task("propose-updates", LONG_SECONDS, share_slots=True)
def propose_updates_task(repository: int) -> None:
    """Prove that the locks of a repository can be updated, and that our account may propose it."""
    row = Repository.objects.select_related("product").filter(pk=repository, product__retired_at=None).first()
    if row is not None and not settings.DEMONSTRATION:
        update_runs.run_updates(row)


@register_periodic_task("propose-due-updates", every=10 * _MINUTE)
def propose_due_updates() -> None:
    """Enqueue the run of each repository: every day, or an hour after one that failed."""
    if not settings.DEMONSTRATION:
        for number in update_runs.list_due_runs():
            enqueue("propose-updates", repository=number)
