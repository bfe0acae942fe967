"""The service behind Debian's nginx: with TLS by the template of the guide, and behind a second one before it."""

import http.client
import re
import shutil
import socket
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import pytest

from dev.generate import DOCS
from tests.support.repos import Repo
from tests.support.running import Up, until

pytestmark = pytest.mark.slow

_BALANCER, _PROXY, _CLIENT, _NEIGHBOUR = "127.0.0.3", "127.0.0.2", "127.0.1.1", "127.0.1.2"


@pytest.fixture(scope="module")
def ports(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, int]]:
    """Ports of the proxy, of the balancer before it, and of the confirmation pages at the proxy; the service runs."""
    folder = tmp_path_factory.mktemp("proxy")
    names = ("service", "confirmation", "proxy", "signing", "balancer")
    found = {name: find_free_port() for name in names}
    make_certificate(folder)
    repo = Repo(folder / "shop")
    repo.commit({"app.py": "x = 1\n"})
    variables = {
        "MUNIMENT_URL": f"https://localhost:{found['balancer']}",
        "MUNIMENT_CONFIRMATION_URL": f"https://localhost:{found['signing']}",
        "MUNIMENT_TRUSTED_PROXIES": f"127.0.0.1,{_PROXY},{_BALANCER}",
    }
    arguments: tuple[str, ...] = ("--port", str(found["service"]), "--confirmation-port", str(found["confirmation"]))
    arguments += ("--host", "0.0.0.0")
    running = Up(folder / "home", repo.path, migrated=True, arguments=arguments, **variables)
    nginx = start_nginx(folder, found)
    try:
        until(lambda: request(found["balancer"], "GET", "/account/login/")[0] == 200, 60)
        yield found
    finally:
        nginx.terminate()
        nginx.wait(20)
        running.end()


def find_free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        number: int = probe.getsockname()[1]
        return number


def make_certificate(folder: Path) -> None:
    names = ("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost")
    files = ("-keyout", f"{folder}/muniment.key", "-out", f"{folder}/muniment.pem")
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *names, *files]
    subprocess.run(command, check=True, capture_output=True)


def start_nginx(folder: Path, ports: dict[str, int]) -> subprocess.Popen[bytes]:
    """The template with our ports, and a second proxy with TLS before it, which speaks to it in plain."""
    template = (DOCS / "templates" / "nginx.conf").read_text(encoding="utf-8")
    for old, new in (
        ("127.0.0.1:8000", f"127.0.0.1:{ports['service']}"),
        ("127.0.0.1:8001", f"127.0.0.1:{ports['confirmation']}"),
        ("listen 443 ssl", f"listen {_PROXY}:{ports['proxy']} ssl"),
        ("listen 8443 ssl", f"listen 127.0.0.1:{ports['signing']} ssl"),
        ("/etc/ssl/", f"{folder}/"),
        ("muniment.example.test", "localhost"),
        ("proxy_pass http", f"proxy_bind {_PROXY};\n        proxy_pass http"),
    ):
        assert old in template, old
        template = template.replace(old, new)
    balancer = f"""
server {{
    listen 127.0.0.1:{ports["balancer"]} ssl;
    ssl_certificate {folder}/muniment.pem;
    ssl_certificate_key {folder}/muniment.key;
    location / {{
        proxy_bind {_BALANCER};
        proxy_pass https://{_PROXY}:{ports["proxy"]};
        proxy_set_header Host $http_host;
        proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    }}
}}
"""
    places = "\n".join(
        f"{kind}_temp_path {folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    main = f"pid {folder}/pid; error_log {folder}/error.log; daemon off; user root; events {{}}\n"
    config = folder / "nginx.conf"
    config.write_text(f"{main}http {{ access_log off;\n{places}\n{template}\n{balancer}\n}}\n")
    program = shutil.which("nginx", path="/usr/sbin:/usr/bin")
    assert program, "nginx is missing: bin/test installs it"
    return subprocess.Popen([program, "-c", str(config), "-e", str(folder / "error.log")])


def request(
    port: int, method: str, path: str, body: str = "", sender: str = "127.0.0.1", **headers: str
) -> tuple[int, str, list[str]]:
    """Status, text and cookies of an answer; status 0 where nobody answers."""
    context = ssl._create_unverified_context()
    link = http.client.HTTPSConnection("localhost", port, context=context, timeout=30, source_address=(sender, 0))
    try:
        link.request(method, path, body or None, {name.replace("_", "-"): text for name, text in headers.items()})
        answer = link.getresponse()
        cookies = [text.partition(";")[0] for name, text in answer.getheaders() if name.lower() == "set-cookie"]
        return answer.status, answer.read().decode(), cookies
    except OSError:
        return 0, "", []
    finally:
        link.close()


def is_slowed(port: int, sender: str) -> bool:
    """Whether a wrong password is no longer tried."""
    origin = f"https://localhost:{port}"
    _status, page, cookies = request(port, "GET", "/account/login/", sender=sender)
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)
    assert token, page[:500]
    fields = urlencode({"csrfmiddlewaretoken": token[1], "login": "ada", "password": "a wrong guess"})
    form = {"Cookie": "; ".join(cookies), "Referer": f"{origin}/account/login/", "Origin": origin}
    form |= {"Content_Type": "application/x-www-form-urlencoded", "X_Forwarded_For": "203.0.113.77"}
    status, text, _ = request(port, "POST", "/account/login/", fields, sender, **form)
    return status == 429 or "Too many" in text


def test_pages_are_served_through_two_proxies_with_tls(ports: dict[str, int]) -> None:
    status, text, cookies = request(ports["balancer"], "GET", "/account/login/")
    assert status == 200
    assert 'name="password"' in text
    assert cookies


def test_confirmation_pages_are_served_at_their_own_origin(ports: dict[str, int]) -> None:
    until(lambda: request(ports["signing"], "GET", "/static/app.css")[0] != 502)
    assert request(ports["signing"], "GET", "/requests/1")[0] in (200, 404)


def test_each_client_behind_two_proxies_has_its_own_rate_limit(ports: dict[str, int]) -> None:
    answers = [is_slowed(ports["balancer"], _CLIENT) for _ in range(14)]
    assert answers[0] is False
    assert answers[-1] is True
    assert is_slowed(ports["balancer"], _NEIGHBOUR) is False


def test_whoever_reaches_the_service_directly_is_sent_to_tls(ports: dict[str, int]) -> None:
    link = http.client.HTTPConnection("127.0.0.1", ports["service"], timeout=30, source_address=(_CLIENT, 0))
    link.request("GET", "/account/login/", headers={"Host": "localhost", "X-Forwarded-Proto": "https"})
    answer = link.getresponse()
    link.close()
    assert (answer.status, answer.getheader("Location", "")[:8]) == (301, "https://")
