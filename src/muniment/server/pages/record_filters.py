"""Filters of the lists of records, and the files that such a list is exported as."""

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple

from django.db.models import QuerySet
from django.http import HttpRequest, StreamingHttpResponse
from django.utils import timezone
from django.utils.http import urlencode
from django.utils.translation import gettext_lazy as _

from muniment.server.acts.inputs import Label
from muniment.server.records.models import Record


class KindLook(NamedTuple):
    """Look of a kind of record: its name in a filter, its icon, its tone."""

    text: Label
    icon: str
    tone: str


RECORD_KINDS: Mapping[str, KindLook] = {
    "decision": KindLook(_("Decision"), "git-pull-request", "accent"),
    "decision-preview": KindLook(_("Preview of a decision"), "git-pull-request", "na"),
    "code-review": KindLook(_("Review statement"), "message-circle", "accent"),
    "push": KindLook(_("Push"), "git-commit", "na"),
    "push-refusal": KindLook(_("Refused push"), "ban", "failing"),
    "ref-update": KindLook(_("Updated refs"), "git-branch", "na"),
    "hook-bypass": KindLook(_("Bypass of the server hook"), "alert-triangle", "failing"),
    "branch-update": KindLook(_("Branch update"), "git-merge", "na"),
    "baseline": KindLook(_("Baseline"), "flag", "na"),
    "replay": KindLook(_("Replay of the history"), "history", "na"),
    "freeze": KindLook(_("Freeze"), "snowflake", "unknown"),
    "freeze-lift": KindLook(_("Lift of a freeze"), "snowflake", "passing"),
    "person-action": KindLook(_("Act of a person"), "user", "accent"),
    "service-action": KindLook(_("Act of the service"), "robot", "na"),
    "operator-action": KindLook(_("Act of the operator"), "server", "unknown"),
    "deployment-request": KindLook(_("Deployment request"), "rocket", "accent"),
    "deployment-permission": KindLook(_("Permission to deploy"), "rocket", "passing"),
    "deployment-outcome": KindLook(_("Outcome of a deployment"), "rocket", "na"),
    "job-run": KindLook(_("Job with secrets"), "player-play", "na"),
    "incident-opened": KindLook(_("Incident opened"), "alert-triangle", "failing"),
    "incident-closed": KindLook(_("Incident closed by a person"), "shield-check", "passing"),
    "incident-resolved": KindLook(_("Incident ended by itself"), "shield-check", "passing"),
    "erasure": KindLook(_("Erasure"), "trash", "na"),
    "reconciliation": KindLook(_("Reconciliation"), "refresh", "unknown"),
    "key-exchange": KindLook(_("Exchange of the key"), "key", "unknown"),
    "ledger-import": KindLook(_("Imported ledger"), "file-import", "na"),
}
_OTHER = KindLook(_("Other record"), "file-text", "na")  # of a kind that a later version wrote
RECORD_PERIODS = {"1": _("Today"), "7": _("7 days"), "90": _("90 days")}
EXPORT_ROWS = 20_000
EXPORT_FORMATS = ("csv", "json")


class RecordFilter(NamedTuple):
    """Filter that an address names: a kind, a number of days, and the person and product as they were typed; "" for
    all.
    """

    kind: str
    days: str
    person: str = ""
    product: str = ""

    @property
    def query(self) -> str:
        """The filter as a part of an address."""
        return urlencode({name: value for name, value in self._asdict().items() if value})

    def apply(self, rows: "QuerySet[Record, Record]") -> "QuerySet[Record, Record]":
        """The rows that the filter leaves."""
        if self.kind:
            rows = rows.filter(kind=self.kind)
        if self.days:
            today = timezone.now().replace(hour=0, minute=0, second=0, microsecond=0)
            rows = rows.filter(recorded_at__gte=today - timedelta(days=int(self.days) - 1))
        return rows


def read_filter(request: HttpRequest) -> RecordFilter:
    """Filter of an address. Unknown values filter nothing, and the form shows that."""
    kind, days = request.GET.get("kind", ""), request.GET.get("days", "")
    person, product = (request.GET.get(name, "").strip()[:200] for name in ("person", "product"))
    return RecordFilter(kind if kind in RECORD_KINDS else "", days if days in RECORD_PERIODS else "", person, product)


def find_kind_look(kind: str) -> KindLook:
    """Look of a kind."""
    return RECORD_KINDS.get(kind, _OTHER)


def group_by_day(rows: Iterable[Any]) -> list[tuple[date, list[Any]]]:
    """Records, newest first, by their day in UTC; each gets its `clock` time and the `link_text` to its page."""
    found: list[tuple[date, list[Any]]] = []
    numbered, waiting = _("Record %(position)d"), _("Being recorded")
    for row in rows:
        moment = row.recorded_at.astimezone(timezone.get_default_timezone())
        day, row.clock = moment.date(), f"{moment:%H:%M:%S}"
        row.link_text = waiting if row.position is None else str(numbered) % {"position": row.position}
        if not found or found[-1][0] != day:
            found.append((day, []))
        found[-1][1].append(row)
    return found


def export_rows(
    rows: Iterable[Mapping[str, object]], columns: tuple[str, ...], form: str, name: str
) -> StreamingHttpResponse:
    """File of rows as CSV or JSON, a row at a time. `form` is one of EXPORT_FORMATS."""
    lines = _write_csv(rows, columns) if form == "csv" else _write_json(rows)
    kind = "text/csv; charset=utf-8" if form == "csv" else "application/json"
    answer = StreamingHttpResponse(lines, content_type=kind)
    answer["Content-Disposition"] = f'attachment; filename="{name}.{form}"'
    return answer


def _write_csv(rows: Iterable[Mapping[str, object]], columns: tuple[str, ...]) -> Iterator[str]:
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(columns)
    for row in rows:
        yield _take_text(buffer)
        writer.writerow([_escape_formula(_format_value(row[column])) for column in columns])
    yield _take_text(buffer)


def _write_json(rows: Iterable[Mapping[str, object]]) -> Iterator[str]:
    separator = "[\n"
    for row in rows:
        yield separator + json.dumps({name: _format_value(value) for name, value in row.items()}, ensure_ascii=False)
        separator = ",\n"
    yield "\n]\n" if separator != "[\n" else "[]\n"


def _take_text(buffer: io.StringIO) -> str:
    text = buffer.getvalue()
    buffer.seek(0)
    buffer.truncate()
    return text


def _format_value(value: object) -> object:
    return value.isoformat() if isinstance(value, datetime) else value


def _escape_formula(value: object) -> object:
    """A text that a spreadsheet would run as a formula, with an apostrophe before it."""
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r") else value
