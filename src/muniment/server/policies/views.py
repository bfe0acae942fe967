"""The policy and the exceptions from it, as pages."""

import secrets
from typing import Any

import msgspec
from django.contrib import messages
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from muniment.access.actions import Action
from muniment.access.authorize import Resource, products
from muniment.facts import canonical
from muniment.policy.document import read_policy
from muniment.server.changes.models import Change
from muniment.server.guarding.mediation import acting, anywhere, may, requires
from muniment.server.pages import given, me, page, tried
from muniment.server.policies import acts
from muniment.server.policies.current import clauses
from muniment.server.policies.models import Freeze, Leave, Trial, Version
from muniment.server.products.models import Repository
from muniment.server.products.views import repositories_of
from muniment.server.proposals.doing import ask
from muniment.server.record.entering import act
from muniment.server.record.home import POLICY
from muniment.server.work import soon

_LARGEST = 256 << 10  # bytes of a policy


@require_GET
@requires(Action.SEE_POLICY)
def policy(request: HttpRequest) -> HttpResponse:
    """The policy in force, clause by clause, and its versions."""
    return render(
        request,
        "policies/policy.html",
        {
            "current": Version.objects.filter(holds=True).select_related("by", "second").first(),
            "clauses": clauses(),
            "page": page(request, Version.objects.select_related("by", "second")),
            "may_propose": may(request, Action.PROPOSE_POLICY),
            "freezes": Freeze.objects.filter(lifted=None).select_related("person"),
            "may_freeze": may(request, Action.FREEZE),
        },
    )


@require_http_methods(["GET", "POST"])
@requires(Action.PROPOSE_POLICY)
def propose(request: HttpRequest) -> HttpResponse:
    """Write the next policy. Nothing holds yet: its page shows first what it would change."""
    current = Version.objects.filter(holds=True).first()
    text, note, problem = (current.text if current else ""), "", ""
    if request.method == "POST":
        text, note = _sent(request)
        try:
            acts.differences(text)
            if current is not None and text == current.text:
                raise ValueError(_("This is the policy that holds already."))
        except ValueError as error:
            problem = str(error)
        else:
            return redirect("version", _proposed(request, text, note).pk)
    return render(request, "policies/propose.html", {"text": text, "note": note, "problem": problem})


def _sent(request: HttpRequest) -> tuple[str, str]:
    """The text, typed or in a file. What is not UTF-8 is told as such, never repaired."""
    file = request.FILES.get("file")
    fields = given(request, ("text", "note"))
    text = fields["text"].replace("\r\n", "\n")
    if file is not None and file.size and file.size <= _LARGEST:
        text = file.read().decode("utf-8", "replace")
    return text, fields["note"][:2000]


def _proposed(request: HttpRequest, text: str, note: str) -> Version:
    digest = read_policy(text, POLICY).digest
    version = Version.objects.create(text=text, digest=digest, note=note, by=me(request))
    act(acting(request), Action.PROPOSE_POLICY, f"policy:{version.pk}", {"digest": digest, "note": note})
    soon("try-policy", version=version.pk)
    return version


@require_GET
@requires(Action.SEE_POLICY)
def version(request: HttpRequest, number: int) -> HttpResponse:
    """One version: what it changes against the one in force, and what it would have done to the last 90 days."""
    found = get_object_or_404(Version.objects.select_related("by", "second"), pk=number)
    differences = acts.differences(found.text) if found.applied is None else ()
    shown = products(acting(request), Action.SEE_STATE)
    trials = Trial.objects.filter(version=found).select_related("repository__product")
    if shown is not None:
        trials = trials.filter(repository__product__slug__in=shown)
    return render(
        request,
        "policies/version.html",
        {
            "version": found,
            "differences": differences,
            "weakens": any(difference.direction.value == "weaker" for difference in differences),
            "clauses": read_policy(found.text, POLICY).clauses,
            "old": {clause.id: clause for clause in clauses()},
            "trials": trials,
            "may_apply": may(request, Action.APPLY_POLICY) and found.applied is None,
        },
    )


@require_POST
@requires(Action.APPLY_POLICY)
def apply(request: HttpRequest, number: int) -> HttpResponse:
    """Have it hold: at once if it is stricter, else once a second security officer agrees."""
    found = get_object_or_404(Version, pk=number, applied=None)
    current = Version.objects.filter(holds=True).first()
    weaker = acts.weakens(found.text)
    action = Action.WEAKEN_POLICY if weaker else Action.APPLY_POLICY
    what = {
        "id": str(found.pk),
        "version": found.pk,
        "digest": found.digest,
        "from": current.digest if current else "",
    }
    told = f"have version {found.pk} of the policy hold" + (", which is weaker" if weaker else "")
    return tried(request, lambda: ask(acting(request), action, what, told, found.note), _("It holds."), "policy")


@require_GET
@requires(Action.SEE_EXCEPTIONS, anywhere)
def exceptions(request: HttpRequest) -> HttpResponse:
    """The exceptions of products that one may see: those in force, those that ended."""
    shown = products(acting(request), Action.SEE_EXCEPTIONS)
    rows = Leave.objects.select_related("repository__product", "asker", "granter")
    if shown is not None:
        rows = rows.filter(repository__product__slug__in=shown)
    found = page(request, rows)
    now = timezone.now()
    for row in found.rows:
        row.over = row.ended is not None or row.expires <= now
        row.may_end = not row.over and may(request, Action.END_EXCEPTION, Resource(product=row.repository.product.slug))
    may_ask = repositories_of(acting(request), Action.ASK_EXCEPTION).exists()
    return render(request, "policies/exceptions.html", {"page": found, "may_ask": may_ask})


@require_http_methods(["GET", "POST"])
@requires(Action.ASK_EXCEPTION, anywhere)
def ask_exception(request: HttpRequest) -> HttpResponse:
    """Ask for one. ask() looks whether this person may, for that product."""
    repositories = repositories_of(acting(request), Action.ASK_EXCEPTION)
    filled: dict[str, str] = {"days": "14", "branch": "refs/heads/main", **_prefilled(request, repositories)}
    problem = ""
    if request.method == "POST":
        filled = given(request, ("repository", "clause", "branch", "head", "reason", "days"))
        try:
            with transaction.atomic():
                _ask(request, repositories, filled)
        except ValueError as error:
            problem = str(error)
        else:
            messages.success(request, _("Asked. A security officer other than you has to agree."))
            return redirect("exceptions")
    context = {"repositories": repositories, "clauses": clauses(), "filled": filled, "problem": problem}
    return render(request, "policies/ask.html", context)


def _prefilled(request: HttpRequest, repositories: Any) -> dict[str, str]:
    """From the change whose page led here."""
    number = request.GET.get("change", "")
    rows = Change.objects.filter(pk=int(number) if number.isdigit() else 0, repository__in=repositories)
    found = rows.select_related("repository").first()
    clause = request.GET.get("clause", "")
    if found is None:
        return {"clause": clause}
    return {"repository": found.repository.name, "branch": found.target, "head": found.head, "clause": clause}


def _ask(request: HttpRequest, repositories: Any, filled: dict[str, str]) -> None:
    repository: Repository | None = repositories.filter(name=filled["repository"]).first()
    if repository is None:
        raise ValueError(_("Choose a repository."))
    if filled["clause"] not in {clause.id for clause in clauses()}:
        raise ValueError(_("Choose a clause."))
    if not filled["days"].isdigit() or len(filled["days"]) > 3:
        raise ValueError(_("Write a number of days."))
    if not filled["branch"].startswith("refs/heads/"):
        raise ValueError(_("Write the branch in full, such as refs/heads/main."))
    terms = acts.terms(repository, filled, acting(request).person)
    what = {
        "id": terms.id,
        "terms": canonical.digest(terms.signed),
        "exception": msgspec.to_builtins(terms),
    }
    told = f"let {repository.name} proceed although {terms.clause} says no, until {terms.expires[:10]}"
    ask(acting(request), Action.ASK_EXCEPTION, what, told, terms.reason, product=repository.product.slug)


def of_exception(request: HttpRequest, slug: str) -> Resource:
    """The product of an exception."""
    found = Leave.objects.filter(slug=slug).values_list("repository__product__slug", flat=True).first()
    if found is None:
        raise Http404
    return Resource(product=found)


@require_POST
@requires(Action.END_EXCEPTION, of_exception)
def end_exception(request: HttpRequest, slug: str) -> HttpResponse:
    """End one early."""
    product = of_exception(request, slug).product
    told = f"end the exception {slug}"

    def act_() -> object:
        return ask(acting(request), Action.END_EXCEPTION, {"id": slug}, told, product=product)

    return tried(request, act_, _("It is ended."), "exceptions")


@require_POST
@requires(Action.FREEZE)
def freeze(request: HttpRequest) -> HttpResponse:
    """Stop all merges, or rehearse it."""
    fields = given(request, ("reason", "rehearsal"))
    what = {"id": secrets.token_hex(4), "reason": fields["reason"], "rehearsal": fields["rehearsal"] == "on"}
    told = "rehearse a stop of all merges" if what["rehearsal"] else "stop all merges"

    def act_() -> object:
        return ask(acting(request), Action.FREEZE, what, told, fields["reason"])

    return tried(request, act_, _("Done."), "policy")


@require_POST
@requires(Action.UNFREEZE)
def unfreeze(request: HttpRequest, slug: str) -> HttpResponse:
    """Ask for merges to go on; a second security officer agrees."""
    told = f"lift the stop {slug}"
    return tried(request, lambda: ask(acting(request), Action.UNFREEZE, {"id": slug}, told), _("Lifted."), "policy")
