"""Creates GitHub's App in one step: the browser submits the form to GitHub, and the returned code is used once."""

import hmac
import json
import secrets

from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from muniment.access.actions import Action
from muniment.errors import ForgeError
from muniment.forges.forge_client import Transport
from muniment.forges.github import manifest as app
from muniment.forges.registry import FORGE_KINDS
from muniment.forges.shapes import Vendor
from muniment.server.acts.submission import submit_act
from muniment.server.connections import credentials, webhook_deliveries
from muniment.server.connections.connection_acts import StoreCredential
from muniment.server.connections.models import Connection
from muniment.server.error_text import format_error_text
from muniment.server.guarding.mediation import require_action

_STATE = "forge-app"
_LONGEST = 200


@require_GET
@require_action(Action.CHANGE_CONNECTION)
def create_app(request: HttpRequest, slug: str) -> HttpResponse:
    """Show the form that creates the App, with exactly the permissions that it needs."""
    found = _load_github_connection(slug)
    state = secrets.token_urlsafe(24)
    request.session[_STATE] = {"state": state, "slug": slug}
    base = settings.URL.rstrip("/")
    asked = app.make_manifest(
        f"Muniment {slug}"[:34],
        base,
        hook=webhook_deliveries.build_webhook_url(found),
        back=f"{base}/connections/made",
        protects=request.GET.get("protects") == "yes",
        proposes=request.GET.get("proposes") == "yes",
    )
    context: dict[str, object] = {
        "connection": found,
        "where": app.registration_url(found.url, str(request.GET.get("organisation", ""))[:100], state),
        "manifest": json.dumps(asked),
        "permissions": sorted(asked["default_permissions"].items()),
    }
    answer = render(request, "connections/app.html", context)
    answer.forms_lead_to = found.url  # type: ignore[attr-defined]
    return answer


@require_GET
@require_action(Action.CHANGE_CONNECTION)
def finish_app(request: HttpRequest) -> HttpResponse:
    """Exchange the returned code for the App, and store its secrets in the vault."""
    # Removed from the session at the first use: the code belongs to the browser that began, and is exchanged once.
    asked = request.session.pop(_STATE, None) or {}
    code, state = request.GET.get("code", ""), request.GET.get("state", "")
    is_ours = asked and hmac.compare_digest(str(asked.get("state")).encode(), state.encode("utf-8", "surrogatepass"))
    if not is_ours or not 0 < len(code) <= _LONGEST:
        raise Http404
    found = _load_github_connection(asked["slug"])

    try:
        given = app.exchange_code(found.url, code, Transport(proxy=found.proxy))
    except ForgeError as error:
        messages.error(request, format_error_text(error))
        return redirect("connection", found.slug)

    def redirect_to_connection(_result: object) -> HttpResponse:
        Connection.objects.filter(pk=found.pk).update(forge_details={"page": given.html_url})
        messages.success(request, done)
        return redirect("connection", found.slug)

    done = _("The App was created. Install it in your organization: its repositories then appear here.")
    fixed: dict[str, object] = {"connection": found.slug}
    secret = {credentials.APP_ID: str(given.id), credentials.PRIVATE_KEY: given.pem}
    return submit_act(
        request,
        StoreCredential,
        fixed,
        done,
        "connection",
        found.slug,
        secret=secret,
        build_response=redirect_to_connection,
    )


def _load_github_connection(slug: str) -> Connection:
    found = get_object_or_404(Connection, slug=slug, ended_at=None)
    if not FORGE_KINDS[Vendor(found.vendor)].has_app:
        raise Http404
    return found
