"""Smallest requests that an OpenAPI description allows: required query parameters and a JSON body."""

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

_TEXTS = {
    "date": "2020-01-01",
    "date-time": "2020-01-01T00:00:00Z",
    "time": "00:00:00Z",
    "email": "a@example.org",
    "uuid": "00000000-0000-4000-8000-000000000000",
    "uri": "https://example.org/",
    "ipv4": "127.0.0.1",
}
_DEEPEST = 12


def describe_request(description: Mapping[str, Any], path: str, method: str) -> tuple[str, bytes]:
    """Query and JSON body for one operation; ("", b"") for one that the description does not have."""
    operation = description.get("paths", {}).get(path, {}).get(method.lower())
    if operation is None:
        return "", b""
    query = [
        (each["name"], _make_text(make_example(description, each.get("schema", {}))))
        for each in operation.get("parameters", ())
        if each.get("in") == "query" and each.get("required")
    ]
    content = operation.get("requestBody", {}).get("content", {}).get("application/json")
    body = json.dumps(make_example(description, content.get("schema", {}))).encode() if content else b""
    return urlencode(query), body


def _make_text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def make_example(description: Mapping[str, Any], schema: Mapping[str, Any], depth: int = 0) -> Any:
    """Smallest value that a schema allows, as far as its usual keywords say."""
    if depth > _DEEPEST:
        return None
    if "$ref" in schema:
        target: Any = description
        for step in schema["$ref"].removeprefix("#/").split("/"):
            target = target[step]
        return make_example(description, target, depth + 1)
    for key in ("const", "default", "example"):
        if key in schema:
            return schema[key]
    if schema.get("enum"):
        return schema["enum"][0]
    for key in ("anyOf", "oneOf", "allOf"):
        if schema.get(key):
            return make_example(description, schema[key][0], depth + 1)
    return _make_typed(description, schema, depth)


def _make_typed(description: Mapping[str, Any], schema: Mapping[str, Any], depth: int) -> Any:
    match schema.get("type"):
        case "object":
            required = schema.get("required", ())
            properties = schema.get("properties", {})
            return {name: make_example(description, properties.get(name, {}), depth + 1) for name in required}
        case "array":
            items = schema.get("items", {})
            return [make_example(description, items, depth + 1) for _ in range(schema.get("minItems", 0))]
        case "integer" | "number":
            return schema.get("minimum", schema.get("exclusiveMinimum", 0) + 1)
        case "boolean":
            return False
        case "null":
            return None
        case _:
            text = _TEXTS.get(schema.get("format", ""), "x")
            return text if "format" in schema else text * max(1, schema.get("minLength", 1))
