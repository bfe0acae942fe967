"""Pages of outgoing webhooks: the events of each, and whether they were delivered. No page shows an address."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_POST

from muniment.access.actions import Action
from muniment.server.acts.forms import TAG
from muniment.server.acts.submission import submit_act
from muniment.server.guarding.mediation import is_action_allowed, require_action
from muniment.server.outgoing_webhooks import addresses
from muniment.server.outgoing_webhooks.models import OutgoingWebhook
from muniment.server.outgoing_webhooks.webhook_acts import (
    AddOutgoingWebhook,
    EndOutgoingWebhook,
    SendTestEvent,
    StoreOutgoingAddress,
)
from muniment.server.page_lists import form_fields, page_by_id


@require_GET
@require_action(Action.SEE_CONNECTIONS)
def list_outgoing_webhooks(request: HttpRequest) -> HttpResponse:
    """List the webhooks that are not ended."""
    rows = OutgoingWebhook.objects.filter(ended_at=None).select_related("product")
    context = {"webhooks": rows, "may_change": is_action_allowed(request, Action.CHANGE_SETTINGS)}
    return render(request, "outgoing_webhooks/list.html", context)


@require_GET
@require_action(Action.SEE_CONNECTIONS)
def show_outgoing_webhook(request: HttpRequest, slug: str) -> HttpResponse:
    """Show one webhook with its deliveries, newest first."""
    found = get_object_or_404(OutgoingWebhook.objects.select_related("product"), slug=slug, ended_at=None)
    context = {
        "webhook": found,
        "page": page_by_id(request, found.deliveries.select_related("product")),
        "may_change": is_action_allowed(request, Action.CHANGE_SETTINGS),
    }
    return render(request, "outgoing_webhooks/webhook.html", context)


@require_POST
@require_action(Action.CHANGE_SETTINGS)
def add_outgoing_webhook(request: HttpRequest) -> HttpResponse:
    """Add a webhook, and go on to its own page, where its address is stored."""

    def go_to_webhook(_result: object) -> HttpResponse:
        messages.success(request, done)
        return redirect("outgoing-webhook", str(request.POST.get("name", "")).strip())

    done = _("The outgoing webhook was added. Now store its address.")
    return submit_act(request, AddOutgoingWebhook, {}, done, "outgoing-webhooks", build_response=go_to_webhook)


@sensitive_post_parameters()
@require_POST
@require_action(Action.CHANGE_SETTINGS)
def submit_address(request: HttpRequest, slug: str) -> HttpResponse:
    """Pass address and key to the vault. They are in this process's memory only, and nothing of them is stored."""
    secret, sent = form_fields(request, addresses.SECRET_FIELDS), request.POST.copy()
    for name in addresses.SECRET_FIELDS:
        sent.pop(name, None)
    done = _("The address is in the vault. Send a test event to try it.")
    fixed: dict[str, object] = {"webhook": slug}
    place = ("outgoing-webhook", slug)
    return submit_act(
        request, StoreOutgoingAddress, fixed, done, *place, secret=secret, form_data=sent, show_again=False
    )


@require_POST
@require_action(Action.CHANGE_SETTINGS)
def change_outgoing_webhook(request: HttpRequest, slug: str) -> HttpResponse:
    """Send a test event to a webhook, or end it."""
    acts, ends = (SendTestEvent, EndOutgoingWebhook), request.POST.get(TAG) == EndOutgoingWebhook.act_tag()
    back = ("outgoing-webhooks",) if ends else ("outgoing-webhook", slug)
    return submit_act(request, acts, {"webhook": slug}, _("Done."), *back)
