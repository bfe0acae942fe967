"""One person signs in and tries every form and every API operation over real HTTP: no decision of two people weakens.

Each is sent with other methods, content types, doubled fields, other forms of ids, other people's ids, and several
times at the same moment. `MUNIMENT_HTTP_ROUNDS` sets how often all of it is tried, `MUNIMENT_HTTP_ROLES` as whom, such
as "admin owner security", and `MUNIMENT_HTTP_STEPS` how many forms and operations of each round: a number, never a
time, so a busy machine tries no less. All of them, by one role, take minutes: unless told otherwise, an administrator
tries all, and each other role a few that its seed chooses.
"""

import http.client
import json
import os
import random
import threading
import wsgiref.simple_server
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from socketserver import ThreadingMixIn
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode

import pytest
from django.db import close_old_connections, connections, transaction
from django.urls import URLPattern, URLResolver, get_resolver

from muniment.access.roles import Role
from muniment.server.acts.guarded_state import GuardedState
from muniment.server.acts.parser import find_typed_inputs
from muniment.server.guarding.open_routes import API
from muniment.server.people.models import Person
from muniment.server.requests.registry import GUARDING_ACTS
from muniment.server.running import preparation
from muniment.server.running.embedded_postgres import EmbeddedPostgres
from muniment.server.secrets import secret_acts
from muniment.server.wsgi import application
from tests.server.test_undoing_two_people import OPERATIONS, SCHEMA, decide_everything
from tests.support import one_person
from tests.support.act_routes import fill_address, find_act_routes
from tests.support.one_person import ATTACKER
from tests.support.service import as_role, browser, empty, token_of, trust_rows
from tests.support.time_limit import begin_step

pytestmark = pytest.mark.slow  # thousands of requests

ROUNDS = int(os.environ.get("MUNIMENT_HTTP_ROUNDS", "1"))
ROLES = tuple(map(Role, os.environ.get("MUNIMENT_HTTP_ROLES", "").split())) or tuple(Role)
STEPS = int(os.environ.get("MUNIMENT_HTTP_STEPS", "0")) or None  # all of them
FEW_STEPS = 30  # of a role that is not named
AT_ONCE = 3
LEAST_PERFORMED = 20  # requests of who tried all that did something: else the test would try nothing
SIGN_IN = ("/accounts/", "/welcome/", "/static/", "/me/sign-out")  # not what a signed-in person does to others
ENDS_ACCESS = ("deactivate", "revoke", "erase", "invite", "recover")  # not of oneself: nothing would be left to try


class Request(NamedTuple):
    """Request as it is sent."""

    method: str
    address: str
    body: bytes
    headers: Mapping[str, str]


class _Server(ThreadingMixIn, wsgiref.simple_server.WSGIServer):
    daemon_threads = True

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            connections.close_all()


class _Handler(wsgiref.simple_server.WSGIRequestHandler):
    def log_message(self, format: str, *args: object) -> None: ...


@contextmanager
def serve() -> Iterator[int]:
    """Serve the pages and the API on loopback, each request in a thread of its own; the port."""
    with wsgiref.simple_server.make_server("127.0.0.1", 0, application, _Server, _Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


class Attack:
    """One person's attack on a running service, whose choices `seed` decides."""

    def __init__(self, port: int, seed: int) -> None:
        self.port = port
        self.random = random.Random(seed)
        self.statuses: Counter[int] = Counter()
        self.token = token_of(Person.objects.get(pk=ATTACKER))

    def renew_session(self) -> None:
        """Sign in anew: an earlier request may have ended the session."""
        client = browser(Person.objects.get(pk=ATTACKER))
        secret = "c" * 32
        self.cookies = {"Cookie": f"sessionid={client.cookies['sessionid'].value}; csrftoken={secret}"}
        self.csrf = {"X-CSRFToken": secret, "Referer": "http://localhost/"}

    def send(self, request: Request) -> int:
        """Send one request; the status of its answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port)
        try:
            headers = {"Host": "localhost", **request.headers}
            connection.request(request.method, quote(request.address, safe="/%?=&"), request.body, headers)
            return connection.getresponse().status
        finally:
            connection.close()

    def send_all(self, requests: list[Request]) -> None:
        """Send requests at the same moment."""
        with ThreadPoolExecutor(len(requests)) as pool:
            self.statuses.update(pool.map(self.send, requests))

    def attack_form(self, address: str, tag: str, fields: list[str]) -> None:
        """Try one form of a page."""
        self.renew_session()
        filled = fill_address(address, lambda part: self._choose_part(address, part))
        values = self._choose_values(fields, tag)
        own = {**self.cookies, **self.csrf}
        form = urlencode(values).encode()
        doubled = urlencode([*values.items(), *self._choose_values(fields, tag).items()]).encode()
        plain = {**own, "Content-Type": "application/x-www-form-urlencoded"}
        self.send_all([Request("POST", filled, form, plain)] * AT_ONCE)
        other = self.random.choice(("PUT", "PATCH", "DELETE", "GET", "HEAD", "OPTIONS"))
        boundary = b"--b\r\n" + b"".join(
            f'Content-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n--b\r\n'.encode()
            for name, value in values.items()
        )
        self.send_all(
            [
                Request("POST", filled, doubled, plain),
                Request(other, filled, form, plain),
                Request("POST", filled, form, {**plain, "X-HTTP-Method-Override": other}),
                Request("POST", filled, json.dumps(values).encode(), {**own, "Content-Type": "application/json"}),
                Request("POST", filled, form, {**own, "Content-Type": "text/plain"}),
                Request("POST", f"{filled}?{form.decode()}", b"", plain),
                Request("POST", filled, boundary, {**own, "Content-Type": "multipart/form-data; boundary=b"}),
                Request("POST", self._write_differently(filled), form, plain),
            ]
        )

    def attack_operation(self, method: str, path: str) -> None:
        """Try one operation of the API."""
        self.renew_session()
        address = path.replace("{", "<").replace("}", ">")
        filled = fill_address(address, lambda part: self._choose_part(address, part))
        values = self._choose_values(_list_body_fields(method, path), path)
        token = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        body = json.dumps(values).encode()
        self.send_all([Request(method.upper(), filled, body, token)] * AT_ONCE)
        doubled = body[:-1] + b"," + json.dumps(self._choose_values(list(values), path)).encode()[1:]
        other = self.random.choice(("POST", "PUT", "PATCH", "DELETE"))
        key = {"Idempotency-Key": "k" * 20}
        by_session = {**self.cookies, **self.csrf, "Content-Type": "application/json"}
        self.send_all(
            [
                Request(method.upper(), filled, doubled if values else body, token),
                Request(other, filled, body, token),
                Request(method.upper(), filled, urlencode(values).encode(), {**token, "Content-Type": "text/plain"}),
                Request(method.upper(), filled, body, {**token, **key}),
                Request(method.upper(), filled, body, {**token, **key}),
                Request(method.upper(), filled, body, by_session),
                Request(method.upper(), self._write_differently(filled), body, token),
                Request(method.upper(), f"{filled}?{urlencode(values)}", b"{}", token),
            ]
        )

    def _choose_part(self, address: str, part: str) -> str:
        """Value of a part of an address, by what it names."""
        place = address if address.startswith("/api/") else f"/api{address}"
        if part in ("slug", "name", "number", "handle", "text"):
            values = next((found() for start, found in one_person._OF_PATH.items() if place.startswith(start)), [1])
        else:
            values = one_person._VALUES[part]() if part in one_person._VALUES else [1, "shop", "production"]
        return self._choose(values, address)

    def _choose_values(self, fields: list[str], tag: str) -> dict[str, str]:
        found = {name: self._choose(one_person.values_for(name, tag), tag) for name in fields}
        return {name: value for name, value in found.items() if value != ""}

    def _choose(self, values: list[Any], place: str) -> str:
        if any(word in place for word in ENDS_ACCESS) or place.startswith("/api/people"):
            values = [value for value in values if value != ATTACKER]
        value = self.random.choice(values) if values else ""
        return {True: "yes", False: "no"}.get(value, str(value)) if isinstance(value, bool) else str(value)

    def _write_differently(self, address: str) -> str:
        """Another form of the same address."""
        head, _slash, last = address.rstrip("/").rpartition("/")
        forms = (
            last.upper(),
            f"0{last}",
            f"+{last}",
            f"{last}%20",
            f"{last}%00",
            f"./{last}",
            f"{last}/",
            f"{last}.json",
        )
        return f"{head}/{self.random.choice((*forms, 'x%2F..%2F' + last, '１'))}"


def _list_body_fields(method: str, path: str) -> list[str]:
    body = SCHEMA["paths"][path][method].get("requestBody", {})
    schema = body.get("content", {}).get("application/json", {}).get("schema", {})
    if "$ref" in schema:
        schema = SCHEMA["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return list(schema.get("properties", {}))


def _list_addresses(patterns: list[URLPattern | URLResolver], prefix: str = "") -> Iterator[str]:
    for pattern in patterns:
        whole = prefix + str(pattern.pattern)
        if isinstance(pattern, URLPattern):
            yield f"/{whole}"
        elif pattern.namespace != API:
            yield from _list_addresses(pattern.url_patterns, whole)


def list_forms() -> list[tuple[str, str, list[str]]]:
    """(address, tag of the act, fields) of each form, and of each other address of a page."""
    acts = [route for route in find_act_routes() if not route.api]
    found = [(route.address, route.act.act_tag(), list(find_typed_inputs(route.act))) for route in acts]
    known = {route.address for route in acts}
    others = [one for one in _list_addresses(get_resolver().url_patterns) if one not in known and "^" not in one]
    found += [(address, address, ["reason", "approve", "number", "request"]) for address in others]
    return [one for one in found if not one[0].startswith(SIGN_IN)]


def read_states() -> dict[str, GuardedState]:
    """States that acts of two persons guard."""
    with as_role("owner"):
        return {act.act_tag(): act.guarded_state() for act in GUARDING_ACTS}


def count_steps(role: Role) -> int | None:
    """How many forms and operations a role tries; None for all."""
    named = role is Role.ADMIN or "MUNIMENT_HTTP_ROLES" in os.environ
    return STEPS if named or STEPS is not None else FEW_STEPS


@pytest.fixture(name="role", params=ROLES, ids=str)
def _role(request: pytest.FixtureRequest) -> Role:
    role: Role = request.param
    return role


@pytest.fixture
def port(postgres: EmbeddedPostgres, role: Role) -> Iterator[int]:
    """Port of a service where two people decided one thing of each kind; the attacker has one role."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(secret_acts, "_write_to_vault", lambda act, value: None)
        trust_rows(patch)  # people are added by no act
        with as_role("owner"):
            empty()
            preparation.apply_first_policy()
            with transaction.atomic():
                one_person.add_people((role,))
                decide_everything()
        with serve() as found:
            yield found
    close_old_connections()


def test_one_person_weakens_no_decision_over_http(port: int, role: Role) -> None:
    before, attack = read_states(), None
    for round_ in range(ROUNDS):
        attack = Attack(port, round_ * len(Role) + list(Role).index(role))  # each role other steps
        steps: list[tuple[Any, ...]] = [*list_forms(), *OPERATIONS]
        attack.random.shuffle(steps)
        for step in steps[: count_steps(role)]:
            begin_step()
            attack.attack_form(*step) if len(step) == 3 else attack.attack_operation(*step)
            now = read_states()
            for tag, state in now.items():
                assert not state.is_looser_than(before[tag]), f"{step}: {tag}: {before[tag]} became {state}"
            before = now
    assert attack is not None
    performed = sum(count for status, count in attack.statuses.items() if status in (200, 201, 202, 204, 302, 303))
    if count_steps(role) is None:  # of some steps, drawn by chance, a role may have the right to none
        assert performed > LEAST_PERFORMED, attack.statuses
    assert not attack.statuses[500], attack.statuses
