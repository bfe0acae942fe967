"""Traces, if they are switched on: durations of requests and tasks, without persons or objects.

OTEL_EXPORTER_OTLP_ENDPOINT (or OTEL_EXPORTER_OTLP_TRACES_ENDPOINT) switches them on; the other OTEL_* variables
apply as OpenTelemetry defines them. A span has a route's pattern, a method, a status, a task's name, and of a
failure its type alone: no address, id, name or text. Trace contexts of clients are ignored.
"""

import functools
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.http import HttpRequest, HttpResponse

from muniment.errors import UsageError

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


def is_enabled() -> bool:
    """Whether traces are switched on."""
    off = os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true"
    return not off and any(os.environ.get(name) for name in _ENDPOINTS)


@contextmanager
def start_span(name: str, **attributes: str | int) -> Iterator[Any]:
    """Start one span for this block: the span, or None if traces are off. Of an exception only the type is recorded."""
    found = _find_tracer()
    if found is None:
        yield None
        return
    with found.start_as_current_span(name, record_exception=False, set_status_on_exception=False) as started:
        started.set_attributes(attributes)
        try:
            yield started
        except Exception as error:
            _mark_failed(started, type(error).__name__)
            raise


def flush_spans() -> None:
    """Send the spans that wait."""
    provider = _make_provider()
    if provider is not None:
        provider.force_flush()


class TraceMiddleware:
    """Middleware that records a span for each request."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Response to the request, timed by a span."""
        method = request.method if request.method in _METHODS else "_OTHER"
        with start_span(str(method), **{"http.request.method": str(method)}) as started:
            answer = self._get_response(request)
            if started is not None:
                _set_attributes(started, str(method), request, answer.status_code)
        return answer


def _set_attributes(started: Any, method: str, request: HttpRequest, status: int) -> None:
    route = getattr(request.resolver_match, "route", "")
    started.set_attribute("http.response.status_code", status)
    if route:
        started.set_attribute("http.route", route)
        started.update_name(f"{method} {route}")
    if status >= 500:
        _mark_failed(started, str(status))


def _mark_failed(started: Any, kind: str) -> None:
    from opentelemetry.trace import Status, StatusCode

    started.set_attribute("error.type", kind)
    started.set_status(Status(StatusCode.ERROR))


@functools.cache
def _make_provider() -> Any:
    """Provider, created in the process that first needs it, since it has its own thread. None if traces are off."""
    if not is_enabled():
        return None
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import SERVICE_NAME, Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError as error:
        raise UsageError(
            "traces are switched on, and what sends them is not installed",
            "pip install 'muniment[telemetry]', or unset OTEL_EXPORTER_OTLP_ENDPOINT.",
        ) from error
    name = os.environ.get("OTEL_SERVICE_NAME") or f"muniment-{os.environ.get('MUNIMENT_ROLE', 'web')}"
    provider = TracerProvider(resource=Resource.create({SERVICE_NAME: name}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return provider


@functools.cache
def _find_tracer() -> Any:
    provider = _make_provider()
    return None if provider is None else provider.get_tracer("muniment")
