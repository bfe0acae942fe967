"""What of the service asks other servers ends within its limit, with an error of its own, whatever they drip."""

import json
from pathlib import Path

import pytest

from muniment.errors import HttpCode, HttpError
from muniment.server.deployments import issuers
from muniment.server.deployments.models import TokenIssuer
from muniment.server.people import messages, published
from muniment.server.running import examining
from tests.support.http_servers import IN_HTTP, Answering, Dripping, Phase, answer
from tests.support.service import as_role

LIMIT = 0.3
pytestmark = pytest.mark.usefixtures("service")


@pytest.mark.parametrize("phase", IN_HTTP)
def test_an_issuer_that_drips_is_given_up_and_told(phase: Phase, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(issuers, "_SECONDS", LIMIT)
    with Dripping(phase) as server, as_role("worker"):
        issuers.read(server.url)
        assert "within 0.3 seconds" in TokenIssuer.objects.get(url=server.url).problem


def test_an_issuer_whose_keys_drip_has_one_limit_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(issuers, "_SECONDS", LIMIT)
    with Answering(b"") as server, Dripping(Phase.BODY) as slow, as_role("worker"):
        told = {"issuer": server.url, "jwks_uri": f"{server.url}/keys"}
        server.answers = [answer(json.dumps(told).encode()), b"HTTP/1.1 302 Found\r\nLocation: " + slow.url.encode()]
        issuers.read(server.url)
        assert TokenIssuer.objects.get(url=server.url).problem
        assert slow.connections == 0  # it was agreed to where the issuer is


@pytest.mark.parametrize("phase", Phase)
def test_a_chat_that_drips_is_given_up(phase: Phase, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(messages, "_SECONDS", LIMIT)
    with Dripping(phase) as server:
        monkeypatch.setenv("MUNIMENT_CHAT_URL", f"{server.url}/hook")
        with pytest.raises(HttpError) as caught:
            messages.chat("x")
    assert caught.value.code is HttpCode.TIMED_OUT


@pytest.mark.parametrize("phase", Phase)
def test_keys_that_drip_are_none(phase: Phase, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(published, "_SECONDS", LIMIT)
    with Dripping(phase) as server, pytest.raises(OSError, match=r"within 0\.3 seconds"):
        published.fetch(server.url, "ada")


@pytest.mark.parametrize("phase", IN_HTTP)
def test_a_web_process_that_drips_does_not_answer(
    phase: Phase, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(examining, "_WEB_SECONDS", LIMIT)
    with Dripping(phase) as server:
        (tmp_path / "service.json").write_text(json.dumps({"port": server.port}))
        assert examining._web(tmp_path).result == "violated"
