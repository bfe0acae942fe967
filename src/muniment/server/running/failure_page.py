"""Answer to a failed request: a failure of the database is named, with the next step."""

import sys

from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.template import loader
from django.views.defaults import server_error

from muniment.server.database_failures import describe_database_failure

_AGAIN_SECONDS = "10"
_NO_ANSWER = "the database does not answer"  # also of a failure that no other sentence describes


def show_server_failure(request: HttpRequest) -> HttpResponseBase:
    """Answer a failed request, as Django's `handler500`."""
    error = sys.exc_info()[1]
    if not isinstance(error, (OperationalError, InterfaceError)):
        return server_error(request)
    failure = describe_database_failure(error)
    message = failure.message if failure is not None else _NO_ANSWER
    sentence = f"{message[:1].upper()}{message[1:]}"
    if request.path.startswith("/api/"):
        detail = f"{sentence}. Nothing was changed; try again in a moment."
        problem = {"type": "urn:muniment:no-database", "title": "no database", "status": 503, "detail": detail}
        answer: HttpResponse = JsonResponse(problem, status=503, content_type="application/problem+json")
    else:
        about = {"sentence": sentence, "is_outage": message == _NO_ANSWER}
        answer = HttpResponse(loader.get_template("503.html").render(about), status=503)
    answer["Retry-After"] = _AGAIN_SECONDS
    return answer
