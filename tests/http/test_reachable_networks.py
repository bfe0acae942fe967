"""Requests to addresses that a person typed: they reach public networks, and those that the operator named."""

import ipaddress
import socket
from typing import Any

import pytest

from muniment.errors import HttpCode, HttpError
from muniment.http import connections
from muniment.http.client import send_request
from muniment.http.reachable_networks import is_reachable
from tests.support.http_servers import Answering, answer, unix_server

TEN = (ipaddress.ip_network("10.2.0.0/16"),)


@pytest.mark.parametrize(
    "text",
    [
        *("127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0"),
        *("224.0.0.1", "255.255.255.255", "::1", "::", "fe80::1%eth0", "fd00::1", "ff02::1"),
        *("::ffff:127.0.0.1", "::ffff:10.1.2.3", "::127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "2002:a01:203::1"),
        *("2001:0:7f00:1::1", "no address", ""),
    ],
)
def test_internal_address_is_not_reachable(text: str) -> None:
    assert not is_reachable(text, ())
    assert not is_reachable(text, TEN)


@pytest.mark.parametrize("text", ["93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c", "64:ff9b::5db8:d70e"])
def test_public_address_is_reachable(text: str) -> None:
    assert is_reachable(text, ())


def test_named_network_is_reachable() -> None:
    assert is_reachable("10.2.0.9", TEN)
    assert is_reachable("::ffff:10.2.0.9", TEN)
    assert not is_reachable("10.3.0.9", TEN)


def test_request_to_internal_network_sends_nothing() -> None:
    with Answering(answer()) as server:
        for url in (server.url, server.url.replace("127.0.0.1", "localhost")):
            with pytest.raises(HttpError, match="internal network") as caught:
                send_request("POST", url, b"{}", seconds=5, networks=())
            assert caught.value.code is HttpCode.ADDRESS
        assert server.requests == []
        loopback = (ipaddress.ip_network("127.0.0.0/8"),)
        assert send_request("POST", server.url, b"{}", seconds=5, networks=loopback).status == 200
        assert send_request("POST", server.url, b"{}", seconds=5).status == 200


def test_name_with_one_internal_address_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def resolve(*_: object) -> list[tuple[Any, ...]]:
        found = [("93.184.215.14", 443), ("10.1.2.3", 443)]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", where) for where in found]

    monkeypatch.setattr(connections, "resolve_host", resolve)
    with pytest.raises(HttpError, match="internal network"):
        send_request("POST", "https://hooks.example.com/x", b"{}", seconds=5, networks=())


def test_socket_of_this_machine_is_refused(tmp_path: Any) -> None:
    path = str(tmp_path / "s")
    with unix_server(path, answer()), pytest.raises(HttpError, match="internal network"):
        send_request("POST", f"unix:{path}", b"{}", seconds=5, networks=())
