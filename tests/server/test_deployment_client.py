"""The client of pipelines at a real web and worker process, and the keys of a token issuer over a real connection."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

import msgspec
import pytest
from django.conf import settings
from django.db import connection
from django.test import override_settings
from django.utils import timezone

from muniment.errors import RunError
from muniment.pipelines.service_client import DeploymentOrder, ReportedOutcome, ServiceClient
from muniment.server.deployments import issuer_keys
from muniment.server.deployments.models import PipelineIdentity, TokenIssuer
from muniment.server.incidents.models import Incident
from muniment.server.wsgi import application
from tests.support.deploying import ARTIFACT, Shop
from tests.support.running import clean, until
from tests.support.service import as_role, by_an_act, person, token_of

pytestmark = pytest.mark.usefixtures("service")


class _Quiet(WSGIRequestHandler):
    def log_message(self, *_: Any) -> None:
        """Discard the log of requests, which tests do not need."""


@pytest.fixture
def shop(tmp_path: Path, service: None) -> Shop:
    with by_an_act():  # the worker is a process of its own, which compares rows with the ledger
        return Shop(tmp_path)


@pytest.fixture
def url(shop: Shop) -> Iterator[str]:
    """A web process, a worker and a sequencer for the test."""
    server = make_server("127.0.0.1", 0, application, handler_class=_Quiet)

    def serve() -> None:
        server.serve_forever(0.01)
        connection.close()  # this thread's own

    serving = Thread(target=serve, daemon=True)
    serving.start()
    with override_settings(URL=f"http://localhost:{server.server_port}"):
        environment = clean() | {
            "MUNIMENT_REPOSITORY_FOLDERS": str(shop.repo.path.parent),
            "MUNIMENT_URL": settings.URL,  # the audience of tokens
        }
        processes = [
            subprocess.Popen(
                [sys.executable, "-m", "muniment", name, "--home", str(settings.HOME)],
                env=environment,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            for name in ("worker", "sequencer")
        ]
        try:
            yield settings.URL
        finally:
            for process in processes:
                process.terminate()
                process.wait(30)
            server.shutdown()
            serving.join()
            server.server_close()


def build_request(shop: Shop) -> DeploymentOrder:
    provenance = (msgspec.Raw(json.dumps(shop.provenance()).encode()),)
    return DeploymentOrder("shop", "staging", ARTIFACT, shop.commit, provenance)


def test_pipeline_requests_waits_deploys_and_reports(shop: Shop, url: str) -> None:
    pipeline = ServiceClient(url, lambda: shop.runner("staging"))
    number = pipeline.submit_request(build_request(shop), "key")
    assert pipeline.submit_request(build_request(shop), "key") == number
    standing = pipeline.wait_for_decision(number, 60)
    assert standing.is_allowed, standing.reasons
    shop.repo.git("push", "-q", "--force", str(shop.repo.path), f"{shop.base}:refs/heads/main")
    gone = pipeline.wait_for_decision(number, 60)
    assert (gone.state, gone.is_allowed) == ("revoked", False)
    pipeline.report_outcome(number, ReportedOutcome("succeeded", 0))
    until(lambda: shop.state(number) == "succeeded")
    assert "its permission was over" in Incident.objects.get(kind="unpermitted-deployment").summary


def test_refuses_deployment_request_without_pipeline_token(shop: Shop, url: str) -> None:
    text = token_of(person("ada"))
    for token in (text, "x.y.z", shop.runner("production")):
        with pytest.raises(RunError, match="refuses"):
            ServiceClient(url, lambda token=token: token).submit_request(build_request(shop), "key")  # type: ignore[misc]


# --- keys of issuers ----------------------------------------------------------------------------------------


class FakeIssuer:
    """A token issuer on loopback, with a switch for each kind of failure."""

    def __init__(self) -> None:
        self.answers: dict[str, Callable[[], tuple[int, bytes, str]]] = {}
        forge = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                status, body, where = forge.answers.get(self.path, lambda: (404, b"", ""))()
                self.send_response(status)
                if where:
                    self.send_header("Location", where)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                """Discard the log of requests, which tests do not need."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.tells({"issuer": self.url, "jwks_uri": f"{self.url}/keys"})
        self.has({"keys": [{"kty": "RSA", "kid": "k"}]})

    def tells(self, document: Any, status: int = 200, where: str = "") -> None:
        body = document if isinstance(document, bytes) else json.dumps(document).encode()
        self.answers["/.well-known/openid-configuration"] = lambda: (status, body, where)

    def has(self, document: Any) -> None:
        body = json.dumps(document).encode()
        self.answers["/keys"] = lambda: (200, body, "")


@pytest.fixture
def forge() -> Iterator[FakeIssuer]:
    found = FakeIssuer()
    yield found
    found.server.shutdown()
    found.server.server_close()


def read(url: str) -> TokenIssuer:
    with as_role("worker"):
        issuer_keys.read_issuer_keys(url)
    return TokenIssuer.objects.get(url=url)


def test_an_issuers_keys_are_read(forge: FakeIssuer) -> None:
    row = read(forge.url)
    assert row.problem == ""
    assert row.key_set == {"keys": [{"kty": "RSA", "kid": "k"}]}


@pytest.mark.parametrize(
    "document",
    [
        {"issuer": "https://other.example.test", "jwks_uri": "{url}/keys"},
        {"issuer": "{url}", "jwks_uri": "http://elsewhere.example.test/keys"},
        {"issuer": "{url}", "jwks_uri": "file:///etc/passwd"},
        {"issuer": "{url}", "jwks_uri": 3},
        {"issuer": "{url}"},
        [],
        b"<html>",
        b"x" * (1 << 21),
    ],
)
def test_refuses_keys_at_address_of_another_issuer(forge: FakeIssuer, document: Any) -> None:
    text = document if isinstance(document, bytes) else json.dumps(document).replace("{url}", forge.url).encode()
    forge.tells(text)
    row = read(forge.url)
    assert row.key_set == {}
    assert "could not be read" in row.problem


@pytest.mark.parametrize("keys", [{}, {"keys": []}, {"keys": "x"}, {"keys": [{}] * 51}])
def test_refuses_missing_or_too_many_keys(forge: FakeIssuer, keys: Any) -> None:
    forge.has(keys)
    assert read(forge.url).problem


def test_refuses_redirect_of_issuer(forge: FakeIssuer) -> None:
    forge.tells({}, 302, f"{forge.url}/keys")
    assert read(forge.url).problem


def test_stored_keys_remain_valid_for_one_day(forge: FakeIssuer) -> None:
    read(forge.url)
    forge.tells({}, 500)
    assert read(forge.url).key_set["keys"]
    with as_role("owner"):
        TokenIssuer.objects.update(read_at=timezone.now() - 2 * issuer_keys.LONGEST_KEY_SET)
    assert read(forge.url).key_set == {}


def test_only_issuers_of_trusted_pipelines_are_requested(shop: Shop, forge: FakeIssuer) -> None:
    now = timezone.now()
    assert issuer_keys.find_due_issuers(now) == ["https://forge.example.test"]
    with as_role("owner"):
        PipelineIdentity.objects.filter(kind="github").update(issuer=forge.url)
    assert issuer_keys.find_due_issuers(now) == [forge.url]
    read(forge.url)
    assert issuer_keys.find_due_issuers(now) == []
    with as_role("owner"):
        PipelineIdentity.objects.update(ended_at=now)
        TokenIssuer.objects.update(problem="x")
    assert issuer_keys.find_due_issuers(now) == []
