"""Takes from requests to anonymous pages all that could say who sends them, before anything reads it."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from muniment.server.routes import ANONYMOUS_PREFIX

_KEPT = frozenset({"HTTP_HOST", "HTTP_ACCEPT_LANGUAGE", "HTTP_X_FORWARDED_PROTO"})
_IDENTIFYING = ("HTTP_", "REMOTE_", "SSL_")


class AnonymousRequests:
    """Middleware that removes cookies, address and all headers but host and language. It stands before the session."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Response, of which nothing sets a cookie either."""
        if not request.path_info.startswith(ANONYMOUS_PREFIX):
            return self._get_response(request)
        for name in [each for each in request.META if each.startswith(_IDENTIFYING) and each not in _KEPT]:
            del request.META[name]
        request.META["REMOTE_ADDR"] = ""
        answer = self._get_response(request)
        answer.cookies.clear()
        return answer
