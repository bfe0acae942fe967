"""Entry points: functions that a framework calls, and the values of their parameters."""

import ast
import re
from collections.abc import Iterable
from dataclasses import dataclass

from muniment.scanners.python.models import InputSource
from muniment.scanners.python.state import State
from muniment.scanners.python.values import AbstractValue, Class, FunctionValue, Symbol

_ROUTE_WORDS = frozenset(
    ["route", "get", "post", "put", "delete", "patch", "head", "options", "websocket", "api_route", "view"]
)
_VERBS = frozenset(
    [
        "get",
        "post",
        "put",
        "delete",
        "patch",
        "head",
        "options",
        "dispatch",
        "list",
        "create",
        "retrieve",
        "update",
        "destroy",
    ]
)
_PARAMETER = re.compile(
    r"<(?:(?P<converter>[a-zA-Z_]+)(?:\([^()<]*\))?:)?(?P<name>\w+)>|\{(?P<other>\w+)(?::(?P<kind>\w+))?\}"
)
_NUMERIC = frozenset(
    ["int", "float", "uuid", "decimal", "bool", "UUID", "Decimal", "date", "datetime", "time", "timedelta", "EmailStr"]
)
_SERVICES = re.compile(
    r"session|background|response|security|depends|state|settings|client|service|database|websocket", re.I
)

PATH_TEXT = InputSource("text", "route parameter", without="/")
ROUTE_TEXT = InputSource("text", "route parameter")
MODEL = InputSource("object", "request body")
EVENT = InputSource("object", "event of a cloud function")


@dataclass(frozen=True, slots=True)
class EntryRoute:
    """Decorator that registers a function at a framework."""

    path: str  # name of the decorator, such as `flask.Flask().route()`
    node: ast.expr
    address: str | None


@dataclass(frozen=True, slots=True)
class EntryPoint:
    """Function that the analysis starts with. A nested one has the state in which it was defined."""

    function: FunctionValue
    outer: str
    routes: tuple[EntryRoute, ...]
    state: State | None


@dataclass(frozen=True, slots=True)
class Parameters:
    """Parameters that a framework fills: each with the name of a library object, or with a source."""

    symbols: dict[str, str]
    sources: dict[str, InputSource]
    response: bool = False


def describe_decorators(decorators: Iterable[tuple[ast.expr, AbstractValue]]) -> tuple[str, tuple[EntryRoute, ...]]:
    """Tell what kind of method decorators make, and which routes they register."""
    kind, routes = "", []
    for node, value in decorators:
        one = value.base[0]
        path = one.path if isinstance(one, Symbol) else ""
        last = path.rpartition(".")[2]
        if path in ("builtins.property", "functools.cached_property", "django.utils.functional.cached_property"):
            kind = "property"
        elif path in ("builtins.staticmethod", "builtins.classmethod"):
            kind = last
        elif isinstance(node, ast.Attribute) and node.attr in ("setter", "deleter"):
            kind = "setter"
        address = None
        if isinstance(node, ast.Call):
            first = (
                node.args[0] if node.args else next((k.value for k in node.keywords if k.arg in ("path", "rule")), None)
            )
            if isinstance(first, ast.Constant) and isinstance(first.value, str):
                address = first.value
            elif isinstance(node.func, ast.Attribute) and node.func.attr in _ROUTE_WORDS and first is not None:
                address = ""
            path = path or ast.unparse(node.func)[:100] + "()"
        routes.append(EntryRoute(path or ast.unparse(node)[:100], node, address))
    return kind, tuple(routes)


def _find_request_symbol(argument: ast.arg, imports: frozenset[str], *, in_class: bool) -> str:
    """Symbol of a framework's request that an annotation, or a name that the framework passes, shows; "" for none."""
    annotation = ast.unparse(argument.annotation) if argument.annotation is not None else ""
    if annotation.endswith("HttpRequest"):
        return "django.request"
    if annotation.rpartition(".")[2] == "Request" and imports & {"fastapi", "starlette"}:
        return "starlette.request"
    if annotation == "web.Request" or (argument.arg == "request" and "aiohttp" in imports and not in_class):
        return "aiohttp.request"
    return "upload" if annotation.rpartition(".")[2] == "UploadFile" else ""


def describe_parameters(
    entry: EntryPoint, owner: Class | None, bases: list[str], imports: frozenset[str], views: frozenset[str] | None
) -> Parameters:
    """Describe the parameters of a function by the framework that calls it, if any does.

    `imports` are the top packages that its module imports, `views` the names that the URLconfs of the repository
    register (None if there is no URLconf).
    """
    node = entry.function.node
    arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
    if owner is not None and entry.function.kind != "staticmethod":
        arguments = arguments[1:]
    symbols: dict[str, str] = {}
    sources: dict[str, InputSource] = {}
    for one in arguments:
        if symbol := _find_request_symbol(one, imports, in_class=owner is not None):
            symbols[one.arg] = symbol
    route = next((one for one in entry.routes if _is_route(one)), None)
    if route is not None and route.address is not None and symbols.get("request") != "aiohttp.request":
        if "fastapi" in imports and "flask" not in imports:
            _describe_api_parameters(node, arguments, route, symbols, sources)
            return Parameters(symbols, sources, "HTMLResponse" in ast.unparse(route.node))
        _describe_route_parameters(arguments, route.address, sources)
        pages = bool(imports & {"flask", "bottle", "quart", "sanic", "microdot", "pyramid"})
        return Parameters(symbols, sources, response=pages)
    if _is_django_view(entry, owner, bases, arguments, imports, views):
        for one in arguments:
            if one.arg == "request":
                symbols[one.arg] = "django.request"
            elif _is_textual(one):
                sources[one.arg] = PATH_TEXT
        if owner is not None:
            symbols["self.request"] = "django.request"
        return Parameters(symbols, sources)
    if owner is not None and node.name in _VERBS if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) else False:
        if any(
            base.endswith(("MethodView", "flask_restful.Resource", "flask_restx.Resource", ".Resource"))
            for base in bases
        ):
            for one in arguments:
                if _is_textual(one):
                    sources[one.arg] = PATH_TEXT
            return Parameters(symbols, sources, response=any(base.endswith("View") for base in bases))
        if any(base.endswith("RequestHandler") for base in bases):
            for one in arguments:
                sources[one.arg] = PATH_TEXT
    names = [one.arg for one in arguments]
    if entry.function.name in ("lambda_handler", "handler") and names[:2] == ["event", "context"]:
        sources["event"] = EVENT
    return Parameters(symbols, sources)


def _is_route(route: EntryRoute) -> bool:
    name = route.path.removesuffix("()").rpartition(".")[2]
    return name in _ROUTE_WORDS and route.address is not None


def _is_textual(one: ast.arg) -> bool:
    annotation = ast.unparse(one.annotation) if one.annotation is not None else ""
    if annotation:
        return "str" in annotation
    return not one.arg.endswith(("id", "pk", "year", "month", "day", "page", "num")) and one.arg not in (
        "format",
        "form",
    )


def _describe_route_parameters(arguments: list[ast.arg], address: str, sources: dict[str, InputSource]) -> None:
    converters = {
        found["name"] or found["other"]: found["converter"] or found["kind"] or ""
        for found in _PARAMETER.finditer(address)
    }
    for one in arguments:
        converter = converters.get(one.arg)
        if converter is None:
            continue
        if converter == "path":
            sources[one.arg] = ROUTE_TEXT
        elif converter not in _NUMERIC:
            sources[one.arg] = PATH_TEXT


def _describe_api_parameters(
    node: ast.AST, arguments: list[ast.arg], route: EntryRoute, symbols: dict[str, str], sources: dict[str, InputSource]
) -> None:
    """Describe the parameters of a FastAPI route by their annotations and defaults."""
    assert isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
    positional = [*node.args.posonlyargs, *node.args.args]
    defaults = dict(
        zip(
            [one.arg for one in positional[len(positional) - len(node.args.defaults) :]],
            node.args.defaults,
            strict=True,
        )
    )
    defaults.update({one.arg: d for one, d in zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True) if d})
    in_path = {found["other"]: found["kind"] or "" for found in _PARAMETER.finditer(route.address or "")}
    for one in arguments:
        annotation = ast.unparse(one.annotation) if one.annotation is not None else ""
        default = ast.unparse(defaults[one.arg]) if one.arg in defaults else ""
        words = set(re.findall(r"\w+", annotation))
        if one.arg in symbols or "Depends" in default or "Depends" in words or "Security" in default:
            continue
        if words & _NUMERIC or "Literal" in words:
            continue
        if one.arg in in_path:
            sources[one.arg] = ROUTE_TEXT if in_path[one.arg] == "path" else PATH_TEXT
        elif "str" in words or not annotation:
            sources[one.arg] = InputSource("text", "query parameter")
        elif words & {"dict", "Dict", "list", "List"} or (
            not _SERVICES.search(annotation) and "HTTP" not in annotation and "Credentials" not in annotation
        ):
            sources[one.arg] = MODEL


def _is_django_view(
    entry: EntryPoint,
    owner: Class | None,
    bases: list[str],
    arguments: list[ast.arg],
    imports: frozenset[str],
    views: frozenset[str] | None,
) -> bool:
    name = entry.function.name
    if owner is not None:
        framework = any(
            base.startswith(("django.views", "rest_framework")) or base.endswith(("View", "ViewSet")) for base in bases
        )
        return framework and bool(imports & {"django", "rest_framework"})
    if not arguments or arguments[0].arg != "request":
        return False
    if any(route.path.startswith(("django.", "rest_framework.")) for route in entry.routes):
        return True
    if views is not None:
        return name in views
    return bool(imports & {"django", "rest_framework"})


__all__ = ["EntryPoint", "EntryRoute", "Parameters", "describe_decorators", "describe_parameters"]
