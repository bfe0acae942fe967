"""Pages by which a whole organisation is connected: choose repositories, import people, apply a company's file."""

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from muniment.access.actions import Action
from muniment.access.authorization import ORGANISATION, AccessResult, authorize
from muniment.errors import MunimentError, RefusedError, UsageError
from muniment.server.acts.submission import submit_act
from muniment.server.connections.first_pass import count_progress
from muniment.server.connections.models import Connection
from muniment.server.error_text import format_error_text
from muniment.server.guarding.mediation import current_actor, require_action
from muniment.server.job_queue import is_job_waiting
from muniment.server.organisations.choice_form import read_choice_form
from muniment.server.organisations.company_file import LARGEST_COMPANY_FILE, read_company_file
from muniment.server.organisations.company_plan import CompanyPlan, plan_company
from muniment.server.organisations.connect_acts import ConnectRepositories, format_lines
from muniment.server.organisations.models import ProtectionProposal, RepositoryRule
from muniment.server.organisations.people_acts import ImportPeople
from muniment.server.organisations.planned_acts import carry_out_plan
from muniment.server.organisations.protection_acts import (
    ApplyProtection,
    PlanProtection,
    digest_proposals,
    list_open_proposals,
)
from muniment.server.organisations.rule_acts import EndRepositoryRule, SetRepositoryRule
from muniment.server.organisations.rule_choices import choose_offered, list_offered
from muniment.server.page_lists import page_by_id
from muniment.server.requests.execution import confirm_request
from muniment.server.requests.models import Request

_SHOWN = 200  # repositories of a choice, and changes of a plan; the form has all of them


@require_GET
@require_action(Action.CHANGE_CONNECTION)
def show_repository_choice(request: HttpRequest, slug: str) -> HttpResponse:
    """Show which repositories a rule chooses, and the product of each, before anything is connected."""
    found = get_object_or_404(Connection, slug=slug, ended_at=None)
    form = read_choice_form(request.GET)
    chosen = choose_offered(found, [form.rule]) if not form.problem else ()
    context = {
        "connection": found,
        "form": form,
        "chosen": chosen[:_SHOWN],
        "chosen_count": len(chosen),
        "product_count": len({one.product for one in chosen}),
        "lines": format_lines(chosen),
        "offered_count": len(list_offered(found)),
        "rules": RepositoryRule.objects.filter(connection=found, ended_at=None),
        "progress": count_progress(found),
    }
    return render(request, "organisations/choose.html", context)


@require_POST
@require_action(Action.ADD_PRODUCT)
def connect_repositories(request: HttpRequest, slug: str) -> HttpResponse:
    """Connect the repositories that a person chose, with the products that the lines name."""
    done = _("The repositories are connected. They are being read.")
    return submit_act(request, ConnectRepositories, {"connection": slug}, done, "first-pass", slug)


@require_POST
@require_action(Action.CHANGE_CONNECTION)
def change_rules(request: HttpRequest, slug: str) -> HttpResponse:
    """Set a rule that chooses repositories, or end one."""
    acts = (SetRepositoryRule, EndRepositoryRule)
    return submit_act(request, acts, {"connection": slug}, _("Done."), "choose-repositories", slug)


@require_GET
@require_action(Action.SEE_CONNECTIONS)
def show_first_pass_page(request: HttpRequest, slug: str) -> HttpResponse:
    """Show the progress of the first pass: a page, and a part of it that is polled until the pass is finished."""
    found = get_object_or_404(Connection, slug=slug, ended_at=None)
    unread = found.repository_links.exclude(problem="").select_related("repository")[:_SHOWN]
    context = {"connection": found, "progress": count_progress(found), "unread": unread}
    is_part = "HX-Request" in request.headers
    return render(request, "organisations/progress_card.html" if is_part else "organisations/progress.html", context)


@require_GET
@require_action(Action.SEE_CONNECTIONS)
def show_protection_page(request: HttpRequest, slug: str) -> HttpResponse:
    """Show each planned change of the protection of branches, and what was applied."""
    found = get_object_or_404(Connection, slug=slug, ended_at=None)
    rows = ProtectionProposal.objects.filter(link__connection=found).select_related("link")
    listed = page_by_id(request, rows)
    waiting = list(list_open_proposals(found))
    applied = rows.exclude(applied_at=None).count()
    context = {
        "connection": found,
        "page": listed,
        "digest": digest_proposals(waiting),
        "open_count": len(waiting),
        "step_count": sum(len(row.steps) for row in waiting),
        "applied_count": applied,
        "total": rows.count(),
        "is_working": is_job_waiting("plan-protection", connection=found.pk)
        or rows.filter(applied_at=None, problem="").exclude(requested_by="").exists(),
        "may_change": authorize(current_actor(request), Action.CHANGE_CONNECTION, ORGANISATION) is AccessResult.YES,
    }
    return render(request, "organisations/protection.html", context)


@require_POST
@require_action(Action.CHANGE_CONNECTION)
def change_protection(request: HttpRequest, slug: str) -> HttpResponse:
    """Plan the protection of branches, or carry out the plan that was shown."""
    acts = (PlanProtection, ApplyProtection)
    done = _("The worker does it. The page shows the progress.")
    return submit_act(request, acts, {"connection": slug}, done, "protection-plan", slug)


@require_POST
@require_action(Action.CHANGE_PERSON)
def import_people(request: HttpRequest) -> HttpResponse:
    """Add many people at once."""
    return submit_act(request, ImportPeople, {}, _("The people were added. Now import their accounts."), "people")


@require_GET
@require_action(Action.CHANGE_CONNECTION)
def show_company_file(request: HttpRequest) -> HttpResponse:
    """Show the form for a company's file, and the requests of oneself that a token made."""
    return render(request, "organisations/company.html", {"unconfirmed": _list_unconfirmed(request)})


@require_POST
@require_action(Action.CHANGE_CONNECTION)
def plan_company_file(request: HttpRequest) -> HttpResponse:
    """Show the plan for a company's file. With the plan's digest, carry out exactly that plan."""
    if request.POST.get("confirm") == "requests":
        return _confirm_requests(request)
    context: dict[str, object] = {"unconfirmed": _list_unconfirmed(request)}
    try:
        text = _read_file(request)
        context["text"] = text
        plan = plan_company(read_company_file(text))
        if request.POST.get("digest", ""):
            return _apply_plan(request, plan)
    except MunimentError as error:
        context["problem"] = format_error_text(error)
        return render(request, "organisations/company.html", context, status=422)
    lines = [(line, one.may_wait) for one in plan.acts for line in one.lines]
    context |= {"plan": plan, "changes": lines[:_SHOWN], "change_count": len(lines)}
    return render(request, "organisations/company.html", context)


def _read_file(request: HttpRequest) -> str:
    """Text of the file that was sent, or that was shown before."""
    file = request.FILES.get("file")
    if file is None:
        return str(request.POST.get("text", ""))
    try:
        return str(file.read(LARGEST_COMPANY_FILE + 1), "utf-8-sig")
    except UnicodeDecodeError:
        raise UsageError(_("The file is not UTF-8 text."), _("Save it as UTF-8.")) from None


def _apply_plan(request: HttpRequest, plan: CompanyPlan) -> HttpResponse:
    if request.POST["digest"] != plan.plan_digest:
        raise RefusedError(
            "plan-changed",
            _("The plan is not the one that was confirmed: something changed since."),
            _("Read the plan again, and confirm that one."),
        )
    with transaction.atomic():
        done = carry_out_plan(current_actor(request), plan.acts)
    sentence = _("%(changes)d changes were carried out, %(requests)d requests wait for a second person.")
    messages.success(request, sentence % {"changes": done.changes, "requests": len(done.requests)})
    return redirect("company")


def _list_unconfirmed(request: HttpRequest) -> list[Request]:
    """Waiting requests that a token made for oneself, and that oneself has not confirmed."""
    rows = Request.objects.filter(
        requester=current_actor(request).person, state=Request.State.WAITING, confirmed_at=None
    )
    return list(rows.order_by("pk"))


def _confirm_requests(request: HttpRequest) -> HttpResponse:
    """Confirm, by this session, the requests that were shown."""
    digests = frozenset(request.POST.get("shown", "").split())
    with transaction.atomic():
        rows = [row for row in _list_unconfirmed(request) if row.digest in digests]
        for row in rows:
            confirm_request(current_actor(request), row)
    messages.success(request, _("%(count)d requests are confirmed.") % {"count": len(rows)})
    return redirect("company")
