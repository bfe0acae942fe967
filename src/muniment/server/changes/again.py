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
    read_as(repository, number, rows.values_list("at_forge__status__saying", flat=True).first())


def read_as(repository: int, number: int, saying: str | None) -> None:
    """The same where it is known what stands for it, "" or None for nothing."""
    (first if saying == Saying.ALLOWED.value else soon)("read-change", repository=repository, number=number)
