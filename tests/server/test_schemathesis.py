"""Requests that the API description allows or forbids, with a token of each role, never cause a defect."""

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.db import close_old_connections, transaction
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import not_a_server_error

from muniment.access.authorization import Actor
from muniment.access.roles import Role
from muniment.server.api import api
from muniment.server.api_serving import TokenAuthentication
from muniment.server.people.models import ApiToken
from muniment.server.running import preparation
from muniment.server.running.embedded_postgres import EmbeddedPostgres
from muniment.server.wsgi import application
from tests.support.service import as_role, empty, person, product, token_of

pytestmark = pytest.mark.slow  # some thousand requests of chance

NOBODY = "nobody"
REFUSALS = 3  # from the first request on: the role has no right to the operation, and more would only repeat it

schema = schemathesis.openapi.from_dict(json.loads(json.dumps(api.get_openapi_schema(), default=str)))
schema.app = application


@pytest.fixture(scope="module")
def everybody(postgres: EmbeddedPostgres) -> Iterator[dict[str, dict[str, str]]]:
    """Headers of one person per role, with a token for all scopes; who a token belongs to is read once."""
    with as_role("owner"):
        empty()
        preparation.apply_first_policy()
    product("shop", "/nowhere")
    found = {role.value: token_of(person(role.value, role)) for role in Role}
    with read_tokens_once():
        yield {NOBODY: {}, **{name: {"Authorization": f"Bearer {text}"} for name, text in found.items()}}


@contextmanager
def read_tokens_once() -> Iterator[None]:
    """Reading a token and its person takes most of a request's time."""
    read: dict[str, tuple[Actor, ApiToken | None]] = {}
    authenticate = TokenAuthentication.authenticate

    def look_up(self: TokenAuthentication, request: Any, token: str) -> ApiToken | None:
        if token not in read:
            found = authenticate(self, request, token)
            read[token] = (request.actor, found)
        request.actor, found = read[token]
        request.token = found
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TokenAuthentication, "authenticate", look_up)
        yield


@pytest.fixture
def undone() -> Iterator[None]:
    """What the requests of a test change is undone."""
    signals = (request_started, request_finished)  # after a request, Django would end the transaction around it
    for signal in signals:
        signal.disconnect(close_old_connections)
    with transaction.atomic():
        yield
        transaction.set_rollback(True)
    for signal in signals:
        signal.connect(close_old_connections)


@pytest.fixture(params=["each role"])  # with a parameter, the name of each operation is in the id of its test
def refusals(request: pytest.FixtureRequest) -> Counter[str]:
    """How many requests of each role were refused; -1 where one was not."""
    return Counter()


@schema.parametrize()
@settings(
    max_examples=10,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_no_request_causes_a_server_error(
    case: schemathesis.Case[Any], everybody: dict[str, dict[str, str]], undone: None, refusals: Counter[str]
) -> None:
    for name, headers in everybody.items():
        if refusals[name] == REFUSALS:
            continue
        response = case.call(headers=headers)
        case.validate_response(response, checks=[not_a_server_error])
        if name == NOBODY:
            assert response.status_code in (401, 404, 405), response.status_code
        if response.status_code not in (401, 403):
            refusals[name] = -1
        elif refusals[name] >= 0:
            refusals[name] += 1
