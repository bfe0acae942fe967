"""Requests of the service to slow servers end within their limit, with the caller's own error."""

import json
from pathlib import Path

import pytest

from muniment.errors import HttpCode, HttpError
from muniment.server.deployments import issuer_keys
from muniment.server.deployments.models import TokenIssuer
from muniment.server.people import messages, published_keys
from muniment.server.running import health_report
from tests.support.http_servers import IN_HTTP, Answering, Dripping, Phase, answer
from tests.support.service import as_role

LIMIT = 0.3
pytestmark = pytest.mark.usefixtures("service")


@pytest.mark.parametrize("phase", IN_HTTP)
def test_slow_issuer_times_out_with_problem(phase: Phase, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(issuer_keys, "_SECONDS", LIMIT)
    with Dripping(phase) as server, as_role("worker"):
        issuer_keys.read_issuer_keys(server.url)
        assert "within 0.3 seconds" in TokenIssuer.objects.get(url=server.url).problem


def test_redirected_keys_of_issuer_are_not_requested(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(issuer_keys, "_SECONDS", LIMIT)
    with Answering(b"") as server, Dripping(Phase.BODY) as slow, as_role("worker"):
        content = {"issuer": server.url, "jwks_uri": f"{server.url}/keys"}
        server.answers = [answer(json.dumps(content).encode()), b"HTTP/1.1 302 Found\r\nLocation: " + slow.url.encode()]
        issuer_keys.read_issuer_keys(server.url)
        assert TokenIssuer.objects.get(url=server.url).problem
        assert slow.connections == 0  # it was agreed to where the issuer is


@pytest.mark.parametrize("phase", Phase)
def test_slow_chat_times_out(phase: Phase, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(messages, "_SECONDS", LIMIT)
    with Dripping(phase) as server:
        monkeypatch.setenv("MUNIMENT_CHAT_URL", f"{server.url}/hook")
        with pytest.raises(HttpError) as caught:
            messages.post_to_chat("x")
    assert caught.value.code is HttpCode.TIMED_OUT


@pytest.mark.parametrize("phase", Phase)
def test_slow_published_keys_time_out(phase: Phase, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(published_keys, "_SECONDS", LIMIT)
    with Dripping(phase) as server, pytest.raises(OSError, match=r"within 0\.3 seconds"):
        published_keys.fetch_keys(published_keys.ProvableForge(server.url), "ada")


@pytest.mark.parametrize("phase", IN_HTTP)
def test_slow_web_process_is_reported_as_failing(phase: Phase, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(health_report, "_WEB_SECONDS", LIMIT)
    with Dripping(phase) as server:
        (tmp_path / "service.json").write_text(json.dumps({"port": server.port}))
        assert health_report._check_web(tmp_path).result == "violated"
