import pytest

from dev import http_clients


@pytest.mark.parametrize(
    ("source", "named"),
    [
        ("import urllib.request", "urllib.request"),
        ("from urllib import request", "urllib.request"),
        ("from urllib.request import urlopen", "urllib.request"),
        ("def f():\n    import http.client as h", "http.client"),
        ("from http import client", "http.client"),
        ("import requests", "requests"),
        ("from requests.adapters import HTTPAdapter", "requests.adapters"),
        ("import httpx, os", "httpx"),
        ("import urllib3", "urllib3"),
        ("sock.sendall(f'GET {path} HTTP/1.1')", "a request written by hand"),
    ],
)
def test_other_http_clients_are_refused(source: str, named: str) -> None:
    ((_, message),) = http_clients.find_breaches(source)
    assert message.startswith(f"{named}: ")


@pytest.mark.parametrize(
    "source",
    [
        "from muniment.http.client import HttpClient",
        "from urllib.parse import quote",
        "from http import HTTPStatus",
        "from muniment.server.requests.models import Request",
        "from . import requests",
        "requests = 5",
    ],
)
def test_code_without_http_is_accepted(source: str) -> None:
    assert http_clients.find_breaches(source) == []


def test_only_one_package_sends_http_requests(capsys: pytest.CaptureFixture[str]) -> None:
    assert http_clients.main() == 0, capsys.readouterr().out
