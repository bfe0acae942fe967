"""Environments and what was deployed to each, as pages."""

from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

from django.conf import settings
from django.db.models import F, Prefetch, Window
from django.db.models.functions import RowNumber
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from muniment.access.actions import Action
from muniment.access.authorize import Resource
from muniment.decision.account import Account
from muniment.git import signatures
from muniment.pipelines.dsse import fingerprint
from muniment.server.changes.models import Change
from muniment.server.deployments import figures, glass
from muniment.server.deployments.chart import chart
from muniment.server.deployments.environments import FIELDS, told_of
from muniment.server.deployments.models import Builder, Deployment, Issuer, Permission, Pipeline
from muniment.server.guarding.mediation import acting, requires
from muniment.server.pages import given, tried
from muniment.server.people import machines
from muniment.server.products.models import Environment, Product
from muniment.server.products.views import of, would
from muniment.server.proposals.doing import ask
from muniment.server.record.reading import beside
from muniment.server.running import keys

_NEWEST = 10  # deployments of each environment
_CHART_DAYS = 30


class Place(NamedTuple):
    """An environment on its page."""

    environment: Any
    newest: list[Deployment]


@require_GET
@requires(Action.SEE_DEPLOYMENTS, of)
def environments(request: HttpRequest, slug: str) -> HttpResponse:
    """The environments of a product in their order, which pipelines may deploy to each, and what was deployed."""
    found = get_object_or_404(Product, slug=slug)
    trusted = Prefetch("pipelines", Pipeline.objects.filter(ended=None), to_attr="trusted")
    places = list(Environment.objects.filter(product=found, ended=None).prefetch_related(trusted))
    newest = _newest([place.pk for place in places])
    permissions = _permissions(found)
    now = timezone.now()
    recent = [one for one in permissions if one.decided > now - timedelta(days=_CHART_DAYS)]
    context: dict[str, Any] = {
        "product": found,
        "environments": [Place(place, newest.get(place.pk, [])) for place in places],
        "figures": figures.figures(places, permissions),
        "definitions": figures.DEFINITIONS,
        "days": figures.DAYS,
        "chart": chart(places, recent, _CHART_DAYS, now) if recent else None,
        "chart_days": _CHART_DAYS,
        "issuers": Issuer.objects.filter(url__in={one.issuer for p in places for one in p.trusted}).exclude(problem=""),
        "kinds": Pipeline.Kind.choices,
        "longest": glass.LONGEST,
        "may_add": would(request, Action.CHANGE_PRODUCT, slug),
        "may_change": would(request, Action.CHANGE_ENVIRONMENT, slug),
        "may_close": would(request, Action.CLOSE_PIPELINE, slug),
        "may_break": would(request, Action.BREAK_GLASS, slug),
    }
    return render(request, "deployments/environments.html", context)


def _newest(places: list[int]) -> dict[int, list[Deployment]]:
    """The newest deployments of each, in one query."""
    number = Window(RowNumber(), partition_by=F("environment"), order_by=F("pk").desc())
    rows = Deployment.objects.filter(environment__in=places).annotate(number=number).filter(number__lte=_NEWEST)
    found: dict[int, list[Deployment]] = {}
    for row in rows.select_related("pipeline", "permission__glass").order_by("-pk"):
        found.setdefault(row.environment_id, []).append(row)
    return found


def _permissions(product: Product) -> list[Permission]:
    since = timezone.now() - timedelta(days=figures.DAYS)
    rows = Permission.objects.filter(deployment__environment__product=product, decided__gt=since)
    newest = rows.select_related("deployment__environment").defer("vsa", "deployment__provenance")
    return sorted(newest.order_by("-decided")[: figures.MOST], key=lambda one: (one.decided, one.pk))


def at(request: HttpRequest, number: int) -> Resource:
    """The product of a deployment. What is not there is not there for anybody."""
    slug = Deployment.objects.filter(pk=number).values_list("environment__product__slug", flat=True).first()
    if slug is None:
        raise Http404
    return Resource(product=slug)


@require_GET
@requires(Action.SEE_DEPLOYMENTS, at)
def deployment(request: HttpRequest, number: int) -> HttpResponse:
    """One: who asked for what, what allowed or denied it, and what came of it."""
    rows = Deployment.objects.select_related(
        *("environment__product", "pipeline", "entry", "permission__entry", "permission__glass__asker"),
        *("permission__glass__second", "report"),
    )
    found = get_object_or_404(rows, pk=number)
    permission = getattr(found, "permission", None)
    said: Any = beside(permission.account, Account) if permission is not None and permission.account else None
    changes = Change.objects.filter(repository__product=found.environment.product, head=found.commit)
    context: dict[str, Any] = {
        "deployment": found,
        "product": found.environment.product,
        "permission": permission,
        "report": getattr(found, "report", None),
        "told": said if isinstance(said, Account) else None,
        "erased": said if isinstance(said, str) else "",
        "change": changes.order_by("-pk").first(),
    }
    return render(request, "deployments/deployment.html", context)


@require_GET
@requires(Action.SEE_POLICY)
def builders(request: HttpRequest) -> HttpResponse:
    """Whose word on artifacts can be checked; and with which key our own word can be."""
    context: dict[str, Any] = {
        "builders": Builder.objects.filter(ended=None),
        "machines": [(one, signatures.fingerprint(one.value)) for one in machines.known()],
        "may_trust_machine": would(request, Action.TRUST_MACHINE),
        "may_close_machine": would(request, Action.CLOSE_MACHINE),
        "public": keys.deploy_public(Path(settings.HOME)),
        "may_trust": would(request, Action.TRUST_BUILDER),
        "may_close": would(request, Action.CLOSE_BUILDER),
    }
    return render(request, "deployments/builders.html", context)


@require_POST
@requires(Action.TRUST_BUILDER)
def trust_builder(request: HttpRequest) -> HttpResponse:
    """Ask for one more builder's word to be checked."""
    what = given(request, ("id", "key"))
    told = f"have the word of the builder {what['id'].strip()} checked, by the key {fingerprint(what['key'])}"
    return tried(request, lambda: ask(acting(request), Action.TRUST_BUILDER, what, told), _("Done."), "builders")


@require_POST
@requires(Action.CLOSE_BUILDER)
def close_builder(request: HttpRequest, number: int) -> HttpResponse:
    """No longer take a builder's word."""
    row = get_object_or_404(Builder, pk=number)
    what, told = {"id": row.name, "number": number}, f"no longer take the word of the builder {row.name}"
    return tried(request, lambda: ask(acting(request), Action.CLOSE_BUILDER, what, told), _("Done."), "builders")


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
    done = _("It may no longer deploy there. Take its door out of the vault today: muniment vault apply")
    return tried(request, act, done, "environments", slug)


@require_POST
@requires(Action.BREAK_GLASS, of)
def break_glass(request: HttpRequest, slug: str) -> HttpResponse:
    """Ask for one deployment to be let through although it is denied; a second person agrees."""
    what = {"id": slug, **given(request, ("environment", "artifact", "minutes", "reason"))}
    told, reason = glass.told_of(what), what["reason"]
    act = lambda: ask(acting(request), Action.BREAK_GLASS, what, told, reason, product=slug)  # noqa: E731 -- short
    return tried(request, act, _("It is let through."), "environments", slug)
