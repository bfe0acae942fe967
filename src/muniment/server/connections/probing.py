"""Re-reads those inputs of green changes that no event of their forge reports, within a fifth of its rate limit.

- A probe posts nothing. A change with another input than it was evaluated with is read again, as after an event; so is
  one of which an input cannot be read, every ten minutes at most: whoever may review can give a change more reviews
  than a probe reads.
- Which reviews stand is asked of up to a hundred changes at once where the forge allows that. Where it tells of one
  change at a time, it is asked of those that were touched, which one list tells of all, and of a few others in turn:
  what touches nothing (a review that is deleted) is noticed later.
- Who may write is asked once for each approver and repository.
- What a probe cost says how long it is until the next.
"""

import math
from collections.abc import Iterable, Mapping
from datetime import timedelta

from django.utils import timezone

from muniment.errors import ForgeError, MunimentError
from muniment.facts import canonical, moments
from muniment.forges.forge import Forge
from muniment.forges.shapes import Account, StandingReviews, State, Vendor
from muniment.forges.statuses import Saying
from muniment.http.rate_limits import RateLimit
from muniment.server.changes.again import read_again
from muniment.server.changes.models import Change
from muniment.server.connections.keeping import with_green
from muniment.server.connections.models import Connection, ForgeChange, RepositoryLink
from muniment.server.connections.reaching import concerns_all, following, forge_of, repo_of
from muniment.server.connections.reconciling import look_at_statuses
from muniment.workflows.input_events import Input, has_event

LEAST_SECONDS = 10  # from one probe to the next
SHARE = 5  # one part in five of a rate limit is ours for this
ASSUMED_LIMIT = 36_000  # requests an hour, where a forge tells of no limit: ten a second
_HOUR = 3600
_ONE_BY_ONE = (Vendor.GITEA, Vendor.FORGEJO)  # which tell of the reviews of one change at a time
_UNREAD = timedelta(minutes=10)  # from one reading to the next of a change whose reviews no probe can tell
_IN_TURN = 15  # changes whose reviews one probe reads there although nothing touched them
_OVERLAP_MINUTES = 10  # how much later another change may have been touched that was read before this one
_WINDOWS = {Vendor.GITLAB: 60}  # seconds in which a forge counts requests, where it is not an hour


def is_due(connection: Connection) -> bool:
    """Whether enough time went by since the last probe, and something is green."""
    pause = timedelta(seconds=connection.probe_seconds or LEAST_SECONDS)
    waited = connection.probed_at is None or connection.probed_at + pause <= timezone.now()
    return waited and with_green(connection).exists()


def probe(connection: Connection) -> bool:
    """Probe what is green at a forge if that is due; whether it was. Raises MunimentError for what concerns all of it.

    However many processes ask for it, one does it.
    """
    rows = Connection.objects.filter(pk=connection.pk, probed_at=connection.probed_at)
    if not is_due(connection) or not rows.update(probed_at=timezone.now()):
        return False
    forge = forge_of(connection)
    before = forge.reader.requests()
    failed: MunimentError | None = None
    with following(connection):
        for connected in with_green(connection):
            try:
                probe_repository(connected, forge)
            except MunimentError as error:
                if concerns_all(error):
                    raise
                failed = failed or error  # one repository that cannot be read keeps no other from being probed
        spent = {name: count - before.get(name, 0) for name, count in forge.reader.requests().items()}
        seconds = seconds_between(spent, forge.reader.limits(), _WINDOWS.get(Vendor(connection.vendor), _HOUR))
        Connection.objects.filter(pk=connection.pk).update(probe_seconds=seconds, probe_requests=sum(spent.values()))
        if failed is not None:
            raise failed
    return True


def probe_repository(connected: RepositoryLink, forge: Forge) -> None:
    """Have those green changes of one repository read again whose inputs are other ones. Raises ForgeError."""
    vendor = Vendor(connected.connection.vendor)
    green = _green(connected)
    reviewed = [row for row in green if row.reviews_digest and not has_event(Input.REVIEWS, vendor)]
    if vendor in _ONE_BY_ONE:
        reviewed = _in_turn(connected, forge, reviewed)
    by_reviews = [row.number for row in reviewed]
    stand = forge.reader.standing_reviews(repo_of(connected), by_reviews) if by_reviews else {}
    access = _Access(connected, forge, stand.values())
    for row in green:
        told = stand.get(row.number)
        other = told is not None and _digest(told) != row.reviews_digest
        unread = row.number in by_reviews and told is None and _is_unread_for_long(row)
        if other or unread or access.is_lost(row):
            read_again(connected.repository_id, row.number)
    if not has_event(Input.CHECKS, vendor):
        for head in sorted({row.head for row in green if row.reads_checks}):
            look_at_statuses(connected, forge, head)


def _is_unread_for_long(row: ForgeChange) -> bool:
    """Whether a change whose reviews a probe cannot tell was not read again for that reason lately; noted from now."""
    now = timezone.now()
    rows = ForgeChange.objects.filter(pk=row.pk).exclude(probed_at__gt=now - _UNREAD)
    return bool(rows.update(probed_at=now))


def _in_turn(connected: RepositoryLink, forge: Forge, rows: list[ForgeChange]) -> list[ForgeChange]:
    """Those that were touched since they were read, and of the others those whose turn it is. Raises ForgeError."""
    newest = max((row.forge_updated_at for row in rows), default="")
    if len(rows) <= _IN_TURN or not newest:
        return rows
    listed = forge.reader.changes(repo_of(connected), State.OPEN, moments.later(newest, minutes=-_OVERLAP_MINUTES))
    touched = {change.number: change.updated for change in listed}
    other = [row for row in rows if touched.get(row.number, row.forge_updated_at) != row.forge_updated_at]
    rest = sorted((row for row in rows if row not in other), key=_probed_at)[:_IN_TURN]
    ForgeChange.objects.filter(pk__in=[row.pk for row in rest]).update(probed_at=timezone.now())
    return [*other, *rest]


def _probed_at(row: ForgeChange) -> float:
    return row.probed_at.timestamp() if row.probed_at is not None else 0.0


def seconds_between(spent: Mapping[str, int], limits: Mapping[str, RateLimit], window: int = _HOUR) -> int:
    """How far apart probes are that cost as much: together they take a fifth of each limit, which is for `window`."""
    told = {name: limits[name].limit for name in spent if name in limits and limits[name].limit > 0}
    needed = [
        count * SHARE * (window / told[name] if name in told else _HOUR / ASSUMED_LIMIT)
        for name, count in spent.items()
    ]
    return max(LEAST_SECONDS, math.ceil(max(needed, default=0.0)))


class _Access:
    """Who may write to a repository now, asked once for each."""

    def __init__(self, connected: RepositoryLink, forge: Forge, stand: Iterable[StandingReviews]) -> None:
        self._connected = connected
        self._forge = forge
        self._known = {id: may for one in stand for id, may in one.writers.items()}

    def is_lost(self, row: ForgeChange) -> bool:
        """Whether somebody on whose approval a change rests may not write any more, or nobody can tell."""
        return not all(self._writes(Account(id, login)) for id, login in row.writers)

    def _writes(self, account: Account) -> bool:
        key = account.id or account.login
        if key not in self._known:
            self._known[key] = self._asked(account)
        return self._known[key]

    def _asked(self, account: Account) -> bool:
        try:
            return self._forge.reader.may_write(repo_of(self._connected), account)
        except ForgeError as error:
            if concerns_all(error):
                raise
            return False  # whether that is so, the evaluation finds out


def _green(connected: RepositoryLink) -> list[ForgeChange]:
    rows = ForgeChange.objects.filter(repository=connected.repository, read_due_at=None)
    green = rows.filter(status__saying=Saying.ALLOWED.value, change__state=Change.State.OPEN)
    return list(green.order_by("number"))


def _digest(stand: StandingReviews) -> str:
    return canonical.digest_of(stand.reviews)
