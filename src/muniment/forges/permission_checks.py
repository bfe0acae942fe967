"""Tries each kind of request that we need once, to find missing permissions before a change is denied for them.

A probe reads one item, or changes an object that does not exist: whatever the answer, nothing at the forge is altered.
"""

import secrets
from collections.abc import Callable, Iterable
from typing import NamedTuple

from muniment.errors import ForgeCode, ForgeError
from muniment.forges.shapes import RefusedRequest

_HARMLESS_ERRORS = (ForgeCode.NOT_FOUND, ForgeCode.REFUSED)  # to a change of something that is not there


class Probe(NamedTuple):
    """Request to try. `request` is verb and object; `permission` and `cost` as `RefusedRequest` has them.

    `hidden`: the forge says "not there" also where the permission is missing, so that this counts as a refusal.
    """

    request: str
    permission: str
    cost: str
    send: Callable[[], object]
    hidden: bool = False


def try_probes(probes: Iterable[Probe]) -> tuple[RefusedRequest, ...]:
    """Requests that the forge refused because a permission is missing.

    Raises ForgeError where this cannot be determined: no answer, an invalid token, a rate limit.
    """
    found: list[RefusedRequest] = []
    for probe in probes:
        try:
            probe.send()
        except ForgeError as error:
            if error.code is ForgeCode.FORBIDDEN or (probe.hidden and error.code is ForgeCode.NOT_FOUND):
                found.append(RefusedRequest(probe.request, probe.permission, probe.cost))
            elif error.code not in _HARMLESS_ERRORS:
                raise
    return tuple(found)


def make_unused_name() -> str:
    """A random name that does not exist at a forge."""
    return f"muniment-probe-{secrets.token_hex(16)}"
