"""Has changes judged again: what is allowed comes first, for until it is read it may be merged as it was."""

from muniment.forges.statuses import Saying
from muniment.server.changes.models import Change
from muniment.server.work import first, soon


def judge_again(found: Change) -> None:
    """Have a change judged again, wherever it is."""
    if found.repository.at_forge:
        read_again(found.repository_id, found.at_forge.number)
    elif found.where == Change.Where.OPEN:
        soon("judge-change", repository=found.repository_id, ref=found.name)
    else:
        soon("judge-past", repository=found.repository_id)


def read_again(repository: int, number: int) -> None:
    """Have a change at a forge read anew, known or not."""
    rows = Change.objects.filter(repository=repository, at_forge__number=number)
    green = rows.filter(at_forge__status__saying=Saying.ALLOWED.value).exists()
    (first if green else soon)("read-change", repository=repository, number=number)
