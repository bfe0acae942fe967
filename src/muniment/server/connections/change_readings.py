"""Reads and evaluates changes at a forge, and has them read again where no event will report what is missing."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from django.db import connection as database
from django.utils import timezone

from muniment.forges.shared_answers import share_answers
from muniment.forges.statuses import StatusState
from muniment.server import moments
from muniment.server.changes.models import Change, Decision
from muniment.server.connections.forge_access import load_active_link, open_connected_forge, report_problems
from muniment.server.connections.forge_change_evaluator import ForgeChangeEvaluator
from muniment.server.connections.forge_change_store import ForgeChangeStore
from muniment.server.connections.models import RepositoryLink
from muniment.server.job_queue import (
    LONG_SECONDS,
    enqueue,
    enqueue_first,
    enqueue_in,
    is_job_waiting,
    register_repository_task,
)
from muniment.server.running_jobs import report_job
from muniment.workflows.status_publisher import BegunReading, ReadChange, StatusPublisher

_AGAIN, _LONGEST = 5, 86_400  # seconds until what was not known is read again: at first, and at most
_SETTLED = 61  # seconds until what was touched twice within one is read once more
_HOUR = timedelta(hours=1)
_TOGETHER = 10  # changes whose jobs follow one another
_FIRST_WAVE = 3  # of them, which are evaluated before the others are read: their statuses wait for no more readings


@register_repository_task("read-change", LONG_SECONDS, each="number", most=_TOGETHER)
def evaluate_forge_changes(repository: int, numbers: Mapping[int, int]) -> Iterator[tuple[int, Exception | None]]:
    """Evaluate the newest state of changes at a forge, and publish the results there.

    `numbers`: of the changes, with the job of each. The first few are read, and their commits fetched at once, before
    the first is evaluated; then the others. Yields each with its failure.
    """
    row = load_active_link(repository)
    if row is None:
        yield from ((number, None) for number in numbers)
        return
    with share_answers():
        yield from _evaluate_together(_Readings(row), numbers)


def _evaluate_together(readings: "_Readings", numbers: Mapping[int, int]) -> Iterator[tuple[int, Exception | None]]:
    begun: dict[int, BegunReading] = {}
    for number, job in numbers.items():  # no stale success waits for the evaluation of another change
        report_job(job)
        try:
            with readings.report_failures(number):
                begun[number] = readings.publisher.begin_reading(number, moments.current_moment())
        except Exception as error:  # noqa: BLE001 -- the job of this change fails, and no other
            yield number, error
    comments: dict[int, str | None] = {}
    order = list(begun.values())
    for wave in (order[:_FIRST_WAVE], order[_FIRST_WAVE:]):
        yield from _publish_wave(readings, wave, numbers, comments)
    for number, text in comments.items():  # nobody's status waits for a comment
        report_job(numbers[number])
        try:
            readings.update_comment(number, text)
        except Exception as error:  # noqa: BLE001 -- as above
            yield number, error
        else:
            yield number, None


def _publish_wave(
    readings: "_Readings", wave: Sequence[BegunReading], numbers: Mapping[int, int], comments: dict[int, str | None]
) -> Iterator[tuple[int, Exception | None]]:
    """Read the changes of a wave, fetch their commits at once, and publish the status of each once it is evaluated.

    Adds the text of each change's comment to `comments`. Yields the changes that failed.
    """
    read: dict[int, ReadChange] = {}
    for one in wave:
        report_job(numbers[one.number])
        try:
            with readings.report_failures(one.number):
                read[one.number] = readings.publisher.read_change(one)
        except Exception as error:  # noqa: BLE001 -- as above
            yield one.number, error
    changes = [one.reading for one in read.values() if one.reading is not None]
    if len(changes) > 1:
        readings.evaluator.fetch_together(changes)
    for number, result in read.items():
        report_job(numbers[number])
        readings.evaluator.lacks_facts = False
        try:
            with readings.follow_up(number):
                comments[number] = readings.publisher.publish_result(result)
        except Exception as error:  # noqa: BLE001 -- as above
            yield number, error


def evaluate_forge_change(repository: int, number: int) -> None:
    """Evaluate the newest state of one change, and publish the result. Raises MunimentError."""
    for _, error in evaluate_forge_changes(repository, {number: 0}):
        if error is not None:
            raise error


class _Readings:
    """Readings of a repository's changes, by its forge."""

    def __init__(self, row: RepositoryLink) -> None:
        forge, self._row = open_connected_forge(row.connection), row
        self._store = ForgeChangeStore(row.repository)
        self.evaluator = ForgeChangeEvaluator(row, forge)
        self.publisher = StatusPublisher(forge, self.evaluator.repo, self._store, self.evaluator)

    def update_comment(self, number: int, text: str | None) -> None:
        """Publish our comment, unless the change is about to be evaluated again, which publishes the newer one."""
        if not is_job_waiting("read-change", repository=self._row.repository_id, number=number):
            with report_problems(self._row.connection):
                self.publisher.update_comment(number, text)

    @contextlib.contextmanager
    def report_failures(self, number: int) -> Iterator[None]:
        """If this block fails, report it where it concerns the connection, and re-read groups that have the change."""
        try:
            with report_problems(self._row.connection):
                yield
        except BaseException:
            _reread_green_groups(self._row.repository_id, number, self._store)
            raise

    @contextlib.contextmanager
    def follow_up(self, number: int) -> Iterator[None]:
        """Enqueue what has to follow on the evaluation in this block, also where it failed."""
        with self.report_failures(number):
            yield
        found = _reread_green_groups(self._row.repository_id, number, self._store)
        if found is not None:
            self._enqueue_next(number, found)

    def _enqueue_next(self, number: int, found: "_Standing") -> None:
        repository = self._row.repository_id
        if found.state == Change.State.MERGED:
            enqueue("read-branch-updates", repository=repository)
        elif seconds := (self.evaluator.lacks_facts and _find_retry_seconds(found)) or (
            self._store.has_crowded_deliveries(number) and _SETTLED
        ):
            enqueue_in("read-change", seconds, repository=repository, number=number)


class _Standing(NamedTuple):
    """Standing of a change: its state, branch and head (None before it is opened), the posted status, its decision."""

    change: int | None
    state: str | None
    target: str | None
    head: str | None
    saying: str | None
    context: str
    allowed: bool | None
    decided_at: datetime | None


_STANDING = """
    SELECT change.id, change.state, change.target, change.head, row.status ->> 'saying', row.status_context,
        decision.allowed, decision.decided_at
    FROM connections_forgechange AS row LEFT JOIN changes_change AS change ON change.id = row.change_id
        LEFT JOIN changes_decision AS decision ON decision.id = change.decision_id
    WHERE row.repository_id = %s AND row.number = %s
"""


def _find_retry_seconds(found: _Standing) -> int:
    """Seconds until a change that was denied for unknown facts is read again; 0 for other changes.

    A forge reports a pusher a little after the push, and a call may have failed: no event says when it is available. So
    it is read again soon, and then at growing intervals.
    """
    if found.decided_at is None or found.allowed or found.state != Change.State.OPEN:
        return 0
    now = timezone.now()
    lately = Decision.objects.filter(change=found.change, head=found.head, decided_at__gt=now - _HOUR).count()
    since = int((now - found.decided_at).total_seconds())
    growing: int = _AGAIN << min(max(lately - 1, 0), 15)
    return min(_LONGEST, max(since, growing))


def _read_standing(repository: int, number: int) -> _Standing | None:
    with database.cursor() as cursor:  # after each evaluation: without the time that models take
        cursor.execute(_STANDING, [repository, number])
        columns = cursor.fetchone()
    return _Standing(*columns) if columns is not None else None


def _reread_green_groups(repository: int, number: int, keeper: ForgeChangeStore) -> _Standing | None:
    """Have the green groups read again that a change which is not allowed may belong to.

    Returns the change as it stands now, None if it is unknown.
    """
    found = _read_standing(repository, number)
    if found is not None and found.saying not in (None, StatusState.ALLOWED.value):
        for head in keeper.list_green_groups(found.context):
            enqueue_first("read-merge-group", repository=repository, target=found.target, head=head, again=True)
    return found
