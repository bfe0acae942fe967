"""Tries each kind of request that we need once, so that what a token lacks is known before a change is denied for it.

A probe reads one item, or changes something that is not there: whatever the answer, nothing at the forge is altered.
"""

import secrets
from collections.abc import Callable, Iterable
from typing import NamedTuple

from muniment.errors import ForgeCode, ForgeError
from muniment.forges.shapes import RefusedRequest

_ANSWERS_OF_NOTHING = (ForgeCode.NOT_FOUND, ForgeCode.REFUSED)  # to a change of something that is not there


class Probe(NamedTuple):
    """One kind of request. `request` is verb and object; `permission` and `cost` as `RefusedRequest` has them.

    `hidden`: the forge says "not there" also where the permission is missing, so that this counts as a refusal.
    """

    request: str
    permission: str
    cost: str
    send: Callable[[], object]
    hidden: bool = False


def find_refused_requests(probes: Iterable[Probe]) -> tuple[RefusedRequest, ...]:
    """The requests that the forge refused for want of a permission.

    Raises ForgeError where it cannot be known: no answer, a token that is none any more, a rate limit.
    """
    found: list[RefusedRequest] = []
    for probe in probes:
        try:
            probe.send()
        except ForgeError as error:
            if error.code is ForgeCode.FORBIDDEN or (probe.hidden and error.code is ForgeCode.NOT_FOUND):
                found.append(RefusedRequest(probe.request, probe.permission, probe.cost))
            elif error.code not in _ANSWERS_OF_NOTHING:
                raise
    return tuple(found)


def unused_name() -> str:
    """A name that nothing at a forge has: nobody can guess it."""
    return f"muniment-probe-{secrets.token_hex(16)}"
