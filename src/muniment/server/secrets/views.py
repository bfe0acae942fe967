"""Page of a product's secrets: names, ages, who set them and which pipelines read them. Never a value."""

from datetime import datetime
from typing import Any, NamedTuple

from django.contrib import messages
from django.db.models import Prefetch
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_POST

from muniment.access.actions import Action
from muniment.access.authorization import Resource
from muniment.errors import MunimentError
from muniment.policy.model import Clause
from muniment.server.acts.submission import submit_act
from muniment.server.guarding.mediation import is_action_allowed, require_action
from muniment.server.policies.policy_in_force import current_clauses
from muniment.server.products.models import Environment, Product
from muniment.server.products.views import could_with_second_factor, find_product_resource
from muniment.server.secrets.models import Secret, SecretRead, SecretVersion
from muniment.server.secrets.rotation import SecretLine, find_rotation_days, make_secret_line
from muniment.server.secrets.secret_acts import RESTORABLE, RemoveSecret, RestoreSecret, RollBackSecret, SetSecret
from muniment.server.secrets.watch_state import find_log_moment, find_watch_limits, find_watch_problem
from muniment.vault.secret_parts import ValueSummary

_READERS = 20  # shown of each environment


class EnvironmentSecrets(NamedTuple):
    """Environment on the page, with the lines of its secrets."""

    environment: Any
    lines: list[SecretLine]
    overdue: int


@require_GET
@require_action(Action.SEE_SECRETS, find_product_resource)
def list_secrets(request: HttpRequest, slug: str) -> HttpResponse:
    """List the names in the vault for each environment of a product."""
    found = get_object_or_404(Product, slug=slug)
    versions = Prefetch("versions", SecretVersion.objects.select_related("set_by"))
    present = Secret.objects.filter(removed_at=None).select_related("set_by").prefetch_related(versions)
    now = timezone.now()
    restorable = Secret.objects.filter(removed_at__gt=now - RESTORABLE)
    readers = Prefetch("secret_reads", SecretRead.objects.order_by("-last_read_at", "reader"))
    places = Environment.objects.filter(product=found, ended_at=None).prefetch_related(
        Prefetch("secrets", present, "present_secrets"),
        Prefetch("secrets", restorable, "removed_secrets"),
        readers,
        "pipelines",
    )
    clauses, policy_problem = _read_clauses()
    limit = find_rotation_days(clauses)
    context: dict[str, object] = {
        "product": found,
        "environments": [_make_environment(place, limit, now) for place in places],
        "limit": limit,
        "policy_problem": policy_problem,
        "may_set": could_with_second_factor(request, Action.SET_SECRET, slug),
        "may_remove": could_with_second_factor(request, Action.REMOVE_SECRET, slug),
        "may_see_deployments": is_action_allowed(request, Action.SEE_DEPLOYMENTS, Resource(product=slug)),
        "may_add_environment": could_with_second_factor(request, Action.CHANGE_PRODUCT, slug),
        "readers": _READERS,
        "watch_problem": policy_problem or find_watch_problem(find_watch_limits(clauses)),
        "log_moment": find_log_moment(),
    }
    return render(request, "secrets/secrets.html", context)


def _make_environment(place: Any, limit: int | None, now: datetime) -> EnvironmentSecrets:
    lines = [make_secret_line(secret, limit, now) for secret in place.present_secrets]
    place.trusted = [one for one in place.pipelines.all() if one.ended_at is None]
    return EnvironmentSecrets(place, lines, sum(line.is_overdue for line in lines))


def _read_clauses() -> tuple[tuple[Clause, ...], str]:
    """Clauses of the policy in force; none, and the reason, where it cannot be read."""
    try:
        return current_clauses(), ""
    except MunimentError as error:
        return (), error.message


@sensitive_post_parameters("value")
@never_cache
@require_POST
@require_action(Action.SET_SECRET, find_product_resource)
def set_secret(request: HttpRequest, slug: str) -> HttpResponse:
    """Set or replace a secret: the typed value goes to the vault, and cannot be seen again."""
    sent = request.POST.copy()
    value, how = "".join(sent.pop("value", [])[-1:]), "".join(sent.pop("how", [])[-1:])
    if how not in ("typed", "generated"):
        raise Http404
    return submit_act(
        request,
        SetSecret,
        {"product": slug},
        "",
        "secrets",
        slug,
        secret=value.replace("\r\n", "\n") if how == "typed" else None,  # a form sends each line break so
        form_data=sent,
        build_response=lambda summary: _show_stored(request, slug, summary),
        show_again=False,
    )


def _show_stored(request: HttpRequest, slug: str, summary: ValueSummary | None) -> HttpResponse:
    """Go back to the page, which says how long the value is and which parts of it are masked."""
    text = _("Stored in the vault. No person can read it.")
    if summary is not None:
        size = {"lines": summary.lines, "bytes": summary.bytes}
        text += " " + _("Lines: %(lines)d; bytes: %(bytes)d.") % size
        if summary.ends_with_line_break:
            text += " " + _("The value ends with a line break.")
        if summary.masked:
            masked = _("Parts that are masked separately: %(names)s.")
            text += " " + masked % {"names": ", ".join(summary.masked)}
    messages.success(request, text)
    return redirect("secrets", slug)


@require_POST
@require_action(Action.REMOVE_SECRET, find_product_resource)
def remove_secret(request: HttpRequest, slug: str) -> HttpResponse:
    """Request that a secret is removed; a second person approves."""
    return submit_act(request, RemoveSecret, {"product": slug}, _("Secret removed."), "secrets", slug)


@require_POST
@require_action(Action.SET_SECRET, find_product_resource)
def roll_back(request: HttpRequest, slug: str) -> HttpResponse:
    """Use an earlier version again. The vault has it; nobody sees it."""
    done = _("The earlier version is in use again. Pipelines get it from now on.")
    return submit_act(request, RollBackSecret, {"product": slug}, done, "secrets", slug)


@require_POST
@require_action(Action.SET_SECRET, find_product_resource)
def restore(request: HttpRequest, slug: str) -> HttpResponse:
    """Undo a removal, within a day of it."""
    done = _("Secret restored. Pipelines get it from now on.")
    return submit_act(request, RestoreSecret, {"product": slug}, done, "secrets", slug)
