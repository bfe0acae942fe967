"""Text for a person who confirms a request, and the statement that they sign. No table is read here."""

import secrets

from django.utils.translation import gettext as _
from msgspec import Struct

from muniment.errors import NotCanonicalError, RefusedError
from muniment.facts import canonical
from muniment.facts.act_statements import RANDOM_BYTES, ActStatement, ActStep


class ShownRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """Text for a person who confirms a request, in English. `details` are further lines, such as each difference of
    a policy; `ledger` is the origin of the ledger.
    """

    ledger: str
    title: str
    summary: str
    reason: str
    requester: str
    requested_at: str
    details: tuple[str, ...] = ()


def make_act_statement(request: str, act: str, display: str, step: ActStep, signer: str) -> ActStatement:
    """Make the statement that a person signs now. `request` is the internal id; `act` and `display` are as the
    request has them. Raises RefusedError for a request that is over, of which neither is stored.
    """
    try:
        origin = canonical.decode(display.encode(), ShownRequest).ledger
    except NotCanonicalError:
        raise RefusedError(
            "request-decided", _("It no longer waits."), _("Look at the requests that still wait, on the first page.")
        ) from None
    return ActStatement(
        origin=origin,
        request=request,
        act=act,
        shown=canonical.digest_bytes(display.encode()),
        step=step,
        signer=signer,
        random=secrets.token_hex(RANDOM_BYTES),
    )
