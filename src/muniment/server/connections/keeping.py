"""What stands for the changes of one repository, in the database: the keeper of `workflows.judge_at_forge`."""

import contextlib
import hashlib
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import msgspec
from django.conf import settings
from django.db import connection, transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone
from msgspec import structs

from muniment.errors import MunimentError
from muniment.forges import shapes
from muniment.forges.shapes import State
from muniment.forges.statuses import Saying, Status, ref_of
from muniment.policy.patterns import matches
from muniment.server import moments
from muniment.server.changes.judging import cleaned
from muniment.server.changes.models import Change
from muniment.server.connections.models import (
    BranchUpdate,
    Connection,
    ForgeChange,
    PostedStatus,
    RepositoryLink,
)
from muniment.server.policies.current import protected
from muniment.server.products.models import Repository
from muniment.workflows import telling_forge
from muniment.workflows.judge_at_forge import Due, Verdict
from muniment.workflows.reconcile_forge import Kept

HEADS = "refs/heads/"
_OPENED = (
    *("change", "status", "head", "status_context", "forge_updated_at", "url"),
    *("opened_at", "merge_commit", "merged_at"),
)
_LATELY = timedelta(minutes=10)  # that a delivery is asked about when its change is read
_JUST_NOW = timedelta(minutes=1)  # in which a forge's answers may lag behind its deliveries
_QUEUED = timedelta(days=1)  # that a group stands in a queue at most


def status_page_of(row: ForgeChange) -> str:
    """The address of the page behind the status of a change: it shows what is missing to whoever sees the status."""
    return f"{settings.URL.rstrip('/')}/change-status/{row.status_token}"


_HEAD = """
    SELECT (SELECT jsonb_agg(jsonb_build_array(ref, shared_contexts)) FROM connections_protectedbranch
            WHERE repository_id = %(repository)s AND shared_contexts <> '[]'),
        (SELECT jsonb_agg(jsonb_build_array(status_context, status) ORDER BY number) FROM connections_forgechange
            WHERE repository_id = %(repository)s AND head = %(head)s AND status IS NOT NULL),
        (SELECT jsonb_agg(jsonb_build_array(context, status)) FROM connections_postedstatus
            WHERE repository_id = %(repository)s AND head = %(head)s AND status IS NOT NULL)
"""


# For each evaluation, several times, it takes Django longer to write these queries than the database to answer them.
_LOCKED = "SELECT * FROM connections_forgechange WHERE repository_id = %s AND number = %s FOR UPDATE"
_CHANGE = "SELECT * FROM changes_change WHERE id = %s"
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


class _Head(NamedTuple):
    """What is stored of a head.

    `demanded`: for each branch, the contexts of ours that its rule demands beside its own, as the forge was last read.
    `rows`: for each open change, its context and what stands for it. `shown`: what the forge surely shows, by context.
    """

    demanded: Mapping[str, tuple[str, ...]]
    rows: tuple[tuple[str, Status], ...]
    shown: Mapping[str, Status]

    def places(self, context: str) -> tuple[str, ...]:
        """A context, and those that are demanded of its branch besides."""
        return (context, *self.demanded.get(ref_of(context), ()))

    def standing(self, context: str) -> tuple[Status, ...]:
        """What stands in a context; in one that branches share for every change with that head."""
        shared = any(context in others for others in self.demanded.values())
        return tuple(structs.replace(status, context=context) for own, status in self.rows if shared or own == context)


class PostgresKeeper:
    """The keeper of one repository."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository

    def judges(self, ref: str) -> bool:
        """Whether the policy protects that branch, or it was found protected before."""
        with connection.cursor() as cursor:
            cursor.execute(_IS_PROTECTED, [self._repository.pk, ref])
            (known,) = cursor.fetchone() or (False,)
        return bool(known) or matches(ref.removeprefix(HEADS), protected())

    def due(self, number: int, now: str) -> Due:
        """A reading is due: an allowance that stood makes room for pending; what is denied stays so until then."""
        with transaction.atomic():
            row = self._row(number)
            since = _owe(row, moments.read(now))
            return Due(moments.text(since), row.head, row.status_context, self._heard(row))

    def opened(self, change: shapes.Change, context: str) -> None:
        """It is open, and so its head is this one, in this context: pending."""
        with transaction.atomic():
            row = self._row(change.number, with_change=True)
            moved = (row.head, row.status_context) != (change.head, context)
            row.change = self._change(row, change)
            if moved or row.status is None:
                row.status = _kept(telling_forge.pending(context, status_page_of(row)))
            row.head, row.status_context, row.forge_updated_at, row.url = (
                change.head,
                context,
                change.updated,
                change.url[:500],
            )
            row.opened_at = row.opened_at or _moment(change.opened)
            row.merge_commit, row.merged_at = "", None
            row.save(update_fields=_OPENED)

    def judged(self, change: shapes.Change, verdict: Verdict, since: str) -> bool:
        """This stands for it now, and the reading that was due `since` then is so no more.

        False if another judged it meanwhile, or read another head or target: nothing is known but that one is due.
        """
        with transaction.atomic():
            row = self._row(change.number)
            as_read = (row.head, row.status_context) == (change.head, verdict.status.context)
            if not as_read or row.read_due_at != moments.read(since):
                _owe(row, timezone.now())
                return False
            row.status, row.read_due_at = _kept(verdict.status), None
            row.reevaluate_at = moments.read(verdict.until) if verdict.until else None
            row.first_decided_at = row.first_decided_at or timezone.now()
            row.save(update_fields=["status", "read_due_at", "reevaluate_at", "first_decided_at"])
        return True

    def unread(self, number: int, error: MunimentError) -> Due:
        """Denied, since it could not be read for so long. What is known of it by now."""
        with transaction.atomic():
            row = self._row(number)
            if row.status_context:
                row.status = _kept(telling_forge.unread(row.status_context, status_page_of(row), error))
                row.save(update_fields=["status"])
                Change.objects.filter(forge_change=row).update(decision=None)
            return Due(moments.text(row.read_due_at or timezone.now()), row.head, row.status_context)

    def over(self, change: shapes.Change) -> None:
        """It is merged, closed, or for a branch that is not protected: nothing stands for it any more."""
        with transaction.atomic():
            row = self._row(change.number)
            row.read_due_at, row.status, row.forge_updated_at = None, None, change.updated
            if change.state is State.MERGED:
                row.merge_commit, row.merged_at = change.merged, _moment(change.merged_at) or timezone.now()
            row.save(update_fields=["read_due_at", "status", "forge_updated_at", "merge_commit", "merged_at"])
            state = Change.State.MERGED if change.state is State.MERGED else Change.State.CLOSED
            Change.objects.filter(forge_change=row).update(state=state)

    def gone(self, number: int) -> None:
        """The forge has it no more: nothing stands for it."""
        with transaction.atomic():
            row = self._row(number)
            row.read_due_at, row.status = None, None
            row.save(update_fields=["read_due_at", "status"])
            Change.objects.filter(forge_change=row).update(state=Change.State.CLOSED)

    def standing(self, head: str, context: str) -> tuple[Status, ...]:
        """What stands for each open change with that head in that context; in a shared one for all with that head."""
        return self._read_head(head).standing(context)

    def standing_everywhere(self, head: str, context: str) -> dict[str, tuple[Status, ...]]:
        """The same in that context, and in each that the forge demands of its branch besides.

        A rule for several branches has but one.
        """
        found = self._read_head(head)
        return {place: found.standing(place) for place in found.places(context)}

    def compare(self, head: str, context: str) -> dict[str, tuple[tuple[Status, ...], Status | None]]:
        """What stands in each of these places, and what the forge surely shows there; None if that is not known."""
        found = self._read_head(head)
        return {place: (found.standing(place), found.shown.get(place)) for place in found.places(context)}

    def _read_head(self, head: str) -> "_Head":
        with connection.cursor() as cursor:
            cursor.execute(_HEAD, {"repository": self._repository.pk, "head": head})
            demanded, rows, shown = (msgspec.json.decode(column or b"[]") for column in cursor.fetchone() or ())
        return _Head(
            {ref: tuple(contexts) for ref, contexts in demanded},
            tuple((context, _read(status)) for context, status in rows),
            {context: _read(status) for context, status in shown},
        )

    @contextlib.contextmanager
    def alone(self, head: str) -> Iterator[None]:
        """While it lasts, nobody else shows anything on that head: by a lock that ends with this connection."""
        with locked(f"head:{self._repository.pk}:{head}"):
            yield

    def shown(self, head: str, context: str) -> Status | None:
        """What the forge surely shows there; None if that is not known."""
        with connection.cursor() as cursor:
            cursor.execute(_SHOWN, [self._repository.pk, head, context])
            (status,) = cursor.fetchone() or (None,)
        return _read(msgspec.json.decode(status)) if status is not None else None

    def show(self, head: str, status: Status, *, sure: bool) -> None:
        """It is about to be shown, or, `sure`, the forge said that it is."""
        values = {"status": _kept(status) if sure else None, "posted_at": timezone.now()}
        place: dict[str, Any] = {"repository": self._repository, "head": head, "context": status.context}
        stored = msgspec.json.encode(values["status"]).decode() if sure else None
        with connection.cursor() as cursor:
            cursor.execute(_SHOW, [stored, values["posted_at"], self._repository.pk, head, status.context])
            there = cursor.rowcount
        if not there:
            PostedStatus.objects.update_or_create(**place, defaults=values)

    def group_due(self, head: str, context: str, now: str, *, again: bool) -> str:
        """A queue's group with that head has to be read; since when. "" if it was, and is not wanted `again`."""
        with transaction.atomic():
            PostedStatus.objects.get_or_create(repository=self._repository, head=head, context=context)
            row = PostedStatus.objects.select_for_update().get(repository=self._repository, head=head, context=context)
            if row.merge_group and row.read_due_at is None and row.status is not None and not again:
                return ""
            row.merge_group, row.read_due_at = True, row.read_due_at or moments.read(now)
            row.save(update_fields=["merge_group", "read_due_at"])
            return moments.text(row.read_due_at)

    def group_read(self, head: str, context: str) -> None:
        """What is shown there is the verdict on the group, and no reading of it is due."""
        PostedStatus.objects.filter(repository=self._repository, head=head, context=context).update(read_due_at=None)

    def green_groups(self, context: str) -> list[str]:
        """Heads of groups that may be merged any moment: shown green of late, or about to be, and not landed."""
        rows = _waiting(PostedStatus.objects.filter(repository=self._repository, context=context, merge_group=True))
        green = rows.filter(Q(status__saying=Saying.ALLOWED.value) | Q(read_due_at__isnull=False))
        return list(green.filter(posted_at__gte=timezone.now() - _QUEUED).values_list("head", flat=True))

    def forget(self, head: str, context: str) -> None:
        """It is not known any more what is shown there."""
        PostedStatus.objects.filter(repository=self._repository, head=head, context=context).update(status=None)

    def contexts(self, head: str) -> list[str]:
        """The contexts in which something stands on that head."""
        found = self._read_head(head)
        return sorted({place for context, _ in found.rows for place in found.places(context)})

    def commented(self, number: int) -> str | None:
        """What our comment surely says, "" if there is none; None if that is not known."""
        with connection.cursor() as cursor:
            cursor.execute(_COMMENT, [self._repository.pk, number])
            (text,) = cursor.fetchone() or (None,)
        return str(text) if text is not None else None

    def comment(self, number: int, text: str | None) -> None:
        """What it says from now on; None while that is not sure."""
        with connection.cursor() as cursor:
            cursor.execute(_SET_COMMENT, [text, self._repository.pk, number])

    def kept(self) -> dict[int, Kept]:
        """What is kept of each open change, for a reconcile pass. What is not shown as it stands is owed."""
        rows = ForgeChange.objects.filter(repository=self._repository, status__isnull=False).select_related("change")
        shown = {
            (row.head, row.context): row.status
            for row in PostedStatus.objects.filter(repository=self._repository, head__in=[row.head for row in rows])
        }
        return {
            row.number: Kept(
                row.forge_updated_at,
                row.head,
                row.change.target if row.change is not None else "",
                row.read_due_at is not None or shown.get((row.head, row.status_context)) is None or row.comment is None,
            )
            for row in rows
        }

    def _row(self, number: int, *, with_change: bool = False) -> ForgeChange:
        """Locked. One that was not heard of before is made."""
        found = lock_change(self._repository, number, with_change=with_change)
        if found is not None:
            return found
        ForgeChange.objects.get_or_create(repository=self._repository, number=number)
        return ForgeChange.objects.select_for_update().get(repository=self._repository, number=number)

    def crowded(self, number: int) -> bool:
        """Whether two deliveries of a moment ago tell of the one second in which it was touched last.

        What was read then may be older than the second touch, and its moment does not show it.
        """
        found = self._told(number, _JUST_NOW)
        newest = max(found, default="")
        return bool(newest) and found.count(newest) > 1

    def _heard(self, row: ForgeChange) -> str:
        """When it was touched last, if that is later than it was read, and every delivery of late tells it."""
        found = self._told(row.number, _LATELY)
        newest = max(found, default="")
        return newest if all(found) and newest > row.forge_updated_at else ""

    def _told(self, number: int, lately: timedelta) -> list[str]:
        """The moment of the last touch, by each delivery of late about a change."""
        with connection.cursor() as cursor:
            cursor.execute(_DELIVERIES, [self._repository.pk, number, timezone.now() - lately])
            return [str(updated) for (updated,) in cursor.fetchall()]

    def _change(self, row: ForgeChange, change: shapes.Change) -> Change:
        values: dict[str, Any] = {
            "state": Change.State.OPEN,
            "title": cleaned(change.title),
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
    row = next(iter(ForgeChange.objects.raw(_LOCKED, [repository.pk, number])), None)
    if row is not None and with_change and row.change_id is not None:
        row.change = next(iter(Change.objects.raw(_CHANGE, [row.change_id])), None)
    return row


def _owe(row: ForgeChange, since: datetime) -> datetime:
    """A reading is due, unless one is already: green makes room for pending; since when. Within a transaction."""
    if row.read_due_at is None:
        row.read_due_at = since
        if row.status_context and not _is_denied(row):
            row.status = _kept(telling_forge.pending(row.status_context, status_page_of(row)))
        row.save(update_fields=["read_due_at", "status"])
    return row.read_due_at


def _is_denied(row: ForgeChange) -> bool:
    return row.status is not None and _read(row.status).saying is Saying.DENIED


def with_green(connection: Connection) -> QuerySet[RepositoryLink]:
    """The repositories at a forge with changes that are green."""
    green = ForgeChange.objects.filter(status__saying=Saying.ALLOWED.value).values("repository")
    rows = RepositoryLink.objects.filter(connection=connection, repository__product__retired_at=None)
    return rows.filter(repository__in=green).select_related("repository__product", "connection").order_by("pk")


def groups_due(before: datetime) -> list[PostedStatus]:
    """What is shown of groups that have to be read since before then, and may still stand in a queue."""
    rows = PostedStatus.objects.filter(
        merge_group=True, read_due_at__lt=before, read_due_at__gte=timezone.now() - _QUEUED
    )
    return list(_waiting(rows.filter(repository__product__retired_at=None)))


def _waiting(rows: QuerySet[PostedStatus]) -> QuerySet[PostedStatus]:
    """Those of groups that did not land."""
    landed = BranchUpdate.objects.filter(repository=OuterRef("repository"), commit=OuterRef("head"))
    return rows.exclude(Exists(landed))


@contextlib.contextmanager
def locked(name: str) -> Iterator[None]:
    """Nobody else is here meanwhile, whatever process or machine they are."""
    key = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big", signed=True)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", [key])
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [key])


def _kept(status: Status) -> Any:
    return msgspec.to_builtins(status)


def _read(kept: Any) -> Status:
    return msgspec.convert(kept, Status)


def _moment(text: str) -> datetime | None:
    try:
        return moments.read(text)
    except ValueError:
        return None
