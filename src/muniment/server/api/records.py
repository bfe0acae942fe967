"""The ledger, and numbers, as programs see them."""

import json
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from ninja import Query, Router
from procrastinate.contrib.django.models import ProcrastinateJob

from muniment.access.actions import Action
from muniment.ledger import objects
from muniment.server.acts.schemas import body_of
from muniment.server.api_operations import Cursor, does, page, run_act
from muniment.server.pages import measures
from muniment.server.pages.jobs import STATES
from muniment.server.pages.ledger import proof
from muniment.server.people.names import handles_of, person_in, renamed_subject
from muniment.server.records.entering import ACTION_KINDS
from muniment.server.records.installation import store
from muniment.server.records.models import Record
from muniment.server.records.reading import beside_all
from muniment.server.records.record_acts import ChangeSettings, CorrectRecord, RetryJob
from muniment.store.settings import home_text

router = Router()


# types that are made at run time, from the fields of the acts
SettingsBody = body_of(ChangeSettings)
CorrectionBody = body_of(CorrectRecord, fixed=("record",))


@router.get("/metrics")
@does(Action.SEE_JOBS)
def metrics(request: HttpRequest) -> HttpResponse:
    """Numbers for a monitoring system, in Prometheus' text format."""
    return HttpResponse(measures.text(), content_type="text/plain; version=0.0.4; charset=utf-8")


@router.get("/jobs")
@does(Action.SEE_JOBS)
def list_work(request: HttpRequest, cursor: Query[Cursor]) -> dict[str, Any]:
    """Tasks that wait, run or failed."""
    return page(ProcrastinateJob.objects.filter(status__in=STATES), cursor, _job)


@router.post("/jobs/{number}/retry")
@does(Action.RETRY_JOB)
def retry_job(request: HttpRequest, number: int) -> dict[str, Any]:
    """Have a failed job tried again."""
    return run_act(request, RetryJob, {"job": number})


def _job(row: Any) -> dict[str, Any]:
    return {"number": row.pk, "task": row.task_name, "about": row.args, "state": row.status, "attempts": row.attempts}


@router.get("/settings")
@does(Action.CHANGE_SETTINGS)
def get_settings(request: HttpRequest) -> dict[str, Any]:
    """home.toml."""
    return {"text": store().settings_text() or home_text()}


@router.put("/settings")
@does(Action.CHANGE_SETTINGS)
def put_settings(request: HttpRequest, body: SettingsBody) -> dict[str, Any]:  # type: ignore[valid-type]
    """Change home.toml."""
    return run_act(request, ChangeSettings, {})


@router.get("/activity")
@does(Action.SEE_ACTIVITY)
def list_activity(request: HttpRequest, cursor: Query[Cursor]) -> dict[str, Any]:
    """What people did, newest first; `person` is null of what was erased."""
    found = page(Record.objects.filter(kind__in=ACTION_KINDS).select_related("place"), cursor, lambda row: {"row": row})
    rows = [one["row"] for one in found["items"]]
    kept = beside_all([row.details_digest for row in rows], objects.PersonAction)
    acts = [said for said in kept.values() if isinstance(said, objects.PersonAction)]
    handles = handles_of(
        person for said in acts for person in (said.person, person_in(said.resource), *said.details.values())
    )
    return {"items": [_act(row, kept[row.details_digest], handles) for row in rows], "next": found["next"]}


def _act(row: Record, said: Any, handles: dict[str, str]) -> dict[str, Any]:
    known = isinstance(said, objects.PersonAction)
    return {
        **_entry(row),
        "person": handles.get(said.person, said.person) if known else None,
        "resource": renamed_subject(said.resource, handles) if known else None,
        "details": {name: handles.get(value, value) for name, value in said.details.items()} if known else {},
    }


@router.get("/records/{number}")
@does(Action.SEE_LEDGER)
def get_entry(request: HttpRequest, number: int) -> dict[str, Any]:
    """One entry, the proof that it is in the ledger (C2SP, as text) once it has its place, and later ones that put it
    right.
    """
    row = Record.objects.select_related("place").filter(pk=number).first()
    if row is None:
        raise Http404
    later = list(row.addenda.order_by("id").values_list("later_record", flat=True))
    return {**_entry(row), "proof": proof(row)["proof"] if row.position is not None else None, "addenda": later}


@router.post("/records/{number}/addenda")
@does(Action.CORRECT_RECORD)
def correct_entry(request: HttpRequest, number: int, body: CorrectionBody) -> dict[str, Any]:  # type: ignore[valid-type]
    """Say what is wrong in a record, and what is right."""
    return run_act(request, CorrectRecord, {"record": number})


@router.get("/records")
@does(Action.SEE_LEDGER)
def list_entries(request: HttpRequest, cursor: Query[Cursor]) -> dict[str, Any]:
    """The ledger, newest first; `place` is null until an entry has one."""
    return page(Record.objects.select_related("place"), cursor, _entry)


def _entry(row: Record) -> dict[str, Any]:
    return {"number": row.pk, "position": row.position, "record": json.loads(bytes(row.data))}
