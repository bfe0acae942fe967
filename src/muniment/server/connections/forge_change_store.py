"""Statuses of the changes of one repository, in the database: the `ChangeStore` of `workflows.status_publisher`."""

import contextlib
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import msgspec
from django.conf import settings
from django.db import connection, transaction
from django.db.models import QuerySet
from django.utils import timezone
from msgspec import structs

from muniment.errors import MunimentError
from muniment.forges import shapes
from muniment.forges.shapes import ChangeState
from muniment.forges.shared_answers import read_shared
from muniment.forges.statuses import Status, StatusState, parse_context
from muniment.policy.patterns import matches_any
from muniment.server import moments
from muniment.server.changes.branch_evaluation import clean_title
from muniment.server.changes.models import Change
from muniment.server.connections.merge_groups import QUEUED, find_green_groups
from muniment.server.connections.models import (
    Connection,
    ForgeChange,
    PostedStatus,
    RepositoryLink,
)
from muniment.server.connections.named_locks import hold_lock
from muniment.server.policies.policy_in_force import protected_patterns
from muniment.server.products.models import Repository
from muniment.server.remembered_sql import remember_instances, save_columns
from muniment.workflows import forge_status_text
from muniment.workflows.forge_reconciliation import KnownChange
from muniment.workflows.repository_rules import HEADS
from muniment.workflows.status_publisher import DueReading, ReadingResult

_OPENED = (
    *("change", "status", "head", "status_context", "forge_updated_at", "url"),
    *("opened_at", "merge_commit", "merged_at"),
)
_LATELY = timedelta(minutes=10)  # that a delivery is asked about when its change is read
_JUST_NOW = timedelta(minutes=1)  # in which a forge's answers may lag behind its deliveries


def build_status_url(row: ForgeChange) -> str:
    """Address of the page behind the status of a change: it shows what is missing."""
    return f"{settings.URL.rstrip('/')}/change-status/{row.status_token}"


# One statement sees one state of all three tables: a change that moves meanwhile would count twice, or not at all.
_HEAD = """
    SELECT (SELECT jsonb_agg(jsonb_build_array(ref, shared_contexts)) FROM connections_protectedbranch
            WHERE repository_id = %(repository)s AND shared_contexts <> '[]'),
        (SELECT jsonb_agg(jsonb_build_array(status_context, status) ORDER BY number) FROM connections_forgechange
            WHERE repository_id = %(repository)s AND head = %(head)s AND status IS NOT NULL),
        (SELECT jsonb_agg(jsonb_build_array(context, status)) FROM connections_postedstatus
            WHERE repository_id = %(repository)s AND head = %(head)s AND status IS NOT NULL)
"""


# For each evaluation, several times, it takes Django longer to write these queries than the database to answer them.
_IS_PROTECTED = "SELECT EXISTS (SELECT FROM connections_protectedbranch WHERE repository_id = %s AND ref = %s)"
_SHOWN = "SELECT status FROM connections_postedstatus WHERE repository_id = %s AND head = %s AND context = %s"
_COMMENT = "SELECT comment FROM connections_forgechange WHERE repository_id = %s AND number = %s"
_SET_COMMENT = "UPDATE connections_forgechange SET comment = %s WHERE repository_id = %s AND number = %s"
_SHOW = """
    UPDATE connections_postedstatus SET status = %s::jsonb, posted_at = %s
    WHERE repository_id = %s AND head = %s AND context = %s
"""
_DELIVERIES = """
    SELECT delivery.forge_updated_at FROM connections_webhookdelivery AS delivery
        JOIN connections_repositorylink AS link USING (connection_id, forge_id)
    WHERE link.repository_id = %s AND delivery.number = %s AND delivery.received_at >= %s
"""


class _HeadStatuses(NamedTuple):
    """Stored statuses of a head.

    `demanded`: for each branch, the contexts of ours that its rule requires besides its own, as the forge was last
    read. `rows`: for each open change, its context and status. `posted`: the status that the forge surely shows, by
    context.
    """

    demanded: Mapping[str, tuple[str, ...]]
    rows: tuple[tuple[str, Status], ...]
    posted: Mapping[str, Status]

    def list_required_contexts(self, context: str) -> tuple[str, ...]:
        """A context, and those that its branch requires besides."""
        return (context, *self.demanded.get(parse_context(context), ()))

    def find_standing(self, context: str) -> tuple[Status, ...]:
        """Statuses in a context; in one that branches share, those of every change with that head."""
        shared = any(context in others for others in self.demanded.values())
        return tuple(structs.replace(status, context=context) for own, status in self.rows if shared or own == context)


class ForgeChangeStore:
    """Statuses of the changes of one repository."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository

    def is_evaluated(self, ref: str) -> bool:
        """Whether the policy protects that branch, or it was found protected before."""
        return read_shared(("protected", self._repository.pk, ref), lambda: self._is_protected(ref))

    def _is_protected(self, ref: str) -> bool:
        with connection.cursor() as cursor:
            cursor.execute(_IS_PROTECTED, [self._repository.pk, ref])
            (known,) = cursor.fetchone() or (False,)
        return bool(known) or matches_any(ref.removeprefix(HEADS), protected_patterns())

    def begin_reading(self, number: int, now: str) -> DueReading:
        """Note that a reading is due: an allowed status becomes pending; a denied one stays so until the reading."""
        with transaction.atomic():
            row = self._lock_row(number)
            # Under the lock of the row: a result that is recorded at this moment would otherwise end a reading that is
            # due after it.
            since = _mark_due(row, moments.parse_moment(now))
            return DueReading(moments.format_moment(since), row.head, row.status_context, self._find_newest_update(row))

    def record_open(self, change: shapes.Change, context: str) -> bool:
        """Record that the change is open with this head, in this context. Whether it was not: it is pending then."""
        with transaction.atomic():
            row = self._lock_row(change.number, with_change=True)
            moved = row.status is None or (row.head, row.status_context) != (change.head, context)
            row.change = self._open_change(row, change)
            if moved:
                row.status = _encode_status(forge_status_text.pending_status(context, build_status_url(row)))
            row.head, row.status_context, row.forge_updated_at, row.url = (
                change.head,
                context,
                change.updated,
                change.url[:500],
            )
            row.opened_at = row.opened_at or _parse_moment(change.opened)
            row.merge_commit, row.merged_at = "", None
            save_columns(row, *_OPENED)
            return moved

    def record_result(self, change: shapes.Change, result: ReadingResult, since: str) -> bool:
        """Record the result of the reading that was due `since`, which is done then.

        False if another worker evaluated the change meanwhile, or read another head or target: a reading is due then.
        """
        with transaction.atomic():
            row = self._lock_row(change.number)
            as_read = (row.head, row.status_context) == (change.head, result.status.context)
            # A delivery that arrived during the reading moved one of these. The result may be of the state before
            # it, so it is dropped, and a reading stays due.
            if not as_read or row.read_due_at != moments.parse_moment(since):
                _mark_due(row, timezone.now())
                return False
            row.status, row.read_due_at = _encode_status(result.status), None
            row.reevaluate_at = moments.parse_moment(result.until) if result.until else None
            row.first_decided_at = row.first_decided_at or timezone.now()
            save_columns(row, "status", "read_due_at", "reevaluate_at", "first_decided_at")
        return True

    def record_unreadable(self, number: int, error: MunimentError) -> DueReading:
        """Record the denial of a change that was unreadable for too long. Returns its known state."""
        with transaction.atomic():
            row = self._lock_row(number)
            if row.status_context:
                row.status = _encode_status(
                    forge_status_text.unreadable_status(row.status_context, build_status_url(row), error)
                )
                row.save(update_fields=["status"])
                Change.objects.filter(forge_change=row).update(decision=None)
            return DueReading(moments.format_moment(row.read_due_at or timezone.now()), row.head, row.status_context)

    def record_closed(self, change: shapes.Change) -> None:
        """Record that the change is merged, closed, or for an unprotected branch: it has no status any more."""
        with transaction.atomic():
            row = self._lock_row(change.number)
            row.read_due_at, row.status, row.forge_updated_at = None, None, change.updated
            if change.state is ChangeState.MERGED:
                row.merge_commit, row.merged_at = change.merged, _parse_moment(change.merged_at) or timezone.now()
            row.save(update_fields=["read_due_at", "status", "forge_updated_at", "merge_commit", "merged_at"])
            state = Change.State.MERGED if change.state is ChangeState.MERGED else Change.State.CLOSED
            Change.objects.filter(forge_change=row).update(state=state)

    def record_gone(self, number: int) -> None:
        """Record that the forge has the change no more: it has no status any more."""
        with transaction.atomic():
            row = self._lock_row(number)
            row.read_due_at, row.status = None, None
            row.save(update_fields=["read_due_at", "status"])
            Change.objects.filter(forge_change=row).update(state=Change.State.CLOSED)

    def standing_statuses(self, head: str, context: str) -> tuple[Status, ...]:
        """Statuses of each open change with that head in that context; in a shared context those of all with that
        head.
        """
        return self._read_head_statuses(head).find_standing(context)

    def standing_statuses_by_context(self, head: str, context: str) -> dict[str, tuple[Status, ...]]:
        """Statuses in that context, and in each that the forge requires of its branch besides.

        A rule for several branches has but one.
        """
        found = self._read_head_statuses(head)
        return {place: found.find_standing(place) for place in found.list_required_contexts(context)}

    def compare_statuses(self, head: str, context: str) -> dict[str, tuple[tuple[Status, ...], Status | None]]:
        """Statuses in each of these contexts, and the one that the forge surely shows there; None if that is
        unknown.
        """
        found = self._read_head_statuses(head)
        return {
            place: (found.find_standing(place), found.posted.get(place))
            for place in found.list_required_contexts(context)
        }

    def _read_head_statuses(self, head: str) -> "_HeadStatuses":
        with connection.cursor() as cursor:
            cursor.execute(_HEAD, {"repository": self._repository.pk, "head": head})
            demanded, rows, posted = (msgspec.json.decode(column or b"[]") for column in cursor.fetchone() or ())
        return _HeadStatuses(
            {ref: tuple(contexts) for ref, contexts in demanded},
            tuple((context, _decode_status(status)) for context, status in rows),
            {context: _decode_status(status) for context, status in posted},
        )

    @contextlib.contextmanager
    def lock_head(self, head: str) -> Iterator[None]:
        """Exclusive lock on publishing statuses of this head, which ends with this database connection."""
        with hold_lock(f"head:{self._repository.pk}:{head}"):
            yield

    def shown_status(self, head: str, context: str) -> Status | None:
        """Status that the forge surely shows there; None if that is unknown."""
        with connection.cursor() as cursor:
            cursor.execute(_SHOWN, [self._repository.pk, head, context])
            (status,) = cursor.fetchone() or (None,)
        return _decode_status(msgspec.json.decode(status)) if status is not None else None

    def record_shown(self, head: str, status: Status, *, sure: bool) -> None:
        """Record that a status is about to be shown, or, `sure`, that the forge confirmed it."""
        # Before the request, the stored status is removed: if its answer is lost, nobody relies on what the forge may
        # show.
        values = {"status": _encode_status(status) if sure else None, "posted_at": timezone.now()}
        place: dict[str, Any] = {"repository": self._repository, "head": head, "context": status.context}
        stored = msgspec.json.encode(values["status"]).decode() if sure else None
        with connection.cursor() as cursor:
            cursor.execute(_SHOW, [stored, values["posted_at"], self._repository.pk, head, status.context])
            there = cursor.rowcount
        if not there:
            PostedStatus.objects.update_or_create(**place, defaults=values)

    def begin_group_reading(self, head: str, context: str, now: str, *, again: bool) -> str:
        """Moment since when the queue's group with that head has to be read; "" if it was read, and is not wanted
        `again`.
        """
        with transaction.atomic():
            # A lock needs a row: the first delivery about a group creates it, and a second one at the same moment waits
            # for it.
            PostedStatus.objects.get_or_create(repository=self._repository, head=head, context=context)
            row = PostedStatus.objects.select_for_update().get(repository=self._repository, head=head, context=context)
            if row.merge_group and row.read_due_at is None and row.status is not None and not again:
                return ""
            row.merge_group, row.read_due_at = True, row.read_due_at or moments.parse_moment(now)
            row.save(update_fields=["merge_group", "read_due_at"])
            return moments.format_moment(row.read_due_at)

    def record_group_read(self, head: str, context: str) -> None:
        """Record that the result of the group is shown there, and no reading of it is due."""
        PostedStatus.objects.filter(repository=self._repository, head=head, context=context).update(read_due_at=None)

    def list_green_groups(self, context: str) -> list[str]:
        """Heads of groups that may be merged any moment: shown green recently, or about to be, and not landed."""
        found = find_green_groups(self._repository.pk, context, timezone.now() - QUEUED)
        return [head for (head,) in found]

    def forget_shown(self, head: str, context: str) -> None:
        """Forget which status is shown there."""
        PostedStatus.objects.filter(repository=self._repository, head=head, context=context).update(status=None)

    def list_contexts(self, head: str) -> list[str]:
        """Contexts in which a status exists on that head."""
        found = self._read_head_statuses(head)
        return sorted({place for context, _ in found.rows for place in found.list_required_contexts(context)})

    def posted_comment(self, number: int) -> str | None:
        """Text that our comment surely has, "" if there is none; None if that is unknown."""
        with connection.cursor() as cursor:
            cursor.execute(_COMMENT, [self._repository.pk, number])
            (text,) = cursor.fetchone() or (None,)
        return str(text) if text is not None else None

    def record_comment(self, number: int, text: str | None) -> None:
        """Record the text of our comment from now on; None while that is not sure."""
        with connection.cursor() as cursor:
            cursor.execute(_SET_COMMENT, [text, self._repository.pk, number])

    def load_known_changes(self) -> dict[int, KnownChange]:
        """Stored state of each open change, for a reconciliation. A status that is not shown as it should be is
        owed.
        """
        rows = ForgeChange.objects.filter(repository=self._repository, status__isnull=False).select_related("change")
        posted = {
            (row.head, row.context): row.status
            for row in PostedStatus.objects.filter(repository=self._repository, head__in=[row.head for row in rows])
        }
        return {
            row.number: KnownChange(
                row.forge_updated_at,
                row.head,
                row.change.target if row.change is not None else "",
                row.read_due_at is not None
                or posted.get((row.head, row.status_context)) is None
                or row.comment is None,
            )
            for row in rows
        }

    def _lock_row(self, number: int, *, with_change: bool = False) -> ForgeChange:
        """Locked row with its `related` ones. A row that does not exist yet is created."""
        found = lock_change(self._repository, number, with_change=with_change)
        if found is not None:
            return found
        # Created first, then locked: another worker may create the row at the same moment, and one of the two waits.
        ForgeChange.objects.get_or_create(repository=self._repository, number=number)
        return ForgeChange.objects.select_for_update().get(repository=self._repository, number=number)

    def has_crowded_deliveries(self, number: int) -> bool:
        """Whether two recent deliveries report the one second in which the change was updated last.

        The state that was read then may be older than the second update, and its moment does not show it.
        """
        found = self._find_deliveries(number, _JUST_NOW)
        newest = max(found, default="")
        return bool(newest) and found.count(newest) > 1

    def _find_newest_update(self, row: ForgeChange) -> str:
        """Moment of the last update, if that is later than the reading, and every recent delivery reports it."""
        found = self._find_deliveries(row.number, _LATELY)
        newest = max(found, default="")
        return newest if all(found) and newest > row.forge_updated_at else ""

    def _find_deliveries(self, number: int, lately: timedelta) -> list[str]:
        """The moment of the last touch, by each delivery of late about a change."""
        with connection.cursor() as cursor:
            cursor.execute(_DELIVERIES, [self._repository.pk, number, timezone.now() - lately])
            return [str(updated) for (updated,) in cursor.fetchall()]

    def _open_change(self, row: ForgeChange, change: shapes.Change) -> Change:
        values: dict[str, object] = {
            "state": Change.State.OPEN,
            "title": clean_title(change.title),
            "target": change.target[:300],
            "head": change.head,
        }
        if row.change is None:
            name = f"#{change.number}"
            values["updated_at"] = timezone.now()
            return Change.objects.update_or_create(
                repository=self._repository, target=values.pop("target"), name=name, defaults=values
            )[0]
        found = row.change
        if found.head != change.head or found.target != values["target"]:
            values |= {"decision": None, "updated_at": timezone.now()}  # an older yes is not left standing
        others = {name: value for name, value in values.items() if getattr(found, name) != value}
        for name, value in others.items():
            setattr(found, name, value)
        if others:
            found.save(update_fields=list(others))
        return found


def lock_change(repository: Repository, number: int, *, with_change: bool = True) -> ForgeChange | None:
    """The row of a change at a forge, locked; None if there is none. Within a transaction."""
    row = next(iter(_lock_rows(repository.pk, number)), None)
    if row is not None and with_change and row.change_id is not None:
        # Read after the row is locked: one that is joined to it would be as it was before the wait for the lock.
        row.change = next(iter(_find_changes(row.change_id)), None)
    return row


@remember_instances
def _lock_rows(repository: int, number: int) -> QuerySet[ForgeChange]:
    return ForgeChange.objects.select_for_update().filter(repository=repository, number=number)


@remember_instances
def _find_changes(key: int) -> QuerySet[Change]:
    return Change.objects.filter(pk=key)


def _mark_due(row: ForgeChange, since: datetime) -> datetime:
    """Mark a reading as due, unless one is already: green becomes pending; since when. Within a transaction."""
    if row.read_due_at is None:
        row.read_due_at = since
        if row.status_context and not _is_denied(row):
            row.status = _encode_status(forge_status_text.pending_status(row.status_context, build_status_url(row)))
        save_columns(row, "read_due_at", "status")
    return row.read_due_at


def _is_denied(row: ForgeChange) -> bool:
    return row.status is not None and _decode_status(row.status).saying is StatusState.DENIED


def list_green_repositories(connection: Connection) -> QuerySet[RepositoryLink]:
    """Repositories at a forge that have allowed changes."""
    green = ForgeChange.objects.filter(status__saying=StatusState.ALLOWED.value).values("repository")
    rows = RepositoryLink.objects.filter(connection=connection, repository__product__retired_at=None)
    return rows.filter(repository__in=green).select_related("repository__product", "connection").order_by("pk")


def _encode_status(status: Status) -> Any:
    return msgspec.to_builtins(status)


def _decode_status(stored: Any) -> Status:
    return msgspec.convert(stored, Status)


def _parse_moment(text: str) -> datetime | None:
    try:
        return moments.parse_moment(text)
    except ValueError:
        return None
