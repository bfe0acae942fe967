"""Traces contain durations, go only to the configured collector, and hold no personal data."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from muniment.access.roles import Role
from muniment.server import job_queue, telemetry
from tests.support.service import browser, person, token_of

pytestmark = pytest.mark.usefixtures("service")


class Collector:
    """Collector that receives spans as OTLP over HTTP."""

    def __init__(self) -> None:
        self.raw = b""
        self.spans: list[tuple[str, dict[str, str]]] = []
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                data = self.rfile.read(int(self.headers["Content-Length"]))
                collector.raw += data
                sent = ExportTraceServiceRequest.FromString(data)
                for resource in sent.resource_spans:
                    for scope in resource.scope_spans:
                        for span in scope.spans:
                            lines = {one.key: str(one.value).strip() for one in span.attributes}
                            collector.spans.append((span.name, lines))
                self.send_response(200)
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                """Discard log messages."""

        self.server = HTTPServer(("127.0.0.1", 0), Handler)


def reset_telemetry() -> None:
    telemetry._make_provider.cache_clear()
    telemetry._find_tracer.cache_clear()


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    found = Collector()
    thread = threading.Thread(target=found.server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{found.server.server_port}")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "none")
    reset_telemetry()
    yield found
    provider = telemetry._make_provider()
    if provider is not None:
        provider.shutdown()
    reset_telemetry()
    found.server.shutdown()
    thread.join(10)
    found.server.server_close()


def test_request_trace_has_the_route_and_no_personal_data(collector: Collector) -> None:
    ada = person("ada", Role.ADMIN)
    browser(ada).get("/people/ada?secret=hush", HTTP_TRACEPARENT="00-" + "1" * 32 + "-" + "2" * 16 + "-01")
    browser().get("/welcome/the-secret-of-a-link")
    browser().get("/api/products", headers={"Authorization": f"Bearer {token_of(ada)}"})
    telemetry.flush_spans()
    names = [name for name, _ in collector.spans]
    assert names == ["GET people/<str:slug>", "GET welcome/<str:text>", "GET api/products"]
    assert all(
        set(text) == {"http.request.method", "http.route", "http.response.status_code"} for _, text in collector.spans
    )
    for word in (b"ada", b"hush", b"the-secret", b"Bearer", b"127.0.0.1", bytes.fromhex("1" * 32)):
        assert word not in collector.raw, word


def test_task_trace_has_the_task_name_and_the_type_of_a_failure(collector: Collector) -> None:
    @job_queue.register_task("telemetry-test")
    def fails(about: str) -> None:
        raise ValueError(f"{about} holds something")

    with pytest.raises(ValueError, match="holds"):
        job_queue.TASKS["telemetry-test"].func(about="ada", attempt=8)
    telemetry.flush_spans()
    ((name, text),) = collector.spans
    assert name == "task telemetry-test"
    assert "ValueError" in text["error.type"]
    assert b"ada" not in collector.raw
    assert b"holds" not in collector.raw


def test_without_a_collector_nothing_is_traced_or_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OTEL_EXPORTER_OTLP_ENDPOINT", raising=False)
    reset_telemetry()
    with telemetry.start_span("x") as started:
        assert started is None
    assert not telemetry.is_enabled()
    reset_telemetry()
