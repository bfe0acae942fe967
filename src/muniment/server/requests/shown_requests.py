"""Makes the text of a request that two persons read before they sign it."""

from django.utils.translation import gettext as _

from muniment.errors import RefusedError
from muniment.facts import canonical
from muniment.ledger import ledger_keys
from muniment.server.acts.act import Act
from muniment.server.people.models import Person
from muniment.server.records.installation import open_store
from muniment.server.requests.confirmation_text import ShownRequest


def read_ledger_origin() -> str:
    """The origin of this installation's ledger. Raises RefusedError where its public key cannot be read."""
    public = open_store().public_key()
    if public is None:
        raise RefusedError(
            "no-ledger-key",
            _("The public key of the ledger cannot be read."),
            _("See what is missing: muniment doctor"),
        )
    return ledger_keys.parse_public_key(public.strip()).name


def make_shown_request(act: Act, summary: str, requester: Person, requested_at: str) -> str:
    """Make the text of a request, as canonical JSON."""
    display = ShownRequest(
        ledger=read_ledger_origin(),
        title=str(act.title),
        summary=summary,
        reason=act.given_reason(),
        requester=f"{requester.name} ({requester.slug})",
        requested_at=requested_at,
        details=act.shown_details(),
    )
    return canonical.encode(display).decode()
