"""Ledger and metrics, as programs see them."""

import json
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from ninja import Query, Router
from procrastinate.contrib.django.models import ProcrastinateJob

from muniment.access.actions import Action
from muniment.ledger import record_objects
from muniment.server.acts.schemas import build_body_schema
from muniment.server.api_operations import Cursor, for_action, page_by_number, run_act, select_page
from muniment.server.pages import metrics
from muniment.server.pages.jobs import STATES
from muniment.server.pages.ledger_pages import make_proof_context
from muniment.server.people.names import find_handles, parse_person_subject, replace_subject_id
from muniment.server.records.installation import open_store
from muniment.server.records.models import Record
from muniment.server.records.record_acts import ChangeSettings, CorrectRecord, RetryJob
from muniment.server.records.record_details import read_all_details
from muniment.server.records.record_writing import ACTION_KINDS
from muniment.store.settings import make_home_text

router = Router()


# types that are made at run time, from the fields of the acts
SettingsBody = build_body_schema(ChangeSettings)
CorrectionBody = build_body_schema(CorrectRecord, fixed=("record",))


@router.get("/metrics")
@for_action(Action.SEE_JOBS)
def get_metrics(request: HttpRequest) -> HttpResponse:
    """Show metrics for a monitoring system, in Prometheus' text format."""
    return HttpResponse(metrics.format_metrics(), content_type="text/plain; version=0.0.4; charset=utf-8")


@router.get("/jobs")
@for_action(Action.SEE_JOBS)
def list_jobs(request: HttpRequest, cursor: Query[Cursor]) -> dict[str, object]:
    """List jobs that wait, run or failed."""
    return page_by_number(ProcrastinateJob.objects.filter(status__in=STATES), cursor, _serialize_job)


@router.post("/jobs/{number}/retry")
@for_action(Action.RETRY_JOB)
def retry_job(request: HttpRequest, number: int) -> dict[str, object]:
    """Have a failed job tried again."""
    return run_act(request, RetryJob, {"job": number})


def _serialize_job(row: Any) -> dict[str, object]:
    return {"number": row.pk, "task": row.task_name, "about": row.args, "state": row.status, "attempts": row.attempts}


@router.get("/settings")
@for_action(Action.CHANGE_SETTINGS)
def get_settings(request: HttpRequest) -> dict[str, object]:
    """Show the text of home.toml."""
    return {"text": open_store().settings_text() or make_home_text()}


@router.put("/settings")
@for_action(Action.CHANGE_SETTINGS)
def put_settings(request: HttpRequest, body: SettingsBody) -> dict[str, object]:  # type: ignore[valid-type]
    """Replace the text of home.toml."""
    return run_act(request, ChangeSettings, {})


@router.get("/activity")
@for_action(Action.SEE_ACTIVITY)
def list_activity(request: HttpRequest, cursor: Query[Cursor]) -> dict[str, object]:
    """List the acts of people, newest first; `person` is null where it was erased."""
    rows, following = select_page(Record.objects.filter(kind__in=ACTION_KINDS).select_related("place"), cursor)
    details = read_all_details([row.details_digest for row in rows], record_objects.PersonAction)
    acts = [act for act in details.values() if isinstance(act, record_objects.PersonAction)]
    handles = find_handles(
        person for act in acts for person in (act.person, parse_person_subject(act.resource), *act.details.values())
    )
    return {"items": [_serialize_act(row, details[row.details_digest], handles) for row in rows], "next": following}


def _serialize_act(row: Record, recorded: Any, handles: dict[str, str]) -> dict[str, object]:
    known = isinstance(recorded, record_objects.PersonAction)
    return {
        **_serialize_entry(row),
        "person": handles.get(recorded.person, recorded.person) if known else None,
        "resource": replace_subject_id(recorded.resource, handles) if known else None,
        "details": {name: handles.get(value, value) for name, value in recorded.details.items()} if known else {},
    }


@router.get("/records/{number}")
@for_action(Action.SEE_LEDGER)
def get_entry(request: HttpRequest, number: int) -> dict[str, object]:
    """Show a record, the proof that it is in the ledger (C2SP, as text) once it has its position, and later records
    that correct it.
    """
    row = Record.objects.select_related("place").filter(pk=number).first()
    if row is None:
        raise Http404
    later = list(row.addenda.order_by("id").values_list("later_record", flat=True))
    return {
        **_serialize_entry(row),
        "proof": make_proof_context(row)["proof"] if row.position is not None else None,
        "addenda": later,
    }


@router.post("/records/{number}/addenda")
@for_action(Action.CORRECT_RECORD)
def correct_entry(request: HttpRequest, number: int, body: CorrectionBody) -> dict[str, object]:  # type: ignore[valid-type]
    """Say what is wrong in a record, and what is right."""
    return run_act(request, CorrectRecord, {"record": number})


@router.get("/records")
@for_action(Action.SEE_LEDGER)
def list_entries(request: HttpRequest, cursor: Query[Cursor]) -> dict[str, object]:
    """List the ledger, newest first; `place` is null until a record has one."""
    return page_by_number(Record.objects.select_related("place"), cursor, _serialize_entry)


def _serialize_entry(row: Record) -> dict[str, object]:
    return {"number": row.pk, "position": row.position, "record": json.loads(bytes(row.data))}
