"""Addresses that the HTTP client accepts, and similar ones that it refuses."""

import pytest

from muniment.errors import HttpCode, HttpError
from muniment.http.addresses import ServerAddress, is_loopback, parse_server_address

WORD = "-".join(("not", "a", "real", "one"))


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("https://host.example.test", ServerAddress("https", "host.example.test", 443)),
        ("https://host.example.test:8443/api/", ServerAddress("https", "host.example.test", 8443, "/api")),
        ("http://localhost:80", ServerAddress("http", "localhost", 80)),
        ("http://127.0.0.9", ServerAddress("http", "127.0.0.9", 80)),
        ("http://[::1]:81", ServerAddress("http", "::1", 81)),
        ("https://bücher.example.test", ServerAddress("https", "xn--bcher-kva.example.test", 443)),
        ("unix:/run/vault.sock", ServerAddress("unix", "localhost", 0, socket="/run/vault.sock")),
    ],
)
def test_valid_address_is_parsed(text: str, address: ServerAddress) -> None:
    assert parse_server_address(text) == address


@pytest.mark.parametrize(
    "text",
    [
        "",
        "host.example.test",
        "ftp://host.example.test",
        "file:///etc/passwd",
        "unix:socket",
        "https://",
        "https:///path",
        "https://host.example.test:0",
        "https://host.example.test:99999",
        "https://host.example.test:x",
        "https://host.example.test?query",
        "https://host.example.test#fragment",
        "https://ho st.example.test",
        "https://host.example.test\n",
        "https://host.example.test\r\nX: y",
        "https://host.example.test\\@other.example.test",
        "https://[::1",
        "https://[fe80::1%25eth0]",
        "https://ho*st",
        "https://-host.example.test",
        "https://host..example.test/\u202e",
    ],
)
def test_invalid_address_is_refused_without_repeating_it(text: str) -> None:
    with pytest.raises(HttpError) as caught:
        parse_server_address(text, plain=True)
    assert caught.value.code is HttpCode.ADDRESS
    assert not text or text not in caught.value.message
    assert caught.value.remedy


@pytest.mark.parametrize("text", [f"https://ada:{WORD}@host.test", "https://ada@host.test", "https://@host.test"])
def test_an_address_with_a_password_is_refused_without_showing_it(text: str) -> None:
    with pytest.raises(HttpError, match="name or password") as caught:
        parse_server_address(text)
    assert WORD not in f"{caught.value!r} {caught.value.remedy}"


@pytest.mark.parametrize("text", ["http://host.example.test", "http://127.1", "http://127.0.0.1.example.test"])
def test_unencrypted_address_must_be_local(text: str) -> None:
    with pytest.raises(HttpError, match="not encrypted"):
        parse_server_address(text)
    assert parse_server_address(text, plain=True).scheme == "http"


def test_plain_http_default_port_can_be_changed() -> None:
    assert parse_server_address("http://localhost", port=8200).port == 8200
    assert parse_server_address("https://localhost", port=8200).port == 443


@pytest.mark.parametrize(
    ("host", "local"),
    [
        ("localhost", True),
        ("LOCALHOST.", True),
        ("127.255.0.1", True),
        ("::1", True),
        ("0.0.0.0", False),
        ("128.0.0.1", False),
        ("localhost.example.test", False),
        ("127.1", False),
    ],
)
def test_local_addresses_are_recognised(host: str, local: bool) -> None:
    assert is_loopback(host) is local


def test_origins_are_compared_and_shown_without_path() -> None:
    assert parse_server_address("https://host.test:443/api").origin == "https://host.test"
    assert parse_server_address("https://[::1]:8443/api").origin == "https://[::1]:8443"
    assert parse_server_address("unix:/run/socket").origin == "unix:/run/socket"
