"""Serving of the API: authentication by token, and each refusal as an RFC 9457 problem."""

import json
from typing import Any

from django.conf import settings
from django.core.exceptions import PermissionDenied, RequestDataTooBig
from django.db import DataError
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from ninja import NinjaAPI
from ninja.errors import AuthenticationError, HttpError, ValidationError
from ninja.parser import Parser
from ninja.security import HttpBearer

from muniment.errors import ActInputError, ConfigurationError, NotCanonicalError, ParseError, RefusedError
from muniment.server.error_text import format_error_text
from muniment.server.people.models import ApiToken
from muniment.server.people.tokens import load_token_actor

LONGEST_KEY = 200  # characters of an Idempotency-Key

_PROBLEM = "application/problem+json"


class ApiProblem(Exception):
    """Refusal of a request: status, code, and a sentence."""

    def __init__(self, status: int, code: str, detail: str) -> None:
        super().__init__(detail)
        self.status, self.code, self.detail = status, code, detail


def refuse_malformed_body(request: HttpRequest) -> None:
    """Raise Problem for a body that is no JSON: every operation calls this, since the parser only marks it."""
    if _has_malformed_body(request):
        raise _make_json_problem()


def _has_malformed_body(request: HttpRequest) -> bool:
    return bool(getattr(request, "has_malformed_body", False))


def _make_json_problem() -> ApiProblem:
    return ApiProblem(400, "malformed", _("Send JSON."))


class TokenAuthentication(HttpBearer):
    """Finds whom a request's token belongs to, and what it permits."""

    def authenticate(self, request: HttpRequest, token: str) -> ApiToken | None:
        """Return the token in force whose text this is, None for no such; `request.actor` and `.token` hold it then."""
        found: ApiToken | None = ApiToken.find_valid(token).first()
        if found is not None:
            request.actor = load_token_actor(found)  # type: ignore[attr-defined]
            request.token = found  # type: ignore[attr-defined]
        return found


class _BodyParser(Parser):
    """Marks a malformed body (`request.has_malformed_body`) instead of refusing it: the roles are checked first."""

    def parse_body(self, request: HttpRequest) -> Any:
        """Parse the JSON of the body; no fields where it is malformed."""
        try:
            return super().parse_body(request)
        except (ValueError, RecursionError):
            request.has_malformed_body = True  # type: ignore[attr-defined]
            return {}


api = NinjaAPI(
    title="Muniment",
    version="1",
    auth=TokenAuthentication(),
    docs_url=None,
    openapi_url=None,  # an operation describes the API: what the library would add names no action
    urls_namespace="api",
    parser=_BodyParser(),
)


def _make_problem_response(request: HttpRequest, status: int, code: str, detail: str, **more: object) -> HttpResponse:
    body = {"type": f"urn:muniment:{code}", "title": code.replace("-", " "), "status": status, "detail": detail}
    body |= more
    return HttpResponse(json.dumps(body), status=status, content_type=_PROBLEM)


@api.exception_handler(ApiProblem)
def _answer_problem(request: HttpRequest, error: ApiProblem) -> HttpResponse:
    return _make_problem_response(request, error.status, error.code, error.detail)


@api.exception_handler(AuthenticationError)
def _answer_unauthenticated(request: HttpRequest, error: AuthenticationError) -> HttpResponse:
    answer = _make_problem_response(request, 401, "no-token", "Send a valid token: Authorization: Bearer ...")
    answer["WWW-Authenticate"] = "Bearer"
    return answer


@api.exception_handler(ValidationError)
def _answer_validation_error(request: HttpRequest, error: ValidationError) -> HttpResponse:
    if _has_malformed_body(request):  # its fields are missing because it could not be read
        return _answer_problem(request, _make_json_problem())
    wrong = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors)
    return _make_problem_response(request, 422, "malformed", wrong)


@api.exception_handler(HttpError)
def _answer_http_error(request: HttpRequest, error: HttpError) -> HttpResponse:
    return _make_problem_response(request, error.status_code, "malformed", str(error))


@api.exception_handler(RequestDataTooBig)
def _answer_too_large(request: HttpRequest, error: RequestDataTooBig) -> HttpResponse:
    most = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
    return _make_problem_response(request, 413, "too-large", f"A request has at most {most} bytes.")


@api.exception_handler(Http404)
def _answer_not_found(request: HttpRequest, error: Http404) -> HttpResponse:
    return _make_problem_response(request, 404, "not-found", "There is no such thing, or you may not see it.")


@api.exception_handler(PermissionDenied)
def _answer_denied(request: HttpRequest, error: PermissionDenied) -> HttpResponse:
    return _make_problem_response(request, 403, "not-allowed", "Your roles, or the token's, do not allow this.")


@api.exception_handler(ConfigurationError)
def _answer_configuration_error(request: HttpRequest, error: ConfigurationError) -> HttpResponse:
    return _make_problem_response(request, 422, "malformed", format_error_text(error))


@api.exception_handler(ActInputError)
def _answer_input_error(request: HttpRequest, error: ActInputError) -> HttpResponse:
    """Answer with the problem of each field, so that a program can show it where it was typed."""
    fields = [
        {"field": one.field, "code": one.code, "detail": one.message, "remedy": one.remedy} for one in error.problems
    ]
    return _make_problem_response(request, 422, "malformed", format_error_text(error), errors=fields)


@api.exception_handler(ParseError)
def _answer_parse_error(request: HttpRequest, error: ParseError) -> HttpResponse:
    return _make_problem_response(request, 422, error.code, format_error_text(error), remedy=error.remedy)


@api.exception_handler(NotCanonicalError)
def _answer_not_canonical(request: HttpRequest, error: NotCanonicalError) -> HttpResponse:
    return _make_problem_response(request, 422, "not-canonical", format_error_text(error), remedy=error.remedy)


@api.exception_handler(RefusedError)
def _answer_refused(request: HttpRequest, error: RefusedError) -> HttpResponse:
    return _make_problem_response(request, 409, error.code, format_error_text(error), remedy=error.remedy)


@api.exception_handler(DataError)
def _answer_data_error(request: HttpRequest, error: DataError) -> HttpResponse:
    return _make_problem_response(request, 422, "malformed", "The database cannot hold such a value.")
