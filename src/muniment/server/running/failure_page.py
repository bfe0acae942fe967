"""Answers to requests that failed outside of a view: a page, or for programs an RFC 9457 problem.

A failure of the database is named, with the next step.
"""

import sys

from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.template import loader
from django.views import defaults

from muniment.server.database_failures import describe_database_failure

_AGAIN_SECONDS = "10"
_NO_ANSWER = "the database does not answer"  # also of a failure that no other sentence describes
_API = "/api/"


def answer_missing_address(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """Answer an address that is not there, as Django's `handler404`."""
    if _is_for_program(request):
        return _make_problem(404, "not-found", "There is no such thing, or you may not see it.")
    return defaults.page_not_found(request, exception)


def show_server_failure(request: HttpRequest) -> HttpResponseBase:
    """Answer a failed request, as Django's `handler500`."""
    error = sys.exc_info()[1]
    if not isinstance(error, (OperationalError, InterfaceError)):
        if _is_for_program(request):
            return _make_problem(500, "defect", "This failed. The operator finds it in the log of the service.")
        return defaults.server_error(request)
    failure = describe_database_failure(error)
    message = failure.message if failure is not None else _NO_ANSWER
    sentence = f"{message[:1].upper()}{message[1:]}"
    if _is_for_program(request):
        detail = f"{sentence}. Nothing was changed; try again in a moment."
        answer = _make_problem(503, "no-database", detail)
    else:
        about = {"sentence": sentence, "is_outage": message == _NO_ANSWER}
        answer = HttpResponse(loader.get_template("503.html").render(about), status=503)
    answer["Retry-After"] = _AGAIN_SECONDS
    return answer


def _is_for_program(request: HttpRequest) -> bool:
    return request.path_info.startswith(_API)


def _make_problem(status: int, code: str, detail: str) -> HttpResponse:
    problem = {"type": f"urn:muniment:{code}", "title": code.replace("-", " "), "status": status, "detail": detail}
    return JsonResponse(problem, status=status, content_type="application/problem+json")
