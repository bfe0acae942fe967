"""GitHub's App, made with one click: the browser carries the form there, and the code that comes back is used once."""

import hmac
import json
import secrets
from typing import Any

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from muniment.access.actions import Action
from muniment.errors import ForgeError
from muniment.forges.github import manifest as app
from muniment.server.connections import credentials, hearing
from muniment.server.connections.models import Connection, Vendor
from muniment.server.connections.views import keep
from muniment.server.guarding.mediation import requires
from muniment.server.pages import tried

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
    if not asked or not hmac.compare_digest(str(asked.get("state")), state) or not 0 < len(code) <= _LONGEST:
        raise Http404
    found = _github(asked["slug"])

    def act() -> object:
        try:
            given = app.convert(found.url, code)
        except ForgeError as error:
            raise ValueError(f"{error.message}. {error.remedy}") from None
        values = {credentials.APP_ID: str(given.id), credentials.PRIVATE_KEY: given.pem}
        Connection.objects.filter(pk=found.pk).update(more={"page": given.html_url})
        return keep(request, found, credentials.checked(Vendor.GITHUB, values))

    told = _("The App is made. Install it in your organisation: then its repositories are seen here.")
    return tried(request, act, told, "connection", found.slug)


def _github(slug: str) -> Connection:
    found = get_object_or_404(Connection, slug=slug, ended=None)
    if found.vendor != Vendor.GITHUB:
        raise Http404
    return found
