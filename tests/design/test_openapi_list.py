"""Routes from a description in the form of OpenAPI: what is not surely guarded is no guarded route."""

import json
from typing import Any

import pytest

from muniment.design.findings import FindingCode
from muniment.design.route_checks import check_routes
from muniment.design.routes.registry import is_route_source, read_routes
from muniment.design.routes.route import RouteList

DESCRIPTION: dict[str, Any] = {
    "openapi": "3.1.0",
    "security": [{"session": []}],
    "paths": {
        "/orders": {"get": {"operationId": "listOrders"}, "post": {"security": [{"key": []}, {"session": []}]}},
        "/health": {"parameters": [], "get": {"security": []}},
        "/maybe": {"get": {"security": [{}, {"session": []}]}},
    },
}


def read(description: Any, name: str = "api/openapi.json") -> RouteList:
    text = description if isinstance(description, str) else json.dumps(description)
    return read_routes("openapi", {name: text})


def test_each_operation_is_a_route_with_its_schemes() -> None:
    found = {route.name: [guard.name for guard in route.guards] for route in read(DESCRIPTION).routes}
    assert found == {
        "GET /orders": ["session"],
        "POST /orders": ["key or session"],
        "GET /health": [],
        "GET /maybe": [],
    }


def test_an_operation_that_lets_everybody_in_is_a_finding() -> None:
    findings = check_routes([read(DESCRIPTION)], ()).findings
    assert {finding.subject for finding in findings if finding.code is FindingCode.UNGUARDED_ROUTE} == {
        "GET /health",
        "GET /maybe",
    }


@pytest.mark.parametrize(
    "description",
    [
        "nonsense",
        [],
        {},
        {"paths": []},
        {"paths": {"/a": {"$ref": "other.json"}}},
        {"paths": {"/a": {"get": {"security": {}}}}},
        {"paths": {"/a": {"get": {"security": ["session"]}}}},
        {"paths": {"/a": {"get": None}}},
    ],
)
def test_a_description_of_another_form_is_unknown(description: Any) -> None:
    found = read(description)
    assert found.routes == ()
    assert [each.where for each in found.unread] == ["api/openapi.json"]


def test_without_a_description_the_routes_are_unknown() -> None:
    [unread] = read(DESCRIPTION, "api/other.json").unread
    assert unread.why == "there is no file openapi.json or swagger.json"
    assert is_route_source("api/openapi.json")
    assert not is_route_source("package.json")
