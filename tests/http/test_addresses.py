"""Addresses that may be asked, and the ones that look like it."""

import pytest

from muniment.errors import HttpCode, HttpError
from muniment.http.addresses import Address, is_loopback, parse_address

WORD = "-".join(("not", "a", "real", "one"))


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("https://host.example.test", Address("https", "host.example.test", 443)),
        ("https://host.example.test:8443/api/", Address("https", "host.example.test", 8443, "/api")),
        ("http://localhost:80", Address("http", "localhost", 80)),
        ("http://127.0.0.9", Address("http", "127.0.0.9", 80)),
        ("http://[::1]:81", Address("http", "::1", 81)),
        ("https://bücher.example.test", Address("https", "xn--bcher-kva.example.test", 443)),
        ("unix:/run/vault.sock", Address("unix", "localhost", 0, socket="/run/vault.sock")),
    ],
)
def test_an_address_is_read(text: str, address: Address) -> None:
    assert parse_address(text) == address


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
def test_what_is_no_address_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(HttpError) as caught:
        parse_address(text, plain=True)
    assert caught.value.code is HttpCode.ADDRESS
    assert not text or text not in caught.value.message
    assert caught.value.remedy


@pytest.mark.parametrize("text", [f"https://ada:{WORD}@host.test", "https://ada@host.test", "https://@host.test"])
def test_an_address_with_a_password_is_refused_without_showing_it(text: str) -> None:
    with pytest.raises(HttpError, match="name or password") as caught:
        parse_address(text)
    assert WORD not in f"{caught.value!r} {caught.value.remedy}"


@pytest.mark.parametrize("text", ["http://host.example.test", "http://127.1", "http://127.0.0.1.example.test"])
def test_what_is_not_encrypted_stays_on_this_machine(text: str) -> None:
    with pytest.raises(HttpError, match="not encrypted"):
        parse_address(text)
    assert parse_address(text, plain=True).scheme == "http"


def test_the_usual_port_of_plain_http_can_be_another() -> None:
    assert parse_address("http://localhost", port=8200).port == 8200
    assert parse_address("https://localhost", port=8200).port == 443


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
def test_this_machine_is_known(host: str, local: bool) -> None:
    assert is_loopback(host) is local


def test_an_origin_compares_and_shows_no_path() -> None:
    assert parse_address("https://host.test:443/api").origin == "https://host.test"
    assert parse_address("https://[::1]:8443/api").origin == "https://[::1]:8443"
    assert parse_address("unix:/run/socket").origin == "unix:/run/socket"
