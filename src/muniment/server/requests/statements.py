"""What two persons are shown of a request before they sign it."""

from django.utils.translation import gettext as _

from muniment.errors import RefusedError
from muniment.facts import canonical
from muniment.ledger import keys
from muniment.server.acts.act import Act
from muniment.server.people.models import Person
from muniment.server.records.installation import store
from muniment.server.requests.shown import ShownRequest


def read_ledger_origin() -> str:
    """The origin of this installation's ledger. Raises RefusedError where its public key cannot be read."""
    public = store().public_key()
    if public is None:
        raise RefusedError(
            "no-ledger-key",
            _("The public key of the ledger cannot be read."),
            _("See what is missing: muniment doctor"),
        )
    return keys.read_public(public.strip()).name


def make_shown(act: Act, summary: str, requester: Person, requested_at: str) -> str:
    """What is shown of a request, as canonical JSON."""
    shown = ShownRequest(
        ledger=read_ledger_origin(),
        title=str(act.title),
        summary=summary,
        reason=act.given_reason(),
        requester=f"{requester.name} ({requester.slug})",
        requested_at=requested_at,
        details=act.shown_details(),
    )
    return canonical.encode(shown).decode()
