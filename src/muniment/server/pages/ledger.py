"""The record, as pages: what was done, every entry with its proof, and the words to check it oneself."""

import base64
from typing import Any

import msgspec
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST
from msgspec import structs

from muniment.access.actions import Action
from muniment.access.authorize import ORGANISATION, Why, authorize
from muniment.errors import LedgerError, StoreError
from muniment.ledger import entries, objects, proof_text, proofs, told, tree
from muniment.server.acts.submission import submit_act
from muniment.server.guarding.mediation import acting, may, requires
from muniment.server.page_lists import page
from muniment.server.people.names import names_of, person_in, renamed_subject
from muniment.server.records.entering import ACTION_KINDS, code
from muniment.server.records.installation import store
from muniment.server.records.models import Addendum, Record, RecordPosition
from muniment.server.records.reading import beside_all
from muniment.server.records.record_acts import ChangeSettings, CorrectRecord
from muniment.store.settings import home_text

_TEXTS = {code(action): action.rule.text for action in Action}


@require_GET
@requires(Action.SEE_LEDGER)
def ledger(request: HttpRequest) -> HttpResponse:
    """The newest entries. One that waits for its place says so."""
    found = page(request, Record.objects.select_related("place"))
    for row in found.rows:
        row.said = told.said(entries.decode(bytes(row.data), row.position or 0))
    log = store().log()
    try:
        head: Any = log.head()
        problem = ""
    except (LedgerError, StoreError) as error:
        head, problem = None, error.message
    context = {
        "page": found,
        "head": head,
        "root": base64.b64encode(head.root).decode() if head else "",
        "problem": problem,
        "public": store().public_key() or "",
        "waiting": RecordPosition.objects.filter(position=None).count(),
    }
    return render(request, "records/ledger.html", context)


@require_GET
@requires(Action.SEE_LEDGER)
def entry(request: HttpRequest, number: int) -> HttpResponse:
    """One entry: what it says, and the proof that it is in the ledger, which the browser checks itself."""
    row = get_object_or_404(Record.objects.select_related("place"), pk=number)
    read = entries.decode(bytes(row.data), row.position or 0)
    addenda = row.addenda.select_related("later_record").order_by("id")
    context: dict[str, Any] = {
        "entry": row,
        "said": told.said(read),
        "addenda": _addenda(list(addenda)) if may(request, Action.SEE_ACTIVITY) else (),
        "addenda_hidden": () if may(request, Action.SEE_ACTIVITY) else addenda,
        "may_correct": authorize(acting(request), Action.CORRECT_RECORD, ORGANISATION)
        in (Why.YES, Why.NO_SECOND_FACTOR),
        "text": msgspec.json.format(bytes(row.data)).decode(),
        "proof": "",
    }
    if row.position is not None:
        context |= proof(row)
    return render(request, "records/entry.html", context)


def _addenda(rows: list[Addendum]) -> list[tuple[Record, Any]]:
    """Each later entry with what it says, its person by name, or that it was erased."""
    kept = beside_all([row.later_record.details_digest for row in rows], objects.PersonAction)
    names = names_of(said.person for said in kept.values() if isinstance(said, objects.PersonAction))
    for digest, said in kept.items():
        if isinstance(said, objects.PersonAction):
            kept[digest] = structs.replace(said, person=names.get(said.person, said.person))
    return [(row.later_record, kept[row.later_record.details_digest]) for row in rows]


@require_POST
@requires(Action.CORRECT_RECORD)
def correct(request: HttpRequest, number: int) -> HttpResponse:
    """Say what is wrong in a record, and what is right: a later record, for the earlier one stays as it is."""
    done = _("Added. The entry itself stays as it is.")
    return submit_act(request, CorrectRecord, {"record": number}, done, "entry", number)


def proof(row: Record) -> dict[str, Any]:
    """The proof that an entry is in the ledger, for a page; for its browser, and as text for programs."""
    log = store().log()
    head, note = log.head(), log.checkpoint()
    if note is None or row.position is None or row.position >= head.size:
        raise Http404
    path = proofs.inclusion(log.read, head.size, row.position)
    checked = proofs.check_inclusion(tree.leaf_hash(bytes(row.data)), row.position, head.size, path, head.root)
    public = (store().public_key() or "").strip()
    return {
        "proof": proof_text.inclusion(row.position, path, note.decode()),
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
@requires(Action.CHANGE_SETTINGS)
def settings(request: HttpRequest) -> HttpResponse:
    """home.toml: where the newest checkpoint is kept as well, and who else signs it."""
    if request.method == "POST":
        return submit_act(request, ChangeSettings, {}, _("Saved."), "settings")
    return render(request, "records/settings.html", {"text": store().settings_text() or home_text()})


@require_GET
@requires(Action.SEE_ACTIVITY)
def activity(request: HttpRequest) -> HttpResponse:
    """What people did, newest first: who, what, on what. What was erased says so."""
    found = page(request, Record.objects.filter(kind__in=ACTION_KINDS).select_related("place"))
    kept = beside_all([row.details_digest for row in found.rows], objects.PersonAction)
    acts = [said for said in kept.values() if isinstance(said, objects.PersonAction)]
    names = names_of(person for said in acts for person in (said.person, person_in(said.resource)))
    for row in found.rows:
        row.act = entries.decode(bytes(row.data), row.position or 0)
        row.text = _(_TEXTS.get(row.act.action, row.act.action))
        said = kept[row.details_digest]
        row.who = said if isinstance(said, objects.PersonAction) else None
        row.name = names.get(said.person, said.person) if isinstance(said, objects.PersonAction) else ""
        row.resource = renamed_subject(said.resource, names) if isinstance(said, objects.PersonAction) else ""
        row.erased = said if isinstance(said, str) else ""
    return render(request, "records/activity.html", {"page": found})
