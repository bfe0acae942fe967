"""Compares the records in the table, which the service reads, with the signed entries of the ledger."""

from collections.abc import Iterator

from django.db.models import Max

from muniment.facts.counting import count_entries
from muniment.server.records.models import RecordPosition
from muniment.server.records.recorded_rows import list_recorded_models
from muniment.server.records.row_checks import find_row_problems
from muniment.store.ledger_log import Log


def find_differences(log: Log, size: int) -> Iterator[str]:
    """Differences between the tables and the ledger of `size` entries, each in a sentence."""
    yield from _find_altered_records(log, size)
    for one in find_row_problems(list_recorded_models()):
        yield f"the row {one.key} of {one.table} is not what the ledger says ({one.code})"


def _find_altered_records(log: Log, size: int) -> Iterator[str]:
    """Records whose bytes or position differ from the ledger's; entries of it without a record.

    Records are added meanwhile, so a position beyond `size` is compared with a size that is read after it: a position
    is stored no earlier than its signed checkpoint.
    """
    placed = RecordPosition.objects.filter(position__lt=size).order_by("position")
    rows = placed.values_list("position", "record__data").iterator()
    row = next(rows, None)
    for at, data in enumerate(log.read_entries(0, size)):
        if row is None or row[0] != at:
            yield f"entry {at}: its record is missing"
            continue
        if bytes(row[1]) != data:
            yield f"entry {at}: its record is not what was signed"
        row = next(rows, None)
    last = RecordPosition.objects.aggregate(last=Max("position"))["last"]
    now = log.read_head().size
    if last is not None and last >= now:
        yield f"a record has the position {last}, and the ledger has {count_entries(now)}: it was rolled back"
