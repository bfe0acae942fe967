"""Carries out at a forge what a person requested on our page: requests reviews, merges, opens a revert."""

import time

from django.utils.translation import gettext as _

from muniment.decision.report import DecisionReport
from muniment.errors import RefusedError, UsageError
from muniment.facts.maybe import Known
from muniment.forges.forge import Forge
from muniment.forges.statuses import StatusState, make_context
from muniment.server import moments
from muniment.server.changes.models import Change, Decision
from muniment.server.connections.forge_access import format_person_address, locate_forge, require_linked_repository
from muniment.server.connections.forge_change_evaluator import open_repository_mirror
from muniment.server.connections.models import BranchUpdate, ForgeChange, RepositoryLink
from muniment.server.connections.named_locks import hold_lock
from muniment.server.error_text import format_error_text
from muniment.server.people.messages import notify_people
from muniment.server.people.models import Account, Person
from muniment.server.records.record_details import read_details
from muniment.workflows.forge_changes import open_revert

MOST_REQUESTS = 5  # people who are asked at once
_POSITION_SECONDS = 15.0  # until a decision has its position, while a sequencer runs
_PAUSE_SECONDS = 0.1


def request_eligible_reviews(row: ForgeChange, connected: RepositoryLink, forge: Forge) -> None:
    """Request reviews from eligible reviewers whose login at the forge is known. Raises ForgeError."""
    logins = find_requestable_logins(row.change, connected)
    if logins:
        forge.publisher.request_reviews(require_linked_repository(connected), row.number, logins)


def find_requestable_logins(change: Change | None, connected: RepositoryLink) -> tuple[str, ...]:
    """Logins at the forge of the eligible reviewers."""
    decision = change.decision if change is not None else None
    report = (
        read_details(decision.explanation_digest, DecisionReport)
        if decision is not None and decision.explanation_digest
        else None
    )
    if not isinstance(report, DecisionReport):
        return ()
    prefix = f"{connected.connection.slug}/"
    rows = Account.objects.filter(person__in=report.eligible_reviewers, kind=Account.Kind.LOGIN, person__active=True)
    values = (
        rows.filter(Account.counting_condition(), value__startswith=prefix)
        .order_by("person__slug")
        .values_list("value", flat=True)
    )
    logins = [value.removeprefix(prefix) for value in values]
    return tuple([login for login in logins if not login.startswith("#")][:MOST_REQUESTS])


def merge_if_allowed(row: ForgeChange, connected: RepositoryLink, forge: Forge, head: str) -> None:
    """Merge the change if it still has this head, and a decision with a position in the ledger allows it.

    Raises ForgeError, RefusedError if it is not allowed now.
    """
    row.refresh_from_db()
    status = row.status or {}
    allowed = row.head == head and row.read_due_at is None and status.get("saying") == StatusState.ALLOWED.value
    if allowed:
        _wait_for_position(row, head)
    reading = forge.reader.read_full_change(require_linked_repository(connected), row.number) if allowed else None
    if reading is None or (reading.change.head, make_context(reading.change.target)) != (head, row.status_context):
        raise RefusedError(
            "merge-not-allowed", _("It is not allowed to be merged now."), _("Its page says what is missing.")
        )
    method = reading.merging.value.method if isinstance(reading.merging, Known) else ""
    forge.publisher.merge_change(require_linked_repository(connected), row.number, head, method or "merge")


def _wait_for_position(row: ForgeChange, head: str) -> None:
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


def open_requested_revert(row: BranchUpdate, connected: RepositoryLink, forge: Forge, person: str) -> None:
    """Open a change that reverts the update, and tell the requester, who cannot approve it. Raises MunimentError."""
    there, now, asker = locate_forge(connected.connection), moments.current_moment(), Person.objects.get(pk=person)
    mirror, by = open_repository_mirror(connected, forge), format_person_address(asker, connected.connection)
    try:
        if not by:
            raise RefusedError(
                "requester-unnamed",
                _("The change has to name you, and you have neither a login at the forge nor an e-mail address here."),
                _("Add one under your account, or ask somebody else to press the button."),
            )
        with hold_lock(f"mirror:{connected.pk}"):
            change = open_revert(
                there, forge, mirror, require_linked_repository(connected), row.ref, row.commit, by, now
            )
        message = _("Revert of %(commit)s is ready for review in %(product)s. %(url)s") % {
            "commit": row.commit[:7],
            "product": row.repository.product.name,
            "url": change.url,
        }
    except (RefusedError, UsageError) as error:
        details = {"commit": row.commit[:7], "product": row.repository.product.name}
        message = _("Revert of %(commit)s in %(product)s was not prepared.") % details + f" {format_error_text(error)}"
    notify_people([asker], message, f"/branch-updates/{row.pk}")
