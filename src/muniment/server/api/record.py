"""The ledger, and numbers, as programs see them."""

import json
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from ninja import Query, Router, Schema
from procrastinate.contrib.django.models import ProcrastinateJob
from pydantic import Field

from muniment.access.actions import Action
from muniment.home.settings import home_text
from muniment.ledger import objects
from muniment.server import measures
from muniment.server.api.operations import Cursor, does, once, page
from muniment.server.guarding.mediation import acting
from muniment.server.installation import home
from muniment.server.record.models import Entry
from muniment.server.record.reading import beside_all
from muniment.server.record.views import addendum, keep_settings, proof
from muniment.server.work_views import STATES, retry_task

router = Router()


class SettingsIn(Schema):
    """home.toml."""

    text: str = Field(max_length=20_000)


class AddendumIn(Schema):
    """What is wrong in an entry, and what is right."""

    wrong: str = Field(max_length=2000)
    right: str = Field(max_length=2000)


@router.get("/metrics")
@does(Action.SEE_WORK)
def metrics(request: HttpRequest) -> HttpResponse:
    """Numbers for a monitoring system, in Prometheus' text format."""
    return HttpResponse(measures.text(), content_type="text/plain; version=0.0.4; charset=utf-8")


@router.get("/work")
@does(Action.SEE_WORK)
def list_work(request: HttpRequest, cursor: Query[Cursor]) -> dict[str, Any]:
    """Tasks that wait, run or failed."""
    return page(ProcrastinateJob.objects.filter(status__in=STATES), cursor, _job)


@router.post("/work/{number}/again")
@does(Action.RETRY_WORK)
def try_again(request: HttpRequest, number: int) -> dict[str, Any]:
    """Try a failed task again."""
    job = ProcrastinateJob.objects.filter(pk=number, status="failed").first()
    if job is None:
        raise Http404

    def act() -> dict[str, Any]:
        retry_task(acting(request), job)
        return {"done": True}

    return once(request, act)


def _job(row: Any) -> dict[str, Any]:
    return {"number": row.pk, "task": row.task_name, "about": row.args, "state": row.status, "attempts": row.attempts}


@router.get("/settings")
@does(Action.CHANGE_SETTINGS)
def get_settings(request: HttpRequest) -> dict[str, Any]:
    """home.toml."""
    return {"text": home().settings_text() or home_text()}


@router.put("/settings")
@does(Action.CHANGE_SETTINGS)
def put_settings(request: HttpRequest, body: SettingsIn) -> dict[str, Any]:
    """Have another home.toml hold."""

    def act() -> dict[str, Any]:
        keep_settings(acting(request), body.text)
        return {"done": True}

    return once(request, act)


@router.get("/activity")
@does(Action.SEE_ACTIVITY)
def list_activity(request: HttpRequest, cursor: Query[Cursor]) -> dict[str, Any]:
    """What people did, newest first; `person` is null of what was erased."""
    found = page(Entry.objects.filter(kind="act"), cursor, lambda row: {"row": row})
    rows = [one["row"] for one in found["items"]]
    kept = beside_all([row.object for row in rows], objects.Act)
    return {"items": [_act(row, kept[row.object]) for row in rows], "next": found["next"]}


def _act(row: Entry, said: Any) -> dict[str, Any]:
    known = isinstance(said, objects.Act)
    return {
        **_entry(row),
        "person": said.person if known else None,
        "resource": said.resource if known else None,
        "details": said.details if known else {},
    }


@router.get("/entries/{number}")
@does(Action.SEE_LEDGER)
def get_entry(request: HttpRequest, number: int) -> dict[str, Any]:
    """One entry, the proof that it is in the ledger (C2SP, as text) once it has its place, and later ones that put it
    right.
    """
    row = Entry.objects.filter(pk=number).first()
    if row is None:
        raise Http404
    later = list(row.addenda.order_by("id").values_list("later", flat=True))
    return {**_entry(row), "proof": proof(row)["proof"] if row.place is not None else None, "addenda": later}


@router.post("/entries/{number}/addenda")
@does(Action.CORRECT_RECORD)
def correct_entry(request: HttpRequest, number: int, body: AddendumIn) -> dict[str, Any]:
    """Say what is wrong in an entry, and what is right."""
    row = Entry.objects.filter(pk=number).first()
    if row is None:
        raise Http404

    def act() -> dict[str, Any]:
        addendum(acting(request), row, body.wrong.strip(), body.right.strip())
        return {"done": True}

    return once(request, act)


@router.get("/entries")
@does(Action.SEE_LEDGER)
def list_entries(request: HttpRequest, cursor: Query[Cursor]) -> dict[str, Any]:
    """The ledger, newest first; `place` is null until an entry has one."""
    return page(Entry.objects.all(), cursor, _entry)


def _entry(row: Entry) -> dict[str, Any]:
    return {"number": row.pk, "place": row.place, "entry": json.loads(bytes(row.data))}
