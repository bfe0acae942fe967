"""Routes of a Flask application: its URL map."""

from typing import Any

from pytest_muniment.frameworks import AppRoute, AppRoutes
from pytest_muniment.handlers import find_class_handlers, find_handler, is_library, is_own_class, name_handler


def list_flask_routes(application: Any) -> AppRoutes:
    """Routes of the URL map. HEAD and OPTIONS that Flask adds by itself are left out."""
    return AppRoutes(tuple(_make_route(application, rule) for rule in application.url_map.iter_rules()))


def _make_route(application: Any, rule: Any) -> AppRoute:
    view = application.view_functions.get(rule.endpoint)
    added = {"HEAD"} if "GET" in rule.methods else set()
    if rule.provide_automatic_options:
        added.add("OPTIONS")
    methods = tuple(sorted(rule.methods - added))
    view_class = getattr(view, "view_class", None)
    if view_class is not None:
        names = {method: method.lower() for method in methods if hasattr(view_class, method.lower())}
        functions = find_class_handlers(view_class, names or dict.fromkeys(methods, "dispatch_request"))
        is_own = is_own_class(view_class)
        name = name_handler(view_class)
    else:
        function = find_handler(view)
        functions = (("*", function),) if function is not None else ()
        is_own = function is None or not is_library(function.__code__.co_filename)
        name = name_handler(view)
    converters = getattr(rule, "_converters", {})
    parameters = tuple((each, type(converters[each]).__name__) for each in sorted(rule.arguments) if each in converters)
    return AppRoute(rule.rule, methods, name, functions, parameters, _make_template(rule), is_own)


def _make_template(rule: Any) -> str:
    """Path from the parts of a rule: `/orders/<int:id>` gives `/orders/{id}`."""
    trace = getattr(rule, "_trace", None)
    if trace is None:
        return ""
    parts = [f"{{{value}}}" if dynamic else str(value) for dynamic, value in trace]
    return "".join(parts).partition("|")[2].replace("|", "")  # the part before the first | is the host
