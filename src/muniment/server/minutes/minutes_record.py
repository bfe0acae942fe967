"""Reads the record of a held meeting for an auditor: people, facts, decisions, follow-up, confirmations and times."""

from typing import Any, NamedTuple

from django.http import HttpRequest

from muniment.server.minutes.agendas import decode_agenda, translate_section
from muniment.server.minutes.minutes_page import read_minutes_page
from muniment.server.minutes.models import Minutes
from muniment.server.minutes.record_document import is_pdf_available
from muniment.server.people.models import Person
from muniment.server.records.models import Record, RowState


class LedgerEntry(NamedTuple):
    """Record of the ledger about the minutes, with its position, None while it waits for one."""

    record: Record
    position: int | None


def read_record_page(request: HttpRequest, minutes: Minutes) -> dict[str, Any]:
    """Values of the record: those of the minutes, the facts as they were fixed, and the records of the ledger."""
    sections = [translate_section(each) for each in decode_agenda(minutes.agenda).sections]
    people = {line.person for section in sections for line in section.lines if line.person}
    return read_minutes_page(request, minutes) | {
        "sections": sections,
        "line_names": dict(Person.objects.filter(pk__in=people).values_list("pk", "name")),
        "ledger": list_ledger_entries(minutes),
        "has_pdf": is_pdf_available(),
    }


def list_ledger_entries(minutes: Minutes) -> list[LedgerEntry]:
    """Records that hold a state of the minutes or of a confirmation, oldest first."""
    keys = [(Minutes._meta.db_table, str(minutes.pk))]
    keys += [(each._meta.db_table, str(each.pk)) for each in minutes.signatures.all()]
    found: dict[int, Record] = {}
    for table, key in keys:
        for state in RowState.objects.filter(table=table, key=key).select_related("record__place"):
            found[state.record_id] = state.record
    return [LedgerEntry(found[number], found[number].position) for number in sorted(found)]
