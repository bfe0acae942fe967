"""Answer to a failed request: an unreachable database is named, with the next step."""

import sys

from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.template import loader
from django.views.defaults import server_error

_AGAIN_SECONDS = "10"
_TOLD = "The database does not answer. Nothing was changed; try again in a moment."


def show_server_failure(request: HttpRequest) -> HttpResponseBase:
    """Answer a failed request, as Django's `handler500`."""
    kind = sys.exc_info()[0]
    if kind is None or not issubclass(kind, (OperationalError, InterfaceError)):
        return server_error(request)
    if request.path.startswith("/api/"):
        problem = {"type": "urn:muniment:no-database", "title": "no database", "status": 503, "detail": _TOLD}
        answer: HttpResponse = JsonResponse(problem, status=503, content_type="application/problem+json")
    else:
        answer = HttpResponse(loader.get_template("503.html").render(), status=503)
    answer["Retry-After"] = _AGAIN_SECONDS
    return answer
