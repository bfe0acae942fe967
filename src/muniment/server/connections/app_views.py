"""GitHub's App, made with one click: the browser carries the form there, and the code that comes back is used once."""

import hmac
import json
import secrets
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from muniment.access.actions import Action
from muniment.errors import ForgeError
from muniment.forges.github import manifest as app
from muniment.forges.http import Transport
from muniment.server.acts.submission import submit_act
from muniment.server.connections import credentials, hearing
from muniment.server.connections.connection_acts import StoreCredential
from muniment.server.connections.models import Connection, Vendor
from muniment.server.error_text import error_text
from muniment.server.guarding.mediation import requires

_STATE = "forge-app"
_LONGEST = 200


@require_GET
@requires(Action.CHANGE_CONNECTION)
def make(request: HttpRequest, slug: str) -> HttpResponse:
    """The form that makes the App, with exactly the permissions it needs."""
    found = _github(slug)
    state = secrets.token_urlsafe(24)
    request.session[_STATE] = {"state": state, "slug": slug}
    base = settings.URL.rstrip("/")
    asked = app.manifest(
        f"Muniment {slug}"[:34],
        base,
        hook=hearing.address(found),
        back=f"{base}/connections/made",
        protects=request.GET.get("protects") == "yes",
        proposes=request.GET.get("proposes") == "yes",
    )
    context: dict[str, Any] = {
        "connection": found,
        "where": app.form(found.url, str(request.GET.get("organisation", ""))[:100], state),
        "manifest": json.dumps(asked),
        "permissions": sorted(asked["default_permissions"].items()),
    }
    answer = render(request, "connections/app.html", context)
    answer.forms_lead_to = found.url  # type: ignore[attr-defined]
    return answer


@require_GET
@requires(Action.CHANGE_CONNECTION)
def made(request: HttpRequest) -> HttpResponse:
    """The way back: the code becomes the App, and what is secret of that goes to the vault."""
    asked = request.session.pop(_STATE, None) or {}
    code, state = request.GET.get("code", ""), request.GET.get("state", "")
    is_ours = asked and hmac.compare_digest(str(asked.get("state")).encode(), state.encode("utf-8", "surrogatepass"))
    if not is_ours or not 0 < len(code) <= _LONGEST:
        raise Http404
    found = _github(asked["slug"])

    try:
        given = app.convert(found.url, code, Transport(proxy=found.proxy))
    except ForgeError as error:
        messages.error(request, error_text(error))
        return redirect("connection", found.slug)

    def stored(_result: object) -> HttpResponse:
        Connection.objects.filter(pk=found.pk).update(forge_details={"page": given.html_url})
        messages.success(request, done)
        return redirect("connection", found.slug)

    done = _("The App is made. Install it in your organisation: then its repositories are seen here.")
    fixed: dict[str, object] = {"connection": found.slug}
    secret = {credentials.APP_ID: str(given.id), credentials.PRIVATE_KEY: given.pem}
    return submit_act(request, StoreCredential, fixed, done, "connection", found.slug, secret=secret, answer=stored)


def _github(slug: str) -> Connection:
    found = get_object_or_404(Connection, slug=slug, ended_at=None)
    if found.vendor != Vendor.GITHUB:
        raise Http404
    return found
