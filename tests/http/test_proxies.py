"""Proxies: a connection uses the intended proxy, encrypted to its own server, or fails with a reason."""

import base64
from collections.abc import Iterator
from pathlib import Path

import pytest

from muniment.errors import HttpCode, HttpError
from muniment.http import proxies
from muniment.http.addresses import parse_server_address
from muniment.http.client import HttpClient
from muniment.http.proxies import Proxy, parse_proxy, select_proxy
from tests.support.certificates import certificate
from tests.support.http_servers import Answering, Dripping, ForwardProxy, Phase, answer

WORD = "-".join(("not", "a", "real", "one"))
OTHER = "http://other.example.test:1"


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture(name="server")
def _server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Answering]:
    """Server by https that counts as remote."""
    tls = certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", tls[0])
    monkeypatch.setattr("muniment.http.addresses.is_loopback", lambda _: False)
    with Answering(answer(b"beyond"), tls=tls) as server:
        yield server


def send_request(url: str, proxy: str = "", seconds: float = 5) -> bytes:
    return HttpClient(url, seconds=seconds, proxy=proxy, plain=True).request("GET", "path").body


def test_https_uses_the_proxy_of_the_environment(server: Answering, monkeypatch: pytest.MonkeyPatch) -> None:
    with ForwardProxy(server.port) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        assert send_request(server.url) == b"beyond"
    (asked,) = proxy.requests
    assert asked.startswith(f"CONNECT 127.0.0.1:{server.port} HTTP/1.1\r\n".encode())
    assert b"path" not in asked
    assert b"User-Agent" not in asked  # what we send is for the server alone


def test_http_uses_its_own_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    with Answering(answer(b"beyond")) as server, ForwardProxy(server.port) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url.replace("://", f"://ada:{WORD}@"))
        assert send_request("http://host.example.test:8000/api") == b"beyond"
    assert proxy.requests[0].startswith(b"GET http://host.example.test:8000/api/path HTTP/1.1\r\n")
    assert b"\r\nHost: host.example.test:8000\r\n" in proxy.requests[0]
    assert base64.b64encode(f"ada:{WORD}".encode()) in proxy.requests[0]


def test_proxy_credentials_are_sent_to_the_proxy_alone(server: Answering, monkeypatch: pytest.MonkeyPatch) -> None:
    with ForwardProxy(server.port, credentials=base64.b64encode(f"a d:{WORD}".encode())) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url.replace("://", f"://a%20d:{WORD}@"))
        assert send_request(server.url) == b"beyond"
        assert b"Proxy-Authorization" not in server.requests[0]
        monkeypatch.setenv("HTTPS_PROXY", proxy.url.replace("://", f"://eve:{WORD}@"))
        with pytest.raises(HttpError) as caught:
            send_request(server.url)
    assert caught.value.code is HttpCode.PROXY
    assert "name and password" in caught.value.message
    assert WORD not in f"{caught.value!r} {caught.value.remedy}"


def test_proxy_of_a_connection_overrides_the_environment(server: Answering, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("NO_PROXY", "*")
    with ForwardProxy(server.port) as proxy:
        assert send_request(server.url, proxy.url) == b"beyond"
        assert len(proxy.requests) == 1
    monkeypatch.delenv("NO_PROXY")
    assert send_request(server.url, proxies.NO_PROXY) == b"beyond"


def test_server_without_a_matching_proxy_is_requested_directly(
    server: Answering, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    with pytest.raises(HttpError) as caught:
        send_request(server.url)
    assert caught.value.code is HttpCode.PROXY
    monkeypatch.setenv("NO_PROXY", "other.example.test, 127.0.0.0/8")
    assert send_request(server.url) == b"beyond"


def test_local_server_is_requested_directly(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    with Answering(answer(b"here")) as server:
        assert send_request(server.url) == b"here"


@pytest.mark.parametrize(
    ("answered", "why"),
    [
        (b"HTTP/1.1 403 Forbidden\r\n\r\n", "does not connect"),
        (b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 3\r\n\r\nno.", "does not connect"),
        (b"HTTP/1.1 200 OK\r\n", "does not speak HTTP"),
        (b"SSH-2.0-OpenSSH\r\n\r\n", "does not speak HTTP"),
        (b"", "does not speak HTTP"),
        (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 1000, "without end"),
    ],
)
def test_refusal_by_the_proxy_is_distinguished_from_the_server(
    server: Answering, monkeypatch: pytest.MonkeyPatch, answered: bytes, why: str
) -> None:
    with ForwardProxy(server.port, refuses=answered or b"\r\n") as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        with pytest.raises(HttpError, match=why) as caught:
            send_request(server.url)
    assert caught.value.code is HttpCode.PROXY
    assert f"127.0.0.1:{proxy.port}" in caught.value.message
    assert server.requests == []


@pytest.mark.parametrize("phase", [Phase.STATUS, Phase.HEADERS])
def test_slow_proxy_ends_at_the_deadline(server: Answering, monkeypatch: pytest.MonkeyPatch, phase: Phase) -> None:
    with Dripping(phase) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        with pytest.raises(HttpError) as caught:
            send_request(server.url, seconds=0.3)
    assert caught.value.code is HttpCode.TIMED_OUT


def test_tunnel_closed_by_the_proxy_is_an_untrusted_server(server: Answering, monkeypatch: pytest.MonkeyPatch) -> None:
    with Answering(b"HTTP/1.1 200 OK\r\n\r\n") as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        with pytest.raises(HttpError) as caught:
            send_request(server.url)
    assert caught.value.code in (HttpCode.UNTRUSTED, HttpCode.UNREACHABLE)


def test_proxy_that_answers_for_the_server_is_not_trusted(
    server: Answering, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "proxy").mkdir()
    forged = certificate(tmp_path / "proxy")
    with Answering(answer(b"forged"), tls=forged) as forger, ForwardProxy(forger.port) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        with pytest.raises(HttpError) as caught:
            send_request(server.url)
        assert caught.value.code is HttpCode.UNTRUSTED
        assert forger.requests == []


@pytest.mark.parametrize(
    ("listed", "direct"),
    [
        ("", False),
        ("*", True),
        ("host.example.test", True),
        ("HOST.example.test", True),
        ("example.test", True),
        (".example.test", True),
        ("*.example.test", True),
        ("ost.example.test", False),
        ("other.test, ,example.test", True),
        ("host.example.test:8443", True),
        ("host.example.test:443", False),
        ("10.0.0.0/8", False),
        ("test:", True),
        (".", False),
        ("::1", False),
    ],
)
def test_no_proxy_hosts_are_requested_directly(listed: str, direct: bool) -> None:
    environment = {"HTTPS_PROXY": OTHER, "NO_PROXY": listed}
    found = select_proxy(parse_server_address("https://host.example.test:8443"), "", environment)
    assert (found is None) is direct


@pytest.mark.parametrize(
    ("host", "listed", "direct"),
    [
        ("10.1.2.3", "10.0.0.0/8", True),
        ("10.1.2.3", "10.1.2.3", True),
        ("11.1.2.3", "10.0.0.0/8", False),
        ("10.1.2.3", "fd00::/8", False),
        ("[fd00::1]", "fd00::/8", True),
    ],
)
def test_no_proxy_ip_addresses_are_requested_directly(host: str, listed: str, direct: bool) -> None:
    found = select_proxy(parse_server_address(f"https://{host}"), "", {"HTTPS_PROXY": OTHER, "NO_PROXY": listed})
    assert (found is None) is direct


def test_lower_case_variables_and_each_scheme_have_their_own_proxy() -> None:
    environment = {"https_proxy": "one:1", "HTTPS_PROXY": "two:2", "HTTP_PROXY": "three:3", "no_proxy": ""}
    assert select_proxy(parse_server_address("https://a.test"), "", environment) == Proxy("one", 1)
    assert select_proxy(parse_server_address("http://a.test", plain=True), "", environment) == Proxy("three", 3)
    assert select_proxy(parse_server_address("https://a.test"), "", {}) is None


@pytest.mark.parametrize(
    "text",
    [
        f"https://ada:{WORD}@proxy.test",
        f"socks5://ada:{WORD}@proxy.test",
        f"http://ada:{WORD}@",
        f"http://ada:{WORD}@proxy.test:x",
        f"http://ada:{WORD}\r\n@proxy.test",
        f"http://ada:{WORD}@proxy.test/path",
        "file:///etc/passwd",
        "unix:/run/socket",
        " ",
    ],
)
def test_invalid_proxy_is_refused_without_showing_its_password(text: str) -> None:
    with pytest.raises(HttpError) as caught:
        parse_proxy(text)
    assert caught.value.code is HttpCode.PROXY
    assert WORD not in f"{caught.value!r} {caught.value.remedy}"


def test_proxy_repr_hides_its_password() -> None:
    assert repr(parse_proxy(f"http://ada:{WORD}@proxy.test:3128")) == "Proxy(proxy.test:3128)"
    assert parse_proxy("proxy.test") == Proxy("proxy.test", 80)


def test_unix_socket_needs_no_proxy() -> None:
    assert select_proxy(parse_server_address("unix:/run/socket"), OTHER, {"HTTPS_PROXY": OTHER}) is None


@pytest.mark.parametrize(
    "address", ["http://proxy.test:3128", "http://[fd00::1]:80", f"http://a%20d%40:{WORD}%2F%3A@proxy.test:3128"]
)
def test_proxy_address_for_other_programs_is_unchanged(address: str) -> None:
    assert parse_proxy(address).proxy_url == address
