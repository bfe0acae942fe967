"""Pages of the ledger: the acts, every record with its proof, and the commands to verify it oneself."""

import base64
from collections.abc import Iterable
from functools import lru_cache
from typing import Any, NamedTuple

import msgspec
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, render
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST
from msgspec import structs

from muniment.access.actions import Action
from muniment.access.authorization import ORGANISATION, AccessResult, authorize
from muniment.errors import LedgerError, StoreError
from muniment.ledger import merkle_tree, proof_text, proofs, record_kinds, record_objects
from muniment.server.acts.submission import submit_act
from muniment.server.components.fragments import render_fragment
from muniment.server.guarding.mediation import current_actor, is_action_allowed, require_action
from muniment.server.page_lists import RowPage, page_by_id
from muniment.server.pages import record_filters
from muniment.server.pages.record_sentences import describe_role, make_sentence
from muniment.server.pages.record_subjects import RecordSubject, find_records_about, find_subject, page_by_subject
from muniment.server.people.names import find_names, parse_person_subject, replace_subject_id
from muniment.server.records.installation import open_store
from muniment.server.records.models import Addendum, Record, RecordPosition
from muniment.server.records.record_acts import ChangeSettings, CorrectRecord
from muniment.server.records.record_details import read_all_details
from muniment.server.records.record_writing import ACTION_KINDS, action_code
from muniment.server.remembered_sql import remember_sql
from muniment.store.settings import make_home_text

_TEXTS = {action_code(action): action.rule.text for action in Action}


@require_GET
@require_action(Action.SEE_LEDGER)
def list_records(request: HttpRequest) -> HttpResponseBase:
    """List the newest records as sentences, by day. `?format=` exports them.

    A record that waits for its position says so.
    """
    chosen = record_filters.read_filter(request)
    rows, subject = chosen.apply(Record.objects.select_related("place")), find_subject(request, chosen)
    if request.GET.get("format") in record_filters.EXPORT_FORMATS:
        return record_filters.export_rows(
            map(_export_record, _read_exported(rows, subject)), _RECORD_COLUMNS, request.GET["format"], "records"
        )
    found = _read_page(request, rows, subject)
    log = open_store().open_log()
    try:
        head: Any = log.read_head()
        problem = ""
    except (LedgerError, StoreError) as error:
        head, problem = None, error.message
    context = {
        "page": found,
        "days": [
            (day, [render_fragment("records/row.html", _make_row(row)) for row in rows])
            for day, rows in record_filters.group_by_day(found.rows)
        ],
        "head": head,
        "root": base64.b64encode(head.root).decode() if head else "",
        "problem": problem,
        "public": open_store().public_key() or "",
        "waiting": len(_find_waiting()),
        **_make_filter_context(request, chosen, subject),
    }
    return render(request, "records/ledger.html", context)


@remember_sql
def _find_waiting() -> "QuerySet[Any, tuple[int]]":
    return RecordPosition.objects.filter(position=None).values_list("record")


def _read_page(request: HttpRequest, rows: "QuerySet[Record, Record]", subject: RecordSubject) -> RowPage:
    return page_by_id(request, rows) if subject.is_everything else page_by_subject(request, rows, subject)


def _read_exported(rows: "QuerySet[Record, Record]", subject: RecordSubject) -> Iterable[Record]:
    """Newest records for a file, at most as many as it may have."""
    if subject.problem:
        return ()
    if subject.is_everything:
        return rows.order_by("-pk")[: record_filters.EXPORT_ROWS].iterator(chunk_size=500)
    return find_records_about(rows, subject, record_filters.EXPORT_ROWS, record_filters.EXPORT_ROWS).rows


_RECORD_COLUMNS = ("number", "position", "recorded_at", "kind", "text", "leaf_hash")


def _export_record(row: Record) -> dict[str, object]:
    leaf = merkle_tree.leaf_hash(bytes(row.data)).hex()
    values = (row.pk, row.position, row.recorded_at, row.kind, _describe(row), leaf)
    return dict(zip(_RECORD_COLUMNS, values, strict=True))


def _describe(row: Record) -> str:
    return _describe_once(get_language(), bytes(row.data), row.position or 0)


@lru_cache(maxsize=4096)  # what a record says never changes
def _describe_once(language: str | None, data: bytes, position: int) -> str:
    return str(make_sentence(record_kinds.decode_record(data, position)))


class _RecordRow(NamedTuple):
    number: int
    look: record_filters.KindLook
    description: str
    clock: str
    link_text: str


def _make_row(row: Any) -> _RecordRow:
    look = record_filters.find_kind_look(row.kind)
    return _RecordRow(row.pk, look, _describe(row), row.clock, row.link_text)


class _ActRow(NamedTuple):
    """Act of a person as a list shows it; `name` says that the person was erased where that is so."""

    number: int
    look: record_filters.KindLook
    name: str
    step: str
    description: str
    text: str
    resource: str
    role: str
    alone: bool
    clock: str
    link_text: str


def _make_act_row(row: Any) -> _ActRow:
    details = row.who.details if row.who else {}
    step, description = (str(details[name]) if name in details else "" for name in ("step", "act_description"))
    return _ActRow(
        *(row.pk, row.look, str(row.name or row.erased), step, description, str(row.text), str(row.resource)),
        *(str(row.role), bool(row.alone), row.clock, row.link_text),
    )


def _make_filter_context(
    request: HttpRequest, chosen: record_filters.RecordFilter, subject: RecordSubject
) -> dict[str, object]:
    return {
        "chosen": chosen,
        "more": chosen.query,
        "subject": subject,
        "may_filter_person": is_action_allowed(request, Action.SEE_ACTIVITY),
        "kinds": [(kind, look.text) for kind, look in record_filters.RECORD_KINDS.items()],
        "periods": record_filters.RECORD_PERIODS.items(),
    }


@require_GET
@require_action(Action.SEE_LEDGER)
def show_record(request: HttpRequest, number: int) -> HttpResponse:
    """Show a record, and the proof that it is in the ledger, which the browser checks itself."""
    row = get_object_or_404(Record.objects.select_related("place"), pk=number)
    read = record_kinds.decode_record(bytes(row.data), row.position or 0)
    addenda = row.addenda.select_related("later_record").order_by("id")
    context: dict[str, object] = {
        "entry": row,
        "look": record_filters.find_kind_look(row.kind),
        "said": make_sentence(read),
        "addenda": _read_addenda(list(addenda)) if is_action_allowed(request, Action.SEE_ACTIVITY) else (),
        "addenda_hidden": () if is_action_allowed(request, Action.SEE_ACTIVITY) else addenda,
        "may_correct": authorize(current_actor(request), Action.CORRECT_RECORD, ORGANISATION)
        in (AccessResult.YES, AccessResult.NO_SECOND_FACTOR),
        "text": msgspec.json.format(bytes(row.data)).decode(),
        "proof": "",
    }
    if row.position is not None:
        context |= make_proof_context(row)
    return render(request, "records/entry.html", context)


def _read_addenda(rows: list[Addendum]) -> list[tuple[Record, Any]]:
    """Each later record with its content, its person by name, or that it was erased."""
    details = read_all_details([row.later_record.details_digest for row in rows], record_objects.PersonAction)
    names = find_names(act.person for act in details.values() if isinstance(act, record_objects.PersonAction))
    for digest, act in details.items():
        if isinstance(act, record_objects.PersonAction):
            details[digest] = structs.replace(act, person=names.get(act.person, act.person))
    return [(row.later_record, details[row.later_record.details_digest]) for row in rows]


@require_POST
@require_action(Action.CORRECT_RECORD)
def correct_record(request: HttpRequest, number: int) -> HttpResponse:
    """Record a correction: a later record, for the earlier one stays as it is."""
    done = _("Added. The entry itself stays as it is.")
    return submit_act(request, CorrectRecord, {"record": number}, done, "entry", number)


def make_proof_context(row: Record) -> dict[str, object]:
    """Proof that a record is in the ledger, for a page; for its browser, and as text for programs."""
    log = open_store().open_log()
    head, note = log.read_head(), log.load_checkpoint()
    if note is None or row.position is None or row.position >= head.size:
        raise Http404
    path = proofs.prove_inclusion(log.read_file, head.size, row.position)
    checked = proofs.is_included(merkle_tree.leaf_hash(bytes(row.data)), row.position, head.size, path, head.root)
    public = (open_store().public_key() or "").strip()
    return {
        "proof": proof_text.format_inclusion(row.position, path, note.decode()),
        "checked": checked,
        "verify": {
            "data": base64.b64encode(bytes(row.data)).decode(),
            "index": row.position,
            "size": head.size,
            "path": [base64.b64encode(part).decode() for part in path],
            "note": note.decode(),
            "key": public,
        },
    }


@require_http_methods(["GET", "POST"])
@require_action(Action.CHANGE_SETTINGS)
def edit_settings(request: HttpRequest) -> HttpResponse:
    """Show or replace home.toml: the external copy of the newest checkpoint, and its witnesses."""
    if request.method == "POST":
        return submit_act(request, ChangeSettings, {}, _("Saved."), "settings")
    return render(request, "records/settings.html", {"text": open_store().settings_text() or make_home_text()})


@require_GET
@require_action(Action.SEE_ACTIVITY)
def list_activity(request: HttpRequest) -> HttpResponseBase:
    """List the acts of people, newest first, by day. Erased ones say so. `?format=` exports them."""
    chosen = record_filters.read_filter(request)._replace(kind="")
    rows = chosen.apply(Record.objects.filter(kind__in=ACTION_KINDS).select_related("place"))
    subject = find_subject(request, chosen)
    if request.GET.get("format") in record_filters.EXPORT_FORMATS:
        newest = list(_read_exported(rows, subject))
        _add_acts(newest)
        return record_filters.export_rows(map(_export_act, newest), _ACT_COLUMNS, request.GET["format"], "activity")
    found = _read_page(request, rows, subject)
    _add_acts(found.rows)
    days = [
        (day, [render_fragment("records/act_row.html", _make_act_row(row)) for row in rows])
        for day, rows in record_filters.group_by_day(found.rows)
    ]
    context: dict[str, object] = {"page": found, "days": days}
    context |= _make_filter_context(request, chosen, subject)
    return render(request, "records/activity.html", context)


_ACT_COLUMNS = ("number", "recorded_at", "person", "role", "act", "resource", "alone")


def _export_act(row: Any) -> dict[str, object]:
    values = (row.pk, row.recorded_at, row.name or row.erased, row.act.role, row.text, row.resource, row.alone)
    return dict(zip(_ACT_COLUMNS, values, strict=True))


def _add_acts(rows: list[Any]) -> None:
    """Give each record of an act its sentence, and its person and resource by name, or that they were erased."""
    details = read_all_details([row.details_digest for row in rows], record_objects.PersonAction)
    acts = [detail for detail in details.values() if isinstance(detail, record_objects.PersonAction)]
    names = find_names(person for detail in acts for person in (detail.person, parse_person_subject(detail.resource)))
    for row in rows:
        row.act = record_kinds.decode_record(bytes(row.data), row.position or 0)
        row.alone = row.act.without_second_person
        row.text = _(_TEXTS.get(row.act.action, row.act.action))
        row.role = describe_role(row.act.role)
        row.look = record_filters.find_kind_look(row.kind)
        detail = details[row.details_digest]
        row.who = detail if isinstance(detail, record_objects.PersonAction) else None
        row.name = names.get(row.who.person, row.who.person) if row.who else ""
        row.resource = replace_subject_id(row.who.resource, names) if row.who else ""
        row.erased = detail if isinstance(detail, str) else ""
