"""What GitHub publishes of its interface, to hold our requests against: from npm, once, into a folder that git ignores.

unfit(request)      # "" or what the published description says against a request
delivered()         # the examples of webhook deliveries
"""

import fcntl
import functools
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
import yaml
from jsonschema import Draft7Validator

from tests.support.forges.faulty import Request

_FOLDER = Path(__file__).parents[2] / "forges" / "described"
_OCTOKIT = _FOLDER / "node_modules" / "@octokit"


@functools.cache
def _installed() -> Path:
    """Where the packages are. Skips the test if they cannot be had."""
    with (_FOLDER / "package-lock.json").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # several workers run tests, and one of them fetches
        wanted, stamp = lock.read(), _FOLDER / "node_modules" / ".installed"
        if not stamp.exists() or stamp.read_text() != wanted:
            _fetch()
            stamp.write_text(wanted)
    return _OCTOKIT


def _fetch() -> None:
    if shutil.which("npm") is None:
        pytest.skip("GitHub's published description comes from npm, and there is no npm (apt-get install npm)")
    command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    done = subprocess.run(command, cwd=_FOLDER, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"GitHub's published description could not be fetched: {done.stderr[-300:]}")
    for large in (_OCTOKIT / "openapi" / "generated").glob("*.deref.json"):
        large.unlink()


@functools.cache
def _description(name: str) -> dict[str, Any]:
    """GitHub's by its name, any other by its file."""
    if name.endswith((".yaml", ".yml", ".json")):
        given: dict[str, Any] = yaml.safe_load(Path(name).read_bytes())
        return given
    found: dict[str, Any] = json.loads((_installed() / "openapi" / "generated" / f"{name}.json").read_bytes())
    return found


@functools.cache
def _patterns(name: str) -> list[tuple[re.Pattern[str], str]]:
    return [(re.compile(_pattern(path)), path) for path in _description(name)["paths"]]


def _pattern(path: str) -> str:
    escaped = re.escape(path).replace(r"\{", "{").replace(r"\}", "}")
    return re.sub(r"\{(\w+)\}", lambda found: "(.+)" if found[1] == "ref" else "([^/]+)", escaped)


def unfit(request: Request, root: str = "/api/v3", name: str = "ghes-3.17") -> str:
    """Deviation of a request from the API's description; "" for none."""
    path, method = request.path.removeprefix(root), request.method.lower()
    paths = _description(name)["paths"]
    fitting = [one for pattern, one in _patterns(name) if method in paths[one] and pattern.fullmatch(path)]
    if not fitting:
        return f"there is no {request.method} {path}"
    operation = paths[max(fitting, key=_literal)][method]
    return _queries(name, operation, request) or _body(name, operation, request)


def _literal(path: str) -> int:
    """How much of a path is fixed."""
    return len(re.sub(r"\{\w+\}", "", path))


def _queries(name: str, operation: dict[str, Any], request: Request) -> str:
    given = [_deep(name, parameter) for parameter in operation.get("parameters", ())]
    known = {one["name"]: _schema(one) for one in given if one["in"] == "query"}
    for key, value in request.query.items():
        if key not in known:
            return f"{request.method} {request.path} has no parameter {key}"
        problem = _problem(name, known[key], _typed(unquote(value), _deep(name, known[key])))
        if problem:
            return f"{request.method} {request.path}?{key}: {problem}"
    return ""


def _body(name: str, operation: dict[str, Any], request: Request) -> str:
    described = operation.get("requestBody") or _as_newer(name, operation)
    if not request.body:
        return f"{request.method} {request.path} needs a body" if (described or {}).get("required") else ""
    if described is None:
        return f"{request.method} {request.path} takes no body"
    schema = described["content"]["application/json"]["schema"]
    known = _deep(name, schema).get("properties", {})
    unknown = [key for key in request.body if known and key not in known]
    problem = f"no field {unknown[0]}" if unknown else _problem(name, schema, request.body)
    return f"{request.method} {request.path}: {problem}" if problem else ""


def _schema(parameter: dict[str, Any]) -> dict[str, Any]:
    """A parameter's; Swagger 2 writes it next to its name."""
    found: dict[str, Any] = parameter.get("schema") or {
        key: value for key, value in parameter.items() if key not in ("name", "in", "required", "description")
    }
    return found


def _as_newer(name: str, operation: dict[str, Any]) -> dict[str, Any] | None:
    """Convert a body of Swagger 2 to OpenAPI 3; a form takes the same fields as JSON."""
    given = [_deep(name, parameter) for parameter in operation.get("parameters", ())]
    schemas = [one["schema"] for one in given if one["in"] == "body"]
    form = {one["name"]: _schema(one) for one in given if one["in"] == "formData"}
    if form:
        schemas.append({"type": "object", "properties": form})
    return {"content": {"application/json": {"schema": schemas[0]}}} if schemas else None


def _problem(name: str, schema: dict[str, Any], value: Any) -> str:
    validator = Draft7Validator({**_nullable(schema), **_components(name)})
    found = sorted(validator.iter_errors(value), key=str)
    return found[0].message[:300] if found else ""


@functools.cache
def _components(name: str) -> dict[str, Any]:
    given = _description(name)
    return {key: _nullable(given[key]) for key in ("components", "definitions") if key in given}


def _nullable(schema: Any) -> Any:
    """OpenAPI 3.0 says `nullable`, JSON Schema has no such word."""
    if isinstance(schema, list):
        return [_nullable(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    found = {key: _nullable(value) for key, value in schema.items()}
    if schema.get("nullable") is True and isinstance(schema.get("type"), str):
        found["type"] = [schema["type"], "null"]
    return found


def _deep(name: str, thing: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in thing:
        found: Any = _description(name)
        for key in thing["$ref"].removeprefix("#/").split("/"):
            found = found[key]
        thing = found
    return thing


def _typed(text: str, schema: dict[str, Any]) -> Any:
    kind = schema.get("type")
    if kind == "integer":
        return int(text) if re.fullmatch("-?[0-9]+", text) else text
    return {"true": True, "false": False}.get(text, text) if kind == "boolean" else text


def graphql_schema() -> str:
    """GitHub's published GraphQL schema."""
    return (_installed() / "graphql-schema" / "schema.graphql").read_text()


def delivered() -> list[tuple[str, dict[str, Any]]]:
    """The published examples of deliveries, with the name of their event."""
    listed = json.loads((_installed() / "webhooks-examples" / "api.github.com" / "index.json").read_bytes())
    return [(one["name"], example) for one in listed for example in one["examples"]]
