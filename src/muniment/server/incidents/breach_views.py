"""Pages of possible breaches: the duties of a product, and acts on the clocks of an incident."""

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from muniment.access.actions import Action
from muniment.access.authorization import Resource
from muniment.server.acts.submission import submit_act
from muniment.server.guarding.mediation import require_action
from muniment.server.incidents.breach_acts import (
    AdviseOnBreach,
    DecideNotification,
    EndBreachDuty,
    RecordAwareness,
    SetBreachDuty,
)
from muniment.server.incidents.models import BreachClock, BreachDuty
from muniment.server.incidents.views import find_incident_resource
from muniment.server.products.models import Product
from muniment.server.products.views import could_with_second_factor, find_product_resource


def find_duty_resource(request: HttpRequest, number: int, **_: Any) -> Resource:
    """Product of a duty. Raises Http404, for everybody alike, if there is none."""
    found = BreachDuty.objects.select_related("product").filter(pk=number).first()
    if found is None:
        raise Http404
    return Resource(product=found.product.slug)


def find_clock_resource(request: HttpRequest, number: int, **_: Any) -> Resource:
    """Resource of the incident of a clock. Raises Http404, for everybody alike, if there is none."""
    found = BreachClock.objects.select_related("incident__product").filter(pk=number).first()
    if found is None:
        raise Http404
    return found.incident.resource


@require_GET
@require_action(Action.SEE_INCIDENTS, find_product_resource)
def show_breach_duties(request: HttpRequest, slug: str) -> HttpResponse:
    """Show whom a breach of a product has to be notified to, and within which time."""
    product = get_object_or_404(Product, slug=slug)
    context = {
        "product": product,
        "duties": BreachDuty.objects.filter(product=product, ended_at=None),
        "may_change": could_with_second_factor(request, Action.DESCRIBE_PERSONAL_DATA, slug),
    }
    return render(request, "incidents/breach_duties.html", context)


@require_POST
@require_action(Action.DESCRIBE_PERSONAL_DATA, find_product_resource)
def add_breach_duty(request: HttpRequest, slug: str) -> HttpResponse:
    """Name a duty to notify."""
    return submit_act(request, SetBreachDuty, {"product": slug}, _("Added."), "breach-duties", slug)


@require_POST
@require_action(Action.DESCRIBE_PERSONAL_DATA, find_duty_resource)
def end_breach_duty(request: HttpRequest, number: int) -> HttpResponse:
    """End a duty to notify."""
    slug = BreachDuty.objects.values_list("product__slug", flat=True).get(pk=number)
    return submit_act(request, EndBreachDuty, {"duty": number}, _("Ended."), "breach-duties", slug)


@require_POST
@require_action(Action.HANDLE_INCIDENT, find_incident_resource)
def record_awareness(request: HttpRequest, number: int) -> HttpResponse:
    """Start the clocks of an incident."""
    return submit_act(request, RecordAwareness, {"incident": number}, _("The clocks run."), "incident", number)


@require_POST
@require_action(Action.WRITE_DPO_FEEDBACK, find_incident_resource)
def advise_on_breach(request: HttpRequest, number: int) -> HttpResponse:
    """Advise as the Data Protection Officer."""
    return submit_act(request, AdviseOnBreach, {"incident": number}, _("Saved."), "incident", number)


@require_POST
@require_action(Action.HANDLE_INCIDENT, find_clock_resource)
def decide_notification(request: HttpRequest, number: int) -> HttpResponse:
    """Record whether a breach is notified."""
    incident = BreachClock.objects.values_list("incident", flat=True).get(pk=number)
    return submit_act(request, DecideNotification, {"clock": number}, _("Saved."), "incident", incident)
