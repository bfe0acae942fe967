"""Has changes judged again, in a fair order: what is new, then what is allowed, for until it is read it may be merged
as it was, then the rest; and whatever is evaluated anew in bulk after that.
"""

from muniment.forges.statuses import Saying
from muniment.server.changes.models import Change
from muniment.server.work import first, in_bulk, newest, soon


def judge_again(found: Change) -> None:
    """Have a change judged again, wherever it is."""
    if found.repository.at_forge:
        read_again(found.repository_id, found.forge_change.number)
    elif found.state == Change.State.OPEN:
        soon("evaluate-change", repository=found.repository_id, ref=found.name)
    else:
        soon("evaluate-history", repository=found.repository_id)


def read_again(repository: int, number: int) -> None:
    """Have a change at a forge read anew, known or not."""
    rows = Change.objects.filter(repository=repository, forge_change__number=number)
    read_as(repository, number, rows.values_list("forge_change__status__saying", flat=True).first())


def verify_statuses(repository: int, head: str) -> None:
    """Have what stands on a head compared with what the forge shows there, by us and by others."""
    green = Change.objects.filter(forge_change__head=head, forge_change__status__saying=Saying.ALLOWED.value)
    urgent = green.filter(repository=repository).exists()
    (first if urgent else soon)("verify-statuses", repository=repository, head=head)


def read_as(repository: int, number: int, saying: str | None, *, bulk: bool = False) -> None:
    """The same where it is known what stands for it, "" or None for nothing, and so it is new.

    `bulk`: nothing happened to this change itself.
    """
    orders = {Saying.ALLOWED.value: first, Saying.DENIED.value: in_bulk if bulk else soon}
    enqueue = orders.get(saying or "", in_bulk if bulk and saying else newest)
    enqueue("read-change", repository=repository, number=number)
