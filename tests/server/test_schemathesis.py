"""The API is sent what its description allows, and what it does not, with a token of each role: it never breaks."""

import json
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import not_a_server_error

from muniment.access.roles import Role
from muniment.server.api import api
from muniment.server.wsgi import application
from tests.support.service import person, product, token_of

pytestmark = pytest.mark.usefixtures("service")

schema = schemathesis.openapi.from_dict(json.loads(json.dumps(api.get_openapi_schema(), default=str)))
schema.app = application


@pytest.fixture(params=["nobody", *Role], ids=str)
def headers(service: None, request: pytest.FixtureRequest) -> dict[str, str]:
    """Of somebody with that role, with a token for everything."""
    product("shop", "/nowhere")
    if request.param == "nobody":
        return {}
    return {"Authorization": f"Bearer {token_of(person('ada', Role(request.param)))}"}


@schema.parametrize()
@settings(
    max_examples=10,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_no_request_breaks_it(case: schemathesis.Case[Any], headers: dict[str, str]) -> None:
    response = case.call(headers=headers)
    case.validate_response(response, checks=[not_a_server_error])
    if not headers:
        assert response.status_code in (401, 404, 405), response.status_code
