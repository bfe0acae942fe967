"""The API: the same acts as the pages, for programs. Each operation names its action; nothing opens without a token.

Errors are RFC 9457 problems. Lists go by falling id, `below` a cursor. What changes something may carry an
`Idempotency-Key`, and `If-Match` with the ETag that it was read with. One module for each noun, here by hand.
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
from muniment.server.guarding.checks import register_operations
from muniment.server.registration import read_contributions

__all__ = ["addresses", "api"]

_PRODUCTS = (products, changes, environments, secrets, deployments, job_runs)

for noun in (*_PRODUCTS, people, accounts, requests, policies, connections, incidents, records):
    api.add_router("", noun.router)
for name in (one for app in read_contributions() for one in app.api):
    api.add_router("", import_module(name).router)


def addresses() -> tuple[list[Any], str, str]:
    """Every address, for `path`. Operations have transactions of their own: one waits for another process."""
    patterns, app, namespace = api.urls
    for pattern in patterns:
        if pattern.callback is not None:
            transaction.non_atomic_requests(pattern.callback)
    return patterns, app, namespace


def find_operations() -> Iterator[Any]:
    """The view of every operation."""
    for _, router in api._routers:
        for path in router.path_operations.values():
            yield from (operation.view_func for operation in path.operations)


register_operations(find_operations)
