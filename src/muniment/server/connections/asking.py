"""Does at a forge what a person asked for on our page: asks others to review, merges, brings a revert."""

import time

from django.utils.translation import gettext as _

from muniment.decision.account import DecisionReport as Told
from muniment.errors import RefusedError, UsageError
from muniment.facts.maybe import Known
from muniment.forges.forge import Forge
from muniment.forges.statuses import Saying, context_for
from muniment.server import moments
from muniment.server.changes.models import Change, Decision
from muniment.server.connections.judging import mirror_of
from muniment.server.connections.keeping import locked
from muniment.server.connections.models import BranchUpdate, ForgeChange, RepositoryLink
from muniment.server.connections.reaching import address_of, repo_of, where
from muniment.server.error_text import error_text
from muniment.server.people.messages import tell
from muniment.server.people.models import Account, Person
from muniment.server.records.reading import beside
from muniment.workflows.forge_changes import prepare_revert

MOST = 5  # people who are asked at once
_POSITION_SECONDS = 15.0  # until a decision has its position, while a sequencer runs
_PAUSE_SECONDS = 0.1


def ask_people(row: ForgeChange, connected: RepositoryLink, forge: Forge) -> None:
    """Ask those whose approval would count, as far as their login there is known. Raises ForgeError."""
    logins = askable(row.change, connected)
    if logins:
        forge.publisher.ask(repo_of(connected), row.number, logins)


def askable(change: Change | None, connected: RepositoryLink) -> tuple[str, ...]:
    """Logins at the forge of those whose approval would count."""
    decision = change.decision if change is not None else None
    told = beside(decision.explanation_digest, Told) if decision is not None and decision.explanation_digest else None
    if not isinstance(told, Told):
        return ()
    prefix = f"{connected.connection.slug}/"
    rows = Account.objects.filter(person__in=told.eligible_reviewers, kind=Account.Kind.LOGIN, person__active=True)
    values = (
        rows.filter(Account.counting(), value__startswith=prefix)
        .order_by("person__slug")
        .values_list("value", flat=True)
    )
    logins = [value.removeprefix(prefix) for value in values]
    return tuple([login for login in logins if not login.startswith("#")][:MOST])


def merge(row: ForgeChange, connected: RepositoryLink, forge: Forge, head: str) -> None:
    """Merge it if it is still this head, and allowed by a decision with a position in the ledger.

    Raises ForgeError, RefusedError if it is not allowed now.
    """
    row.refresh_from_db()
    status = row.status or {}
    allowed = row.head == head and row.read_due_at is None and status.get("saying") == Saying.ALLOWED.value
    if allowed:
        _await_position(row, head)
    reading = forge.reader.read(repo_of(connected), row.number) if allowed else None
    if reading is None or (reading.change.head, context_for(reading.change.target)) != (head, row.status_context):
        raise RefusedError(
            "merge-not-allowed", _("It is not allowed to be merged now."), _("Its page says what is missing.")
        )
    method = reading.merging.value.method if isinstance(reading.merging, Known) else ""
    forge.publisher.merge(repo_of(connected), row.number, head, method or "merge")


def _await_position(row: ForgeChange, head: str) -> None:
    """Wait until the sequencer has placed the decision that allows `head`. Raises RefusedError if it does not."""
    until = time.monotonic() + _POSITION_SECONDS
    placed = Decision.objects.filter(
        latest_of=row.change, head=head, allowed=True, record__place__position__isnull=False
    )
    while not placed.exists():
        if time.monotonic() >= until:
            raise RefusedError(
                "decision-not-in-ledger",
                _("The decision that allows it has no position in the ledger yet."),
                _("See that the sequencer runs, then merge again: muniment doctor says more."),
            )
        time.sleep(_PAUSE_SECONDS)


def revert(row: BranchUpdate, connected: RepositoryLink, forge: Forge, person: str) -> None:
    """Open a change that takes it back, and tell whoever asked for it, who cannot approve it. Raises MunimentError."""
    there, now, asker = where(connected.connection), moments.now(), Person.objects.get(pk=person)
    mirror, by = mirror_of(connected, forge), address_of(asker, connected.connection)
    try:
        if not by:
            raise RefusedError(
                "requester-unnamed",
                _("The change has to name you, and you have neither a login at the forge nor an e-mail address here."),
                _("Add one under your account, or ask somebody else to press the button."),
            )
        with locked(f"mirror:{connected.pk}"):
            change = prepare_revert(there, forge, mirror, repo_of(connected), row.ref, row.commit, by, now)
        told = _("The change that takes %(commit)s back is there: %(url)s") % {
            "commit": row.commit[:12],
            "url": change.url,
        }
    except (RefusedError, UsageError) as error:
        details = {"commit": row.commit[:12], "problem": error_text(error)}
        told = _("No change was made that takes %(commit)s back. %(problem)s") % details
    tell([asker], told, f"/branch-updates/{row.pk}")
