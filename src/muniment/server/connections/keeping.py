"""What stands for the changes of one repository, in the database: the keeper of `workflows.judge_at_forge`."""

import contextlib
import hashlib
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import msgspec
from django.conf import settings
from django.db import connection, transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone
from msgspec import structs

from muniment.errors import MunimentError
from muniment.forges.shapes import Change as ForgeChange
from muniment.forges.shapes import State
from muniment.forges.statuses import Saying, Status, ref_of
from muniment.policy.patterns import matches
from muniment.server import moments
from muniment.server.changes.judging import cleaned
from muniment.server.changes.models import Change
from muniment.server.connections.models import Arrival, AtForge, Branch, Connected, Delivery, Shown
from muniment.server.policies.current import protected
from muniment.server.products.models import Repository
from muniment.workflows import telling_forge
from muniment.workflows.judge_at_forge import Due, Verdict
from muniment.workflows.reconcile_forge import Kept

HEADS = "refs/heads/"
_LATELY = timedelta(minutes=10)  # that a delivery is asked about when its change is read
_JUST_NOW = timedelta(minutes=1)  # in which a forge's answers may lag behind its deliveries
_QUEUED = timedelta(days=1)  # that a group stands in a queue at most


def page_of(change: Change | None) -> str:
    """Our page of a change, as an address."""
    return f"{settings.URL.rstrip('/')}/changes/{change.pk}" if change is not None else settings.URL


class PostgresKeeper:
    """The keeper of one repository."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository

    def judges(self, ref: str) -> bool:
        """Whether the policy protects that branch, or it was found protected before."""
        known = Branch.objects.filter(repository=self._repository, ref=ref).exists()
        return known or matches(ref.removeprefix(HEADS), protected())

    def due(self, number: int, now: str) -> Due:
        """A reading is due: a verdict that stood makes room for pending; what was denied unread stays so."""
        with transaction.atomic():
            row = self._row(number)
            since = _owe(row, moments.read(now))
            return Due(moments.text(since), row.head, row.context, self._heard(row))

    def opened(self, change: ForgeChange, context: str) -> None:
        """It is open, and so its head is this one, in this context: pending."""
        with transaction.atomic():
            row = self._row(change.number)
            moved = (row.head, row.context) != (change.head, context)
            row.change = self._change(row, change)
            if moved or row.status is None:
                row.status = _kept(telling_forge.pending(context, page_of(row.change)))
            row.head, row.context, row.updated, row.url = change.head, context, change.updated, change.url[:500]
            row.opened = row.opened or _moment(change.opened)
            row.merged, row.merged_at = "", None
            row.save()

    def judged(self, change: ForgeChange, verdict: Verdict, since: str) -> bool:
        """This stands for it now, and the reading that was due `since` then is so no more.

        False if another judged it meanwhile, or read another head or target: nothing is known but that one is due.
        """
        with transaction.atomic():
            row = self._row(change.number)
            as_read = (row.head, row.context) == (change.head, verdict.status.context)
            if not as_read or row.due != moments.read(since):
                _owe(row, timezone.now())
                return False
            row.status, row.due = _kept(verdict.status), None
            row.until = moments.read(verdict.until) if verdict.until else None
            row.first_verdict = row.first_verdict or timezone.now()
            row.save(update_fields=["status", "due", "until", "first_verdict"])
        return True

    def unread(self, number: int, error: MunimentError) -> Due:
        """Denied, since it could not be read for so long. What is known of it by now."""
        with transaction.atomic():
            row = self._row(number)
            if row.context:
                row.status = _kept(telling_forge.unread(row.context, page_of(row.change), error))
                row.save(update_fields=["status"])
                Change.objects.filter(at_forge=row).update(decision=None)
            return Due(moments.text(row.due or timezone.now()), row.head, row.context)

    def over(self, change: ForgeChange) -> None:
        """It is merged, closed, or for a branch that is not protected: nothing stands for it any more."""
        with transaction.atomic():
            row = self._row(change.number)
            row.due, row.status, row.updated = None, None, change.updated
            if change.state is State.MERGED:
                row.merged, row.merged_at = change.merged, _moment(change.merged_at) or timezone.now()
            row.save(update_fields=["due", "status", "updated", "merged", "merged_at"])
            where = Change.Where.PAST if change.state is State.MERGED else Change.Where.GONE
            Change.objects.filter(at_forge=row).update(where=where)

    def gone(self, number: int) -> None:
        """The forge has it no more: nothing stands for it."""
        with transaction.atomic():
            row = self._row(number)
            row.due, row.status = None, None
            row.save(update_fields=["due", "status"])
            Change.objects.filter(at_forge=row).update(where=Change.Where.GONE)

    def standing(self, head: str, context: str) -> tuple[Status, ...]:
        """What stands for each open change with that head in that context; in a shared one for all with that head."""
        rows = AtForge.objects.filter(repository=self._repository, head=head, status__isnull=False)
        if not self._is_shared(context):
            rows = rows.filter(context=context)
        return tuple(structs.replace(_read(row.status), context=context) for row in rows.order_by("number"))

    def shared(self, context: str) -> tuple[str, ...]:
        """The contexts that the forge demands of this one's branch besides: a rule for several branches has but one."""
        return self._demanded().get(ref_of(context), ())

    def _is_shared(self, context: str) -> bool:
        return any(context in others for others in self._demanded().values())

    def _demanded(self) -> dict[str, tuple[str, ...]]:
        """For each branch, the contexts of ours that its rule demands beside its own, as the forge was last read."""
        rows = Branch.objects.filter(repository=self._repository).exclude(demanded=[])
        return {ref: tuple(found) for ref, found in rows.values_list("ref", "demanded")}

    @contextlib.contextmanager
    def alone(self, head: str) -> Iterator[None]:
        """While it lasts, nobody else shows anything on that head: by a lock that ends with this connection."""
        with locked(f"head:{self._repository.pk}:{head}"):
            yield

    def shown(self, head: str, context: str) -> Status | None:
        """What the forge surely shows there; None if that is not known."""
        found = Shown.objects.filter(repository=self._repository, head=head, context=context).first()
        return _read(found.status) if found is not None and found.status is not None else None

    def show(self, head: str, status: Status, *, sure: bool) -> None:
        """It is about to be shown, or, `sure`, the forge said that it is."""
        values = {"status": _kept(status) if sure else None, "at": timezone.now()}
        place: dict[str, Any] = {"repository": self._repository, "head": head, "context": status.context}
        if not Shown.objects.filter(**place).update(**values):
            Shown.objects.update_or_create(**place, defaults=values)

    def group_due(self, head: str, context: str, now: str, *, again: bool) -> str:
        """A queue's group with that head has to be read; since when. "" if it was, and is not wanted `again`."""
        with transaction.atomic():
            Shown.objects.get_or_create(repository=self._repository, head=head, context=context)
            row = Shown.objects.select_for_update().get(repository=self._repository, head=head, context=context)
            if row.group and row.due is None and row.status is not None and not again:
                return ""
            row.group, row.due = True, row.due or moments.read(now)
            row.save(update_fields=["group", "due"])
            return moments.text(row.due)

    def group_read(self, head: str, context: str) -> None:
        """What is shown there is the verdict on the group, and no reading of it is due."""
        Shown.objects.filter(repository=self._repository, head=head, context=context).update(due=None)

    def green_groups(self, context: str) -> list[str]:
        """Heads of groups that may be merged any moment: shown green of late, or about to be, and not landed."""
        rows = _waiting(Shown.objects.filter(repository=self._repository, context=context, group=True))
        green = rows.filter(Q(status__saying=Saying.ALLOWED.value) | Q(due__isnull=False))
        return list(green.filter(at__gte=timezone.now() - _QUEUED).values_list("head", flat=True))

    def forget(self, head: str, context: str) -> None:
        """It is not known any more what is shown there."""
        Shown.objects.filter(repository=self._repository, head=head, context=context).update(status=None)

    def contexts(self, head: str) -> list[str]:
        """The contexts in which something stands on that head."""
        rows = AtForge.objects.filter(repository=self._repository, head=head, status__isnull=False)
        own = set(rows.values_list("context", flat=True))
        return sorted(own.union(*map(self.shared, own)))

    def commented(self, number: int) -> str | None:
        """What our comment surely says, "" if there is none; None if that is not known."""
        return AtForge.objects.values_list("said", flat=True).get(repository=self._repository, number=number)

    def comment(self, number: int, text: str | None) -> None:
        """What it says from now on; None while that is not sure."""
        AtForge.objects.filter(repository=self._repository, number=number).update(said=text)

    def kept(self) -> dict[int, Kept]:
        """What is kept of each open change, for a reconcile pass. What is not shown as it stands is owed."""
        rows = AtForge.objects.filter(repository=self._repository, status__isnull=False).select_related("change")
        shown = {
            (row.head, row.context): row.status
            for row in Shown.objects.filter(repository=self._repository, head__in=[row.head for row in rows])
        }
        return {
            row.number: Kept(
                row.updated,
                row.head,
                row.change.target if row.change is not None else "",
                row.due is not None or shown.get((row.head, row.context)) is None or row.said is None,
            )
            for row in rows
        }

    def _row(self, number: int) -> AtForge:
        """Locked. One that was not heard of before is made."""
        rows = AtForge.objects.select_for_update(of=("self",)).select_related("change")
        mine = rows.filter(repository=self._repository, number=number)
        found = mine.first()
        if found is not None:
            return found
        AtForge.objects.get_or_create(repository=self._repository, number=number)
        return mine.get()

    def crowded(self, number: int) -> bool:
        """Whether two deliveries of a moment ago tell of the one second in which it was touched last.

        What was read then may be older than the second touch, and its moment does not show it.
        """
        found = list(self._told(number, _JUST_NOW).values_list("updated", flat=True))
        newest = max(found, default="")
        return bool(newest) and found.count(newest) > 1

    def _heard(self, row: AtForge) -> str:
        """When it was touched last, if that is later than it was read, and every delivery of late tells it."""
        found = list(self._told(row.number, _LATELY).values_list("updated", flat=True))
        newest = max(found, default="")
        return newest if all(found) and newest > row.updated else ""

    def _told(self, number: int, lately: timedelta) -> QuerySet[Delivery]:
        here = Connected.objects.filter(repository=self._repository)
        return Delivery.objects.filter(
            connection__in=here.values("connection"),
            forge_id__in=here.values("forge_id"),
            number=number,
            received__gte=timezone.now() - lately,
        )

    def _change(self, row: AtForge, change: ForgeChange) -> Change:
        values: dict[str, Any] = {
            "where": Change.Where.OPEN,
            "title": cleaned(change.title),
            "target": change.target[:300],
            "head": change.head,
        }
        if row.change is None:
            name = f"#{change.number}"
            values["time"] = timezone.now()
            return Change.objects.update_or_create(
                repository=self._repository, target=values.pop("target"), name=name, defaults=values
            )[0]
        found = row.change
        if found.head != change.head or found.target != values["target"]:
            values |= {"decision": None, "time": timezone.now()}  # an older yes is not left standing
        for name, value in values.items():
            setattr(found, name, value)
        found.save(update_fields=list(values))
        return found


def _owe(row: AtForge, since: datetime) -> datetime:
    """A reading is due, unless one is already: what stood makes room for pending; since when. Within a transaction."""
    if row.due is None:
        row.due = since
        if row.context:
            row.status = _kept(telling_forge.pending(row.context, page_of(row.change)))
        row.save(update_fields=["due", "status"])
    return row.due


def groups_due(before: datetime) -> list[Shown]:
    """What is shown of groups that have to be read since before then, and may still stand in a queue."""
    rows = Shown.objects.filter(group=True, due__lt=before, due__gte=timezone.now() - _QUEUED)
    return list(_waiting(rows.filter(repository__product__retired=None)))


def _waiting(rows: QuerySet[Shown]) -> QuerySet[Shown]:
    """Those of groups that did not land."""
    landed = Arrival.objects.filter(repository=OuterRef("repository"), commit=OuterRef("head"))
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
