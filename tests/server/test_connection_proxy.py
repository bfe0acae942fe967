"""The proxy of a connection: its requests and git's go through it; hostile addresses and passwords are refused."""

from pathlib import Path
from typing import Any

import pytest

from muniment.access.roles import Role
from muniment.server.connections.models import Connection
from muniment.server.connections.proxy_acts import read_proxy
from tests.support.forge_setup import ForgeSetup
from tests.support.http_servers import ForwardProxy
from tests.support.service import as_role, browser, person, post, token_of

pytestmark = pytest.mark.usefixtures("service")

WORD = "-".join(("not", "a", "real", "one"))
HOSTILE = (
    "socks5://proxy.test:1080",
    "file:///etc/passwd",
    "unix:/run/socket",
    "ext::sh -c touch% /tmp/x",
    "http://proxy.test:3128/path",
    "http://proxy.test:99999",
    "http://-proxy.test:3128",
    "--upload-pack=x",
    "http://proxy.test\u202e:3128",
    "http://proxy.test:3128\r\nX-Header: y",
    f"http://ada:{WORD}@proxy.test:3128",
    f"ada:{WORD}@proxy.test",
    "http://@proxy.test:3128",
    "x" * 301,
)


@pytest.fixture(name="row")
def _row() -> Connection:
    person("root", Role.ADMIN)
    with as_role("owner"):
        return Connection.objects.create(slug="hub", vendor="gitea", url="https://forge.example.test")


def _put(proxy: str, slug: str = "hub") -> Any:
    heads: dict[str, Any] = {"HTTP_AUTHORIZATION": f"Bearer {token_of(person('root'))}"}
    return browser().put(f"/api/connections/{slug}/proxy", {"proxy": proxy}, content_type="application/json", **heads)


@pytest.mark.parametrize(
    ("typed", "stored"),
    [
        ("http://proxy.test:3128", "http://proxy.test:3128"),
        ("proxy.test", "http://proxy.test:80"),
        ("http://[fd00::1]:3128", "http://[fd00::1]:3128"),
        ("none", "none"),
        ("", ""),
    ],
)
def test_page_and_api_store_same_proxy(row: Connection, typed: str, stored: str) -> None:
    page = post(browser(person("root")), "/connections/hub/proxy", proxy=typed)
    assert "Saved." in page
    assert stored in page
    assert Connection.objects.get(pk=row.pk).proxy == stored
    assert _put("http://other.test:1").status_code == 200
    assert _put(typed).json() == {"done": True, "request": None}
    assert Connection.objects.get(pk=row.pk).proxy == stored


@pytest.mark.parametrize("typed", HOSTILE)
def test_page_and_api_refuse_invalid_proxy_without_repeating_it(row: Connection, typed: str) -> None:
    assert browser(person("root")).post("/connections/hub/proxy", {"proxy": typed}).status_code == 422
    answer = _put(typed)
    assert answer.status_code == 422
    assert WORD not in answer.content.decode()
    assert Connection.objects.get(pk=row.pk).proxy == ""


def test_proxy_with_password_is_refused_with_reason_and_remedy(row: Connection) -> None:
    problem = _put(f"http://name:{WORD}@proxy.test:3128").json()
    assert problem["errors"][0]["detail"] == "It has a name or a password in it, which pages and the record would show."
    assert problem["errors"][0]["remedy"].endswith("A proxy that asks for them is set in HTTPS_PROXY of the service.")
    assert WORD not in str(problem)


def test_setting_proxy_requires_connection_permission(row: Connection) -> None:
    developer = browser(person("dev", Role.DEVELOPER))
    assert developer.post("/connections/hub/proxy", {"proxy": "http://proxy.test:3128"}).status_code == 403
    assert _put("none", "nowhere").status_code == 404


def test_forge_requests_and_git_fetches_use_proxy(setup: ForgeSetup, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("muniment.http.addresses.is_loopback", lambda _: False)
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")  # the connection's own counts
    number = setup.open_change({"app.py": "x = 1\n"})
    with ForwardProxy(int(setup.fake.url.rpartition(":")[2])) as proxy:
        with as_role("owner"):
            Connection.objects.update(proxy=read_proxy(proxy.url))
        setup.evaluate(number)
        lines = [request.split(b"\r\n")[0] for request in proxy.requests]
    assert setup.load_change(number).head
    begin = setup.fake.url.encode()
    assert any(line.startswith(b"GET " + begin + b"/api/v1/") for line in lines)
    assert any(b".git/info/refs" in line and line.startswith(b"GET " + begin) for line in lines)
    assert not (Path(setup.repository.git_folder) / "config").read_text().count("proxy")
