"""Requests the evaluation of changes again, in a fair order: new ones, then allowed ones, for until they are read
they may be merged as they were, then the rest; evaluation in bulk comes last.
"""

from muniment.forges.statuses import StatusState
from muniment.server.changes.models import Change
from muniment.server.job_queue import enqueue, enqueue_first, enqueue_in_bulk, enqueue_new


def request_reevaluation(change: Change) -> None:
    """Request the evaluation of a change again, wherever it is."""
    if change.repository.at_forge:
        request_reading(change.repository_id, change.forge_change.number)
    elif change.state == Change.State.OPEN:
        enqueue("evaluate-change", repository=change.repository_id, ref=change.name)
    else:
        enqueue("evaluate-history", repository=change.repository_id)


def request_reading(repository: int, number: int) -> None:
    """Request that a change at a forge is read again, known or not."""
    rows = Change.objects.filter(repository=repository, forge_change__number=number)
    request_reading_of(repository, number, rows.values_list("forge_change__status__saying", flat=True).first())


def request_status_check(repository: int, head: str) -> None:
    """Request that our statuses on a head are compared with those that the forge shows, ours and others'."""
    green = Change.objects.filter(forge_change__head=head, forge_change__status__saying=StatusState.ALLOWED.value)
    urgent = green.filter(repository=repository).exists()
    (enqueue_first if urgent else enqueue)("verify-statuses", repository=repository, head=head)


def request_reading_of(repository: int, number: int, posted_status: str | None, *, is_bulk: bool = False) -> None:
    """Request the reading of a change whose posted status is known, "" or None for none, and so it is new.

    `is_bulk`: nothing happened to this change itself.
    """
    orders = {
        StatusState.ALLOWED.value: enqueue_first,
        StatusState.DENIED.value: enqueue_in_bulk if is_bulk else enqueue,
    }
    enqueue_reading = orders.get(posted_status or "", enqueue_in_bulk if is_bulk and posted_status else enqueue_new)
    enqueue_reading("read-change", repository=repository, number=number)
