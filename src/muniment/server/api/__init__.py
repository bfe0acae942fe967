"""API: the same acts as the pages, for programs. Each operation names its action; none works without a token.

Errors are RFC 9457 problems. Lists go by falling id, `below` a cursor. A request that changes something may carry
an `Idempotency-Key`, and `If-Match` with the ETag of the state that was read. One module for each noun, here by
hand.
"""

import functools
import json
from collections.abc import Iterator
from importlib import import_module
from typing import Any

from django.db import transaction
from django.http import HttpRequest, HttpResponse
from ninja.operation import PathView
from ninja.responses import NinjaJSONEncoder

from muniment.access.actions import Action
from muniment.server.api import (
    accounts,
    changes,
    connections,
    deployments,
    environments,
    incidents,
    job_runs,
    people,
    policies,
    products,
    records,
    requests,
    secrets,
)
from muniment.server.api_operations import for_action
from muniment.server.api_serving import api
from muniment.server.guarding.mediation import find_own_resource
from muniment.server.guarding.system_checks import register_operations
from muniment.server.registration import read_contributions

__all__ = ["api", "list_addresses"]

_PRODUCTS = (products, changes, environments, secrets, deployments, job_runs)

for noun in (*_PRODUCTS, people, accounts, requests, policies, connections, incidents, records):
    api.add_router("", noun.router)
for name in (one for app in read_contributions() for one in app.api):
    api.add_router("", import_module(name).router)


@api.get("/openapi.json")
@for_action(Action.MANAGE_OWN_ACCOUNT, find_own_resource)
def describe_api(request: HttpRequest) -> HttpResponse:
    """Describe every operation (OpenAPI 3.1)."""
    return HttpResponse(_format_description(), content_type="application/json")


@functools.cache
def _format_description() -> str:
    """Description of the API, which is the same while this process runs and takes long to build."""
    return json.dumps(api.get_openapi_schema(), cls=NinjaJSONEncoder)


def list_addresses() -> tuple[list[Any], str, str]:
    """List every address, for `path`. Operations have transactions of their own: one waits for another process.

    Addresses of operations are marked: one that the library adds besides is refused, unless `open_routes` lists it.
    """
    patterns, app, namespace = api.urls
    for pattern in patterns:
        if pattern.callback is not None:
            transaction.non_atomic_requests(pattern.callback)
            name = getattr(pattern.callback, "__qualname__", "")
            is_operation = name.startswith(f"{PathView.__qualname__}.")
            pattern.callback.has_operations = is_operation  # type: ignore[attr-defined]
    return patterns, app, namespace


def find_operations() -> Iterator[Any]:
    """Find the view of every operation."""
    for _, router in api._routers:
        for path in router.path_operations.values():
            yield from (operation.view_func for operation in path.operations)


register_operations(find_operations)
