"""The policy and the exceptions from it, as pages."""

from typing import Any

from django.contrib import messages
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from muniment.access.actions import Action
from muniment.access.authorize import Resource, products
from muniment.policy.document import read_policy
from muniment.server.changes.models import Change
from muniment.server.guarding.mediation import acting, anywhere, may, requires
from muniment.server.pages import given, page, tried
from muniment.server.policies import acts, asking
from muniment.server.policies.current import clauses
from muniment.server.policies.models import Freeze, Gentle, Leave, Source, Trial, Version
from muniment.server.policies.sides import sides
from muniment.server.products.reach import repositories_of
from muniment.server.products.views import of as of_product
from muniment.server.record.home import POLICY


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
            "source": Source.objects.select_related("repository").first(),
            "repositories": repositories_of(acting(request), Action.SEE_STATE),
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
            with transaction.atomic():
                version = asking.propose(acting(request), text, note)
        except ValueError as error:
            problem = str(error)
        else:
            return redirect("version", version.pk)
    return render(request, "policies/propose.html", {"text": text, "note": note, "problem": problem})


@require_POST
@requires(Action.PROPOSE_POLICY)
def source(request: HttpRequest) -> HttpResponse:
    """Name the branch that policies are read from, or none."""
    fields = given(request, ("repository", "branch", "path"))

    def act_() -> object:
        return asking.read_from(acting(request), fields["repository"], fields["branch"], fields["path"])

    return tried(request, act_, _("Done."), "policy")


def _sent(request: HttpRequest) -> tuple[str, str]:
    """The text, typed or in a file. What is not UTF-8 is told as such, never repaired."""
    file = request.FILES.get("file")
    fields = given(request, ("text", "note"))
    text = fields["text"].replace("\r\n", "\n")
    if file is not None and file.size and file.size <= asking.LARGEST:
        text = file.read().decode("utf-8", "replace")
    return text, fields["note"][:2000]


@require_GET
@requires(Action.SEE_POLICY)
def version(request: HttpRequest, number: int) -> HttpResponse:
    """One version: what it changes against the one in force, and what it would have done to the last 90 days."""
    found = get_object_or_404(Version.objects.select_related("by", "second"), pk=number)
    differences = acts.differences(found.text) if found.applied is None else ()
    old = clauses() if found.applied is None else ()
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
            "whole": [one for one in differences if not one.clause],
            "sides": list(sides(read_policy(found.text, POLICY).clauses, old, differences, trials)),
            "trials": trials,
            "may_apply": may(request, Action.APPLY_POLICY) and found.applied is None,
        },
    )


@require_POST
@requires(Action.APPLY_POLICY)
def apply(request: HttpRequest, number: int) -> HttpResponse:
    """Have it hold: at once if it is stricter, else once a second security officer agrees."""
    found = get_object_or_404(Version, pk=number, applied=None)
    return tried(request, lambda: asking.apply(acting(request), found), _("It holds."), "policy")


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
                asking.exception(acting(request), filled)
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


def of_exception(request: HttpRequest, slug: str, **_: Any) -> Resource:
    """The product of an exception."""
    gentle = Gentle.objects.filter(slug=slug).values_list("product__slug", flat=True).first()
    found = gentle or Leave.objects.filter(slug=slug).values_list("repository__product__slug", flat=True).first()
    if found is None:
        raise Http404
    return Resource(product=found)


@require_POST
@requires(Action.END_EXCEPTION, of_exception)
def end_exception(request: HttpRequest, slug: str) -> HttpResponse:
    """End one early."""
    product = of_exception(request, slug).product
    return tried(request, lambda: asking.end_exception(acting(request), slug, product), _("It is ended."), "exceptions")


@require_POST
@requires(Action.REPORT_ONLY, of_product)
def gently(request: HttpRequest, slug: str) -> HttpResponse:
    """Have a clause only report for a product until a day; a second person agrees."""
    fields = given(request, ("clause", "until", "reason"))

    def act_() -> object:
        return asking.gently(acting(request), slug, fields["clause"], fields["until"], fields["reason"])

    return tried(request, act_, _("Done."), "product", slug)


@require_POST
@requires(Action.FREEZE)
def freeze(request: HttpRequest) -> HttpResponse:
    """Stop all merges, or rehearse it."""
    fields = given(request, ("reason", "rehearsal"))

    def act_() -> object:
        return asking.freeze(acting(request), fields["reason"], rehearsal=fields["rehearsal"] == "on")

    return tried(request, act_, _("Done."), "policy")


@require_POST
@requires(Action.UNFREEZE)
def unfreeze(request: HttpRequest, slug: str) -> HttpResponse:
    """Ask for merges to go on; a second security officer agrees."""
    return tried(request, lambda: asking.lift(acting(request), slug), _("Lifted."), "policy")
