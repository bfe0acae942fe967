"""The record, as pages: what was done, every entry with its proof, and the words to check it oneself."""

import base64
from typing import Any

import msgspec
from django.contrib import messages
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from muniment.access.actions import Action
from muniment.access.authorize import ORGANISATION, Actor, Why, authorize
from muniment.errors import HomeError, HomeFileError, LedgerError
from muniment.facts import canonical
from muniment.home.settings import home_text, read_settings
from muniment.ledger import entries, objects, proof_text, proofs, told, tree
from muniment.server.guarding.mediation import acting, may, requires
from muniment.server.installation import home
from muniment.server.pages import given, page, tried
from muniment.server.record.entering import act, acted, code
from muniment.server.record.home import SETTINGS
from muniment.server.record.models import Addendum, Entry
from muniment.server.record.reading import beside_all

_TEXTS = {code(action): action.rule.text for action in Action}
_LONGEST = 4000  # characters of an addendum


@require_GET
@requires(Action.SEE_LEDGER)
def ledger(request: HttpRequest) -> HttpResponse:
    """The newest entries. One that waits for its place says so."""
    found = page(request, Entry.objects.all())
    for row in found.rows:
        row.said = told.said(entries.decode(bytes(row.data), row.place or 0))
    log = home().log()
    try:
        head: Any = log.head()
        problem = ""
    except (LedgerError, HomeError) as error:
        head, problem = None, error.message
    context = {
        "page": found,
        "head": head,
        "root": base64.b64encode(head.root).decode() if head else "",
        "problem": problem,
        "public": home().public_key() or "",
        "waiting": Entry.objects.filter(place=None).count(),
    }
    return render(request, "record/ledger.html", context)


@require_GET
@requires(Action.SEE_LEDGER)
def entry(request: HttpRequest, number: int) -> HttpResponse:
    """One entry: what it says, and the proof that it is in the ledger, which the browser checks itself."""
    row = get_object_or_404(Entry, pk=number)
    read = entries.decode(bytes(row.data), row.place or 0)
    addenda = row.addenda.select_related("later").order_by("id")
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
    if row.place is not None:
        context |= proof(row)
    return render(request, "record/entry.html", context)


def _addenda(rows: list[Addendum]) -> list[tuple[Entry, Any]]:
    """Each later entry with what it says, or that it was erased."""
    kept = beside_all([row.later.object for row in rows], objects.Act)
    return [(row.later, kept[row.later.object]) for row in rows]


@require_POST
@requires(Action.CORRECT_RECORD)
def correct(request: HttpRequest, number: int) -> HttpResponse:
    """Say what is wrong in an entry, and what is right: a later entry, for the earlier one stays as it is."""
    row = get_object_or_404(Entry, pk=number)
    fields = given(request, ("wrong", "right"))

    def add() -> None:
        addendum(acting(request), row, fields["wrong"].strip(), fields["right"].strip())

    return tried(request, add, _("Added. The entry itself stays as it is."), "entry", number)


def addendum(actor: Actor, row: Entry, wrong: str, right: str) -> None:
    """Add one. Raises ValueError for an empty or overlong one."""
    if not wrong or not right or len(wrong) + len(right) > _LONGEST:
        raise ValueError(_("Say what is wrong, and what is right, in a few sentences."))
    place = "" if row.place is None else str(row.place)
    details = {"step": "addendum", "entry": str(row.pk), "place": place, "wrong": wrong, "right": right}
    later = acted(actor, Action.CORRECT_RECORD, f"entry:{row.pk}", details)
    Addendum.objects.create(entry=row, later_id=later.pk)


def proof(row: Entry) -> dict[str, Any]:
    """The proof that an entry is in the ledger, for a page; for its browser, and as text for programs."""
    log = home().log()
    head, note = log.head(), log.checkpoint()
    if note is None or row.place is None or row.place >= head.size:
        raise Http404
    path = proofs.inclusion(log.read, head.size, row.place)
    checked = proofs.check_inclusion(tree.leaf_hash(bytes(row.data)), row.place, head.size, path, head.root)
    public = (home().public_key() or "").strip()
    return {
        "proof": proof_text.inclusion(row.place, path, note.decode()),
        "checked": checked,
        "verify": {
            "data": base64.b64encode(bytes(row.data)).decode(),
            "index": row.place,
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
    text, problem = home().settings_text() or home_text(), ""
    if request.method == "POST":
        text = str(request.POST.get("text", "")).replace("\r\n", "\n")
        try:
            with transaction.atomic():
                keep_settings(acting(request), text)
        except HomeFileError as error:
            problem = f"{error.message} {error.remedy}"
        else:
            messages.success(request, _("Saved."))
            return redirect("settings")
    return render(request, "record/settings.html", {"text": text, "problem": problem})


def keep_settings(actor: Actor, text: str) -> None:
    """home.toml holds from now on. Raises HomeFileError for what is none."""
    read_settings(text, SETTINGS)
    act(actor, Action.CHANGE_SETTINGS, "settings:home.toml", {"digest": canonical.digest(text.encode())})
    home().write(SETTINGS, text.encode())


@require_GET
@requires(Action.SEE_ACTIVITY)
def activity(request: HttpRequest) -> HttpResponse:
    """What people did, newest first: who, what, on what. What was erased says so."""
    found = page(request, Entry.objects.filter(kind="act"))
    kept = beside_all([row.object for row in found.rows], objects.Act)
    for row in found.rows:
        row.act = entries.decode(bytes(row.data), row.place or 0)
        row.text = _(_TEXTS.get(row.act.action, row.act.action))
        said = kept[row.object]
        row.who = said if isinstance(said, objects.Act) else None
        row.erased = said if isinstance(said, str) else ""
    return render(request, "record/activity.html", {"page": found})
