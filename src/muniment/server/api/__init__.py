"""API: the same acts as the pages, for programs. Each operation names its action; none works without a token.

Errors are RFC 9457 problems. Lists go by falling id, `below` a cursor. A request that changes something may carry
an `Idempotency-Key`, and `If-Match` with the ETag of the state that was read. One module for each noun, here by
hand.
"""

from collections.abc import Iterator
from importlib import import_module
from typing import Any

from django.db import transaction

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
from muniment.server.api_serving import api
from muniment.server.guarding.system_checks import register_operations
from muniment.server.registration import read_contributions

__all__ = ["api", "list_addresses"]

_PRODUCTS = (products, changes, environments, secrets, deployments, job_runs)

for noun in (*_PRODUCTS, people, accounts, requests, policies, connections, incidents, records):
    api.add_router("", noun.router)
for name in (one for app in read_contributions() for one in app.api):
    api.add_router("", import_module(name).router)


def list_addresses() -> tuple[list[Any], str, str]:
    """List every address, for `path`. Operations have transactions of their own: one waits for another process."""
    patterns, app, namespace = api.urls
    for pattern in patterns:
        if pattern.callback is not None:
            transaction.non_atomic_requests(pattern.callback)
    return patterns, app, namespace


def find_operations() -> Iterator[Any]:
    """Find the view of every operation."""
    for _, router in api._routers:
        for path in router.path_operations.values():
            yield from (operation.view_func for operation in path.operations)


register_operations(find_operations)
