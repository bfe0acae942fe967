"""The API: the same acts as the pages, for programs. Each operation names its action; nothing opens without a token.

Errors are RFC 9457 problems. Lists go by falling id, `below` a cursor. What changes something may carry an
`Idempotency-Key`, and `If-Match` with the ETag that it was read with. One module for each noun, here by hand.
"""

from muniment.server.api import (
    accounts,
    changes,
    environments,
    incidents,
    people,
    policies,
    products,
    proposals,
    record,
)
from muniment.server.api.serving import api

__all__ = ["api"]

for noun in (products, changes, environments, people, accounts, proposals, policies, incidents, record):
    api.add_router("", noun.router)
