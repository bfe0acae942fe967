"""A probe refuses production three ways, and counts no answer as a pass that may have another cause."""

import json
import threading
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from muniment.cli.design import command
from muniment.design.model_file import read_design
from muniment.design.probe import MARKER, make_path
from muniment.design.probe_answers import ProbeAnswer, ProbeStatus, evaluate_answer, make_probe_answer
from muniment.design.probe_target import leads_to_production, select_target
from muniment.errors import UsageError

DESIGN = """
schema = 1
product = "shop"
owner = "security@example.org"
[[application]]
framework = "flask"
[[environment]]
id = "production"
hosts = ["shop.example.org"]
production = true
[[public]]
route = "/health"
reason = "the load balancer asks"
by = "security@example.org"
"""
MODEL = read_design(DESIGN, "design.toml")
APP = """
from flask import Flask
app = Flask(__name__)
@app.get("/health")
def health(): pass
@app.get("/guarded")
def guarded(): pass
@app.get("/open/<int:number>")
def opened(number): pass
@app.post("/changing")
def changing(): pass
@app.get("/limited")
def limited(): pass
"""
ADDRESSES = {
    "127.0.0.1": frozenset({"127.0.0.1"}),
    "shop.example.org": frozenset({"192.0.2.1"}),
    "staging.example.org": frozenset({"192.0.2.2"}),
    "alias.example.org": frozenset({"192.0.2.1"}),
}


def resolve(host: str) -> frozenset[str]:
    if host not in ADDRESSES:
        raise OSError
    return ADDRESSES[host]


def test_this_machine_and_a_named_host_may_be_probed() -> None:
    assert select_target(MODEL, "http://127.0.0.1:8000", (), resolve).address.port == 8000
    target = select_target(MODEL, "https://staging.example.org", ("staging.example.org",), resolve)
    assert target.production == {"shop.example.org", "192.0.2.1"}


@pytest.mark.parametrize(
    ("url", "named", "message"),
    [
        ("https://staging.example.org", (), "is not this machine"),
        ("https://shop.example.org", ("shop.example.org",), "is production"),
        ("https://SHOP.example.org.", ("shop.example.org",), "is production"),
        ("https://api.shop.example.org", ("api.shop.example.org",), "is production"),
        ("https://alias.example.org", ("alias.example.org",), "has the address of shop.example.org"),
        ("https://nowhere.example.org", ("nowhere.example.org",), "has no address"),
        ("https://me:word@staging.example.org", ("staging.example.org",), "name or password"),
        ("unix:/run/shop.socket", (), "socket"),
        ("ftp://127.0.0.1", (), "does not begin"),
    ],
)
def test_other_servers_are_refused(url: str, named: tuple[str, ...], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        select_target(MODEL, url, named, resolve)


def test_a_production_host_without_an_address_refuses_other_machines_only() -> None:
    def resolve_no_production(host: str) -> frozenset[str]:
        if host == "shop.example.org":
            raise OSError
        return resolve(host)

    select_target(MODEL, "http://127.0.0.1:8000", (), resolve_no_production)
    with pytest.raises(UsageError, match="may be production"):
        select_target(MODEL, "https://staging.example.org", ("staging.example.org",), resolve_no_production)


def test_a_design_without_production_hosts_refuses_all() -> None:
    model = read_design(DESIGN.replace("production = true", ""), "design.toml")
    with pytest.raises(UsageError, match="does not say which hosts are production"):
        select_target(model, "http://127.0.0.1:8000", (), resolve)


@pytest.mark.parametrize(
    ("location", "expected"),
    [
        ("https://shop.example.org/", True),
        ("//shop.example.org/x", True),
        ("https://192.0.2.1/", True),
        ("http://[broken", True),
        ("/sign-in", False),
        ("https://staging.example.org/", False),
    ],
)
def test_a_redirect_to_production_is_recognised(location: str, expected: bool) -> None:
    target = select_target(MODEL, "http://127.0.0.1:8000", (), resolve)
    assert leads_to_production(target, "/a", location) is expected


MISSING = ProbeAnswer(404)


@pytest.mark.parametrize(
    ("method", "answer", "control", "expected"),
    [
        ("GET", ProbeAnswer(401), MISSING, ProbeStatus.REFUSED),
        ("GET", ProbeAnswer(403), MISSING, ProbeStatus.REFUSED),
        ("GET", ProbeAnswer(401), ProbeAnswer(401), ProbeStatus.UNKNOWN),
        ("GET", ProbeAnswer(403), ProbeAnswer(403), ProbeStatus.UNKNOWN),
        ("POST", ProbeAnswer(403), MISSING, ProbeStatus.UNKNOWN),
        ("POST", ProbeAnswer(401), MISSING, ProbeStatus.REFUSED),
        ("POST", ProbeAnswer(200, digest="a"), MISSING, ProbeStatus.OPEN),
        ("GET", ProbeAnswer(200, digest="a"), MISSING, ProbeStatus.OPEN),
        ("GET", ProbeAnswer(200, digest="a"), ProbeAnswer(200, digest="b"), ProbeStatus.OPEN),
        ("GET", ProbeAnswer(200, digest="a"), ProbeAnswer(200, digest="a"), ProbeStatus.UNKNOWN),
        ("HEAD", ProbeAnswer(200), ProbeAnswer(200), ProbeStatus.UNKNOWN),
        ("HEAD", ProbeAnswer(200), MISSING, ProbeStatus.OPEN),
        ("GET", ProbeAnswer(302, "/sign-in"), MISSING, ProbeStatus.UNKNOWN),
        ("GET", ProbeAnswer(302, "/sign-in"), ProbeAnswer(302, "/sign-in"), ProbeStatus.UNKNOWN),
        *(
            ("POST", ProbeAnswer(status), MISSING, ProbeStatus.UNKNOWN)
            for status in (304, 400, 404, 405, 409, 410, 415, 418, 422, 429, 500, 503)
        ),
    ],
)
def test_an_answer_with_another_possible_cause_is_no_pass(
    method: str, answer: ProbeAnswer, control: ProbeAnswer, expected: ProbeStatus
) -> None:
    assert evaluate_answer(method, answer, control)[0] is expected


def test_a_page_that_repeats_its_path_is_still_the_same_page() -> None:
    first, second = (make_probe_answer(200, "", f"no page {path}".encode(), path) for path in ("/a", "/no-route-b"))
    assert first == second


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        ("/orders/<int:order_id>/<name>", "/orders/1/x"),
        ("/orders/{order_id}/{rest:path}", "/orders/x/x"),
        ("/files/<uuid:id>", "/files/00000000-0000-4000-8000-000000000000"),
        (r"/orders/(?P<pk>\d+)", None),
    ],
)
def test_a_path_is_made_for_a_pattern(pattern: str, path: str | None) -> None:
    assert make_path(pattern) == path


class Instance:
    """Server of answers by path: status and headers. All else is 404. `calls` are those that it received."""

    def __init__(self) -> None:
        self.answers: dict[str, tuple[int, Mapping[str, str]]] = {}
        self.calls: list[str] = []
        instance = self

        class Handler(BaseHTTPRequestHandler):
            def answer(self) -> None:
                instance.calls.append(f"{self.command} {self.path}")
                status, headers = instance.answers.get(self.path, (404, {}))
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", "0")
                self.end_headers()

            do_GET = do_HEAD = do_POST = answer  # noqa: N815 -- names of the standard library

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"


@pytest.fixture
def instance() -> Iterator[Instance]:
    found = Instance()
    found.answers = {"/": (200, {}), "/guarded": (401, {}), "/open/1": (200, {}), "/changing": (200, {})}
    thread = threading.Thread(target=found.server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield found
    found.server.shutdown()
    thread.join()
    found.server.server_close()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    (tmp_path / "app.py").write_text(APP)
    (tmp_path / "design.toml").write_text(DESIGN)
    return tmp_path


def run_probe(repository: Path, instance: Instance, *arguments: str) -> Result:
    words = ["probe", "--repo", str(repository), "--url", instance.url, *arguments]
    return CliRunner().invoke(command, words, catch_exceptions=False, standalone_mode=False)


def test_each_route_has_a_result(repository: Path, instance: Instance) -> None:
    done = run_probe(repository, instance, "--format", "json")
    assert done.return_value == 1
    report = json.loads(done.output)
    results = {f"{each['method']} {each['route']}": each["status"] for each in report["results"]}
    assert results == {
        "GET /health": "public",
        "HEAD /health": "public",
        "GET /guarded": "refused",
        "HEAD /guarded": "refused",
        "GET /open/<int:number>": "open",
        "HEAD /open/<int:number>": "open",
        "POST /changing": "unknown",
        "GET /limited": "unknown",
        "HEAD /limited": "unknown",
    }
    assert not any(call.startswith("POST") for call in instance.calls)
    assert "6 of 9 routes tested" in run_probe(repository, instance).output


def test_a_changing_call_needs_the_marker_of_a_test_instance(repository: Path, instance: Instance) -> None:
    with pytest.raises(UsageError, match="does not state"):
        run_probe(repository, instance, "--changing")
    assert instance.calls == ["GET /"]
    instance.answers["/"] = (200, {MARKER: "shop"})
    report = json.loads(run_probe(repository, instance, "--changing", "--format", "json").output)
    assert [each["status"] for each in report["results"] if each["method"] == "POST"] == ["open"]


def test_a_redirect_to_production_ends_the_probe(repository: Path, instance: Instance) -> None:
    instance.answers["/guarded"] = (302, {"Location": "https://shop.example.org/sign-in"})
    with pytest.raises(UsageError, match="redirects to production"):
        run_probe(repository, instance)
    assert not any("/limited" in call for call in instance.calls)


def test_after_a_rate_limit_nothing_more_is_called(repository: Path, instance: Instance) -> None:
    instance.answers["/guarded"] = (429, {})
    report = json.loads(run_probe(repository, instance, "--format", "json").output)
    statuses = {each["status"] for each in report["results"] if each["route"] != "/health"}
    assert statuses == {"unknown"}
    assert not any("/limited" in call for call in instance.calls)


def test_an_instance_that_does_not_run_is_an_error(repository: Path, instance: Instance) -> None:
    closed = Instance()
    closed.server.server_close()
    with pytest.raises(UsageError):
        run_probe(repository, closed)
