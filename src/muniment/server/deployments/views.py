"""Environments and what was deployed to each, as pages."""

from typing import Any

from django.db.models import Prefetch
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from muniment.access.actions import Action
from muniment.server.deployments import glass
from muniment.server.deployments.environments import FIELDS, told_of
from muniment.server.deployments.models import Pipeline
from muniment.server.guarding.mediation import acting, requires
from muniment.server.pages import given, tried
from muniment.server.products.models import Environment, Product
from muniment.server.products.views import of, would
from muniment.server.proposals.doing import ask


@require_GET
@requires(Action.SEE_DEPLOYMENTS, of)
def environments(request: HttpRequest, slug: str) -> HttpResponse:
    """The environments of a product in their order, and which pipelines may deploy to each."""
    found = get_object_or_404(Product, slug=slug)
    trusted = Prefetch("pipelines", Pipeline.objects.filter(ended=None), to_attr="trusted")
    context: dict[str, Any] = {
        "product": found,
        "environments": Environment.objects.filter(product=found, ended=None).prefetch_related(trusted),
        "kinds": Pipeline.Kind.choices,
        "may_add": would(request, Action.CHANGE_PRODUCT, slug),
        "may_change": would(request, Action.CHANGE_ENVIRONMENT, slug),
        "may_close": would(request, Action.CLOSE_PIPELINE, slug),
    }
    return render(request, "deployments/environments.html", context)


@require_POST
@requires(Action.CHANGE_ENVIRONMENT, of)
def change(request: HttpRequest, slug: str) -> HttpResponse:
    """Ask for another place of an environment, or for one more pipeline that may deploy there."""
    what = {"id": slug, **given(request, ("do", "environment", "order", "production", *FIELDS))}
    if what["do"] not in ("describe", "trust"):
        raise Http404
    act = lambda: ask(acting(request), Action.CHANGE_ENVIRONMENT, what, told_of(what), product=slug)  # noqa: E731 -- short
    return tried(request, act, _("Done."), "environments", slug)


@require_POST
@requires(Action.CLOSE_PIPELINE, of)
def close(request: HttpRequest, slug: str) -> HttpResponse:
    """Take a pipeline's leave away, at once."""
    what = {"id": slug, **given(request, ("environment", "pipeline"))}
    told = f"let {what['pipeline']} no longer deploy to {what['environment']} of {slug}"
    act = lambda: ask(acting(request), Action.CLOSE_PIPELINE, what, told, product=slug)  # noqa: E731 -- short
    return tried(request, act, _("It may no longer deploy there."), "environments", slug)


@require_POST
@requires(Action.BREAK_GLASS, of)
def break_glass(request: HttpRequest, slug: str) -> HttpResponse:
    """Ask for one deployment to be let through although it is denied; a second person agrees."""
    what = {"id": slug, **given(request, ("environment", "artifact", "minutes", "reason"))}
    told, reason = glass.told_of(what), what["reason"]
    act = lambda: ask(acting(request), Action.BREAK_GLASS, what, told, reason, product=slug)  # noqa: E731 -- short
    return tried(request, act, _("It is let through."), "environments", slug)
