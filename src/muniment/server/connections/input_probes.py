"""Re-reads those inputs of green changes that no event of their forge reports, within a fifth of its rate limit.

- A probe posts nothing. A change with another input than it was evaluated with is read again, as after an event; so
  is
  one of which an input cannot be read, every ten minutes at most: a reviewer can give a change more reviews than a
  probe
  reads.
- Standing reviews are requested for up to a hundred changes at once where the forge allows that. Where it reports
  one
  change at a time, they are requested for updated changes, which one list names, and for a few others in turn: an
  event
  that updates no change (a review that is deleted) is noticed later.
- Write access is requested once for each approver and repository.
- The cost of a probe determines the pause until the next.
"""

import math
from collections.abc import Iterable, Mapping
from datetime import timedelta

from django.utils import timezone

from muniment.errors import ForgeError, MunimentError
from muniment.facts import canonical, moments
from muniment.forges.forge import Forge
from muniment.forges.registry import FORGE_KINDS
from muniment.forges.shapes import Account, ChangeState, StandingReviews, Vendor
from muniment.forges.statuses import StatusState
from muniment.http.rate_limits import RateLimit
from muniment.server.changes.models import Change
from muniment.server.changes.reevaluation_requests import request_reading
from muniment.server.connections.forge_access import (
    is_connection_wide,
    open_connected_forge,
    report_problems,
    require_linked_repository,
)
from muniment.server.connections.forge_change_store import list_green_repositories
from muniment.server.connections.models import Connection, ForgeChange, RepositoryLink
from muniment.server.connections.reconciliation import verify_head_statuses
from muniment.workflows.input_events import DecisionInput, has_event

LEAST_SECONDS = 10  # from one probe to the next
SHARE = 5  # one part in five of a rate limit is ours for this
ASSUMED_LIMIT = 36_000  # requests an hour, where a forge tells of no limit: ten a second
_HOUR = 3600
_UNREAD = timedelta(minutes=10)  # from one reading to the next of a change whose reviews no probe can tell
_IN_TURN = 15  # changes whose reviews one probe reads there although nothing touched them
_OVERLAP_MINUTES = 10  # how much later another change may have been touched that was read before this one


def is_probe_due(connection: Connection) -> bool:
    """Whether the pause since the last probe is over, and a change is green."""
    pause = timedelta(seconds=connection.probe_seconds or LEAST_SECONDS)
    waited = connection.probed_at is None or connection.probed_at + pause <= timezone.now()
    return waited and list_green_repositories(connection).exists()


def run_probe(connection: Connection) -> bool:
    """Probe the green changes of a forge if that is due; whether it was. Raises MunimentError if all of it fails.

    If several processes start it, one does it.
    """
    rows = Connection.objects.filter(pk=connection.pk, probed_at=connection.probed_at)
    if not is_probe_due(connection) or not rows.update(probed_at=timezone.now()):
        return False
    forge = open_connected_forge(connection)
    before = forge.reader.count_requests()
    failed: MunimentError | None = None
    with report_problems(connection):
        for connected in list_green_repositories(connection):
            try:
                probe_green_changes(connected, forge)
            except MunimentError as error:
                if is_connection_wide(error):
                    raise
                failed = failed or error  # one repository that cannot be read keeps no other from being probed
        spent = {name: count - before.get(name, 0) for name, count in forge.reader.count_requests().items()}
        seconds = compute_pause(
            spent, forge.reader.get_rate_limits(), FORGE_KINDS[Vendor(connection.vendor)].limit_window_seconds
        )
        Connection.objects.filter(pk=connection.pk).update(probe_seconds=seconds, probe_requests=sum(spent.values()))
        if failed is not None:
            raise failed
    return True


def probe_green_changes(connected: RepositoryLink, forge: Forge) -> None:
    """Have those green changes of one repository read again whose inputs changed. Raises ForgeError."""
    vendor = Vendor(connected.connection.vendor)
    green = _list_green_changes(connected)
    reviewed = [row for row in green if row.reviews_digest and not has_event(DecisionInput.REVIEWS, vendor)]
    if FORGE_KINDS[vendor].reads_reviews_singly:
        reviewed = _select_in_turn(connected, forge, reviewed)
    by_reviews = [row.number for row in reviewed]
    stand = forge.reader.list_standing_reviews(require_linked_repository(connected), by_reviews) if by_reviews else {}
    access = _WriteAccess(connected, forge, stand.values())
    for row in green:
        reviews = stand.get(row.number)
        other = reviews is not None and _digest_reviews(reviews) != row.reviews_digest
        unread = row.number in by_reviews and reviews is None and _is_unread_for_long(row)
        if other or unread or access.is_lost(row):
            request_reading(connected.repository_id, row.number)
    if not has_event(DecisionInput.CHECKS, vendor):
        for head in sorted({row.head for row in green if row.reads_checks}):
            verify_head_statuses(connected, forge, head)


def _is_unread_for_long(row: ForgeChange) -> bool:
    """Whether a change whose reviews a probe cannot read was not read again for that reason recently; noted from
    now.
    """
    now = timezone.now()
    rows = ForgeChange.objects.filter(pk=row.pk).exclude(probed_at__gt=now - _UNREAD)
    return bool(rows.update(probed_at=now))


def _select_in_turn(connected: RepositoryLink, forge: Forge, rows: list[ForgeChange]) -> list[ForgeChange]:
    """Rows that were updated since they were read, and of the others those whose turn it is. Raises ForgeError."""
    newest = max((row.forge_updated_at for row in rows), default="")
    if len(rows) <= _IN_TURN or not newest:
        return rows
    listed = forge.reader.list_changes(
        require_linked_repository(connected), ChangeState.OPEN, moments.add_time(newest, minutes=-_OVERLAP_MINUTES)
    )
    touched = {change.number: change.updated for change in listed}
    other = [row for row in rows if touched.get(row.number, row.forge_updated_at) != row.forge_updated_at]
    rest = sorted((row for row in rows if row not in other), key=_probed_at)[:_IN_TURN]
    ForgeChange.objects.filter(pk__in=[row.pk for row in rest]).update(probed_at=timezone.now())
    return [*other, *rest]


def _probed_at(row: ForgeChange) -> float:
    return row.probed_at.timestamp() if row.probed_at is not None else 0.0


def compute_pause(spent: Mapping[str, int], limits: Mapping[str, RateLimit], window: int = _HOUR) -> int:
    """Seconds between probes of this cost: together they use a fifth of each limit, which is for `window`."""
    known = {name: limits[name].limit for name in spent if name in limits and limits[name].limit > 0}
    needed = [
        count * SHARE * (window / known[name] if name in known else _HOUR / ASSUMED_LIMIT)
        for name, count in spent.items()
    ]
    return max(LEAST_SECONDS, math.ceil(max(needed, default=0.0)))


class _WriteAccess:
    """Present write access to a repository, requested once for each account."""

    def __init__(self, connected: RepositoryLink, forge: Forge, stand: Iterable[StandingReviews]) -> None:
        self._connected = connected
        self._forge = forge
        self._known = {id: may for one in stand for id, may in one.writers.items()}

    def is_lost(self, row: ForgeChange) -> bool:
        """Whether an approver on whom a change depends cannot write any more, or that is unknown."""
        return not all(self._can_write(Account(id, login)) for id, login in row.writers)

    def _can_write(self, account: Account) -> bool:
        key = account.id or account.login
        if key not in self._known:
            self._known[key] = self._ask_forge(account)
        return self._known[key]

    def _ask_forge(self, account: Account) -> bool:
        try:
            return self._forge.reader.can_write(require_linked_repository(self._connected), account)
        except ForgeError as error:
            if is_connection_wide(error):
                raise
            return False  # whether that is so, the evaluation finds out


def _list_green_changes(connected: RepositoryLink) -> list[ForgeChange]:
    rows = ForgeChange.objects.filter(repository=connected.repository, read_due_at=None)
    green = rows.filter(status__saying=StatusState.ALLOWED.value, change__state=Change.State.OPEN)
    return list(green.order_by("number"))


def _digest_reviews(stand: StandingReviews) -> str:
    return canonical.digest_value(stand.reviews)
