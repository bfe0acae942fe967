"""Requests that the API description allows or forbids, with a token of each role, never cause a defect."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.db import close_old_connections, transaction
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import not_a_server_error

from muniment.access.roles import Role
from muniment.server.api import api
from muniment.server.running import preparation
from muniment.server.running.embedded_postgres import EmbeddedPostgres
from muniment.server.wsgi import application
from tests.support.service import as_role, empty, person, product, token_of

pytestmark = pytest.mark.slow  # a thousand requests of chance

schema = schemathesis.openapi.from_dict(json.loads(json.dumps(api.get_openapi_schema(), default=str)))
schema.app = application


@pytest.fixture(scope="module")
def everybody(postgres: EmbeddedPostgres) -> dict[str, dict[str, str]]:
    """One person per role with a token for all scopes, created once."""
    with as_role("owner"):
        empty()
        preparation.apply_first_policy()
    product("shop", "/nowhere")
    found = {role.value: token_of(person(role.value, role)) for role in Role}
    return {"nobody": {}, **{name: {"Authorization": f"Bearer {text}"} for name, text in found.items()}}


@pytest.fixture(params=["nobody", *Role], ids=str)
def headers(everybody: dict[str, dict[str, str]], request: pytest.FixtureRequest) -> Iterator[dict[str, str]]:
    """Headers of one role; the test's changes to that person are undone."""
    signals = (request_started, request_finished)  # after a request, Django would end the transaction around it
    for signal in signals:
        signal.disconnect(close_old_connections)
    with transaction.atomic():
        yield everybody[request.param]
        transaction.set_rollback(True)
    for signal in signals:
        signal.connect(close_old_connections)


@schema.parametrize()
@settings(
    max_examples=10,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_no_request_causes_a_server_error(case: schemathesis.Case[Any], headers: dict[str, str]) -> None:
    response = case.call(headers=headers)
    case.validate_response(response, checks=[not_a_server_error])
    if not headers:
        assert response.status_code in (401, 404, 405), response.status_code
