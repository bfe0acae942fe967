"""The ledger, and numbers, as programs see them."""

import json
from typing import Any

from django.http import HttpRequest, HttpResponse
from ninja import Query, Router

from muniment.access.actions import Action
from muniment.server import measures
from muniment.server.api.operations import Cursor, does, page
from muniment.server.record.models import Entry

router = Router()


@router.get("/metrics")
@does(Action.SEE_WORK)
def metrics(request: HttpRequest) -> HttpResponse:
    """Numbers for a monitoring system, in Prometheus' text format."""
    return HttpResponse(measures.text(), content_type="text/plain; version=0.0.4; charset=utf-8")


@router.get("/entries")
@does(Action.SEE_LEDGER)
def list_entries(request: HttpRequest, cursor: Query[Cursor]) -> dict[str, Any]:
    """The ledger, newest first; `place` is null until an entry has one."""
    return page(Entry.objects.all(), cursor, _entry)


def _entry(row: Entry) -> dict[str, Any]:
    return {"number": row.pk, "place": row.place, "entry": json.loads(bytes(row.data))}
