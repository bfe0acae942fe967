"""Response headers: no content from other origins, nothing inline, no cache (OWASP ASVS 5.0, V3.4)."""

from collections.abc import Callable
from urllib.parse import urlsplit

from django.conf import settings
from django.http import HttpRequest, HttpResponse

_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "font-src 'self'",
        "connect-src 'self'",
        "form-action 'self' {elsewhere}",  # signing in with the company's account leads there
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
_STATIC = "/static/"


class SecurityHeaders:
    """Middleware that sets the security headers on every response."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response
        self._policy = _POLICY.format(elsewhere=settings.SIGN_IN_ELSEWHERE).replace(" ;", ";")

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Response with the security headers."""
        answer = self._get_response(request)
        answer["Content-Security-Policy"] = self._policy.replace(
            "form-action 'self'", f"form-action 'self'{_find_form_target(answer)}"
        )
        answer["Permissions-Policy"] = "camera=(), geolocation=(), microphone=(), payment=(), usb=()"
        answer["Cross-Origin-Resource-Policy"] = "same-origin"
        if not request.path.startswith(_STATIC):
            answer["Cache-Control"] = "no-store"
        return answer


def _find_form_target(answer: HttpResponse) -> str:
    """Other origin to which a form of this page leads, as its view says; "" for all other pages."""
    parts = urlsplit(getattr(answer, "forms_lead_to", ""))
    return f" {parts.scheme}://{parts.netloc}" if parts.scheme in ("https", "http") and parts.netloc else ""
