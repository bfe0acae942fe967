"""Work in the background for what is connected."""

from datetime import timedelta
from functools import partial

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from muniment.decision.account import Account as Told
from muniment.errors import MunimentError
from muniment.forges.statuses import Saying, ref_of
from muniment.server import moments
from muniment.server.changes.again import read_again, read_as
from muniment.server.changes.models import Change
from muniment.server.connections import asking, reconciling, watching
from muniment.server.connections.judging import Court, carries
from muniment.server.connections.keeping import PostgresKeeper, groups_due, locked
from muniment.server.connections.models import Arrival, AtForge, Connected, Connection
from muniment.server.connections.reaching import following, forge_of, repo_of
from muniment.server.people.messages import tell
from muniment.server.people.models import Person
from muniment.server.record.reading import beside
from muniment.server.work import first, later, soon, task
from muniment.workflows.judge_at_forge import Judging

_AGAIN, _LONGEST = 5, 86_400  # seconds until what was not known is read again: at first, and at most
_SETTLED = 61  # seconds until what was touched twice within one is read once more
_HOUR = timedelta(hours=1)
_OWED, _LISTED = timedelta(seconds=60), timedelta(hours=1)


@task("list-repositories")
def list_repositories(connection: int) -> None:
    """Read what a connection sees."""
    row = Connection.objects.filter(pk=connection, ended=None, keyed__isnull=False).first()
    if row is not None:
        reconciling.list_repositories(row)


@task("read-change")
def read_change(repository: int, number: int) -> None:
    """Judge the newest state of a change at a forge, and show the verdict there."""
    row = _connected(repository)
    if row is None:
        return
    forge = forge_of(row.connection)
    keeper = PostgresKeeper(row.repository)
    try:
        with following(row.connection, forge):
            Judging(forge, repo_of(row), keeper, Court(row, forge)).look(number, moments.now())
    finally:
        _look_at_groups(repository, number, keeper)
    found = AtForge.objects.select_related("change__decision").get(repository=repository, number=number)
    if found.change is not None and found.change.where == Change.Where.PAST:
        soon("watch", repository=repository)
    elif seconds := _again_in(found.change) or (keeper.crowded(number) and _SETTLED):
        later("read-change", seconds, repository=repository, number=number)


@task("read-group")
def read_group(repository: int, target: str, head: str, again: bool = False) -> None:
    """Judge what a merge queue or train is about to merge, and show the verdict on its head."""
    row = _connected(repository)
    if row is None:
        return
    forge = forge_of(row.connection)
    if again and forge.reader.tip(repo_of(row), target) == head:
        return  # it was merged, and is looked at with what the branch took
    judging = Judging(forge, repo_of(row), PostgresKeeper(row.repository), Court(row, forge))
    page = f"{settings.URL.rstrip('/')}/products/{row.repository.product.slug}"
    with locked(f"group:{repository}:{head}"):  # whether it is wanted again or not: an older yes is not shown last
        judging.look_at_group(target, head, moments.now(), partial(carries, row, forge), page, again=again)


@task("watch")
def watch(repository: int) -> None:
    """See what the protected branches of a repository took."""
    row = _connected(repository)
    if row is not None:
        forge = forge_of(row.connection)
        try:
            with following(row.connection, forge):
                watching.watch(row, forge)
        finally:
            watching.settle(row.repository)
            watching.keep_states(row.repository)
        if row.repository.branches.filter(rules__isnull=True, loose="").exists():
            soon("look-at-rules", repository=repository)


@task("settle-escapes")
def settle_escapes(repository: int) -> None:
    """Close the escapes that enough others reviewed."""
    row = _connected(repository)
    if row is not None:
        watching.settle(row.repository)


@task("look-at-rules")
def look_at_rules(repository: int) -> None:
    """See that a repository's branches are protected as they were."""
    row = _connected(repository)
    if row is not None:
        reconciling.look_at_rules(row, forge_of(row.connection))


@task("look-at-statuses")
def look_at_statuses(repository: int, head: str) -> None:
    """See that what stands on a head is ours."""
    row = _connected(repository)
    if row is not None:
        forge = forge_of(row.connection)
        with following(row.connection, forge):
            reconciling.look_at_statuses(row, forge, head)


@task("reconcile")
def reconcile(repository: int, hook: bool = False) -> None:
    """Go through one repository, whether it is due or not. `hook`: its webhook is made anew, whatever is believed."""
    row = _connected(repository)
    if row is not None:
        if hook:
            row.hooked = ""  # kept first: if this pass fails before it came to that, the next one does it
            row.save(update_fields=["hooked"])
        reconciling.reconcile(row, forge_of(row.connection))


@task("go-through")
def go_through(connection: int) -> None:
    """One pass over what is due at a forge."""
    row = Connection.objects.filter(pk=connection, ended=None, keyed__isnull=False).first()
    if row is not None:
        reconciling.go_through(row)


@task("ask-review")
def ask_review(change: int) -> None:
    """Ask at the forge those who could approve."""
    row = AtForge.objects.select_related("change__decision").filter(change=change).first()
    connected = _connected(row.repository_id) if row is not None else None
    if row is not None and connected is not None:
        asking.ask_people(row, connected, forge_of(connected.connection))


@task("merge-change")
def merge_change(change: int, head: str, person: int) -> None:
    """Merge a change whose head is still this one, if what stands for it after another reading allows it.

    It is done now, or not at all: whoever asked is told why not.
    """
    row = AtForge.objects.select_related("change").filter(change=change).first()
    connected = _connected(row.repository_id) if row is not None else None
    if row is None or connected is None:
        return
    try:
        read_change(repository=row.repository_id, number=row.number)
        asking.merge(row, connected, forge_of(connected.connection), head)
    except MunimentError as error:
        with transaction.atomic():
            text = f"{connected.repository.name} #{row.number} was not merged: {error.message}. {error.remedy}"
            tell(Person.objects.filter(pk=person), text, f"/changes/{change}")
            read_again(row.repository_id, row.number)


@task("prepare-revert")
def prepare_revert(arrival: int, person: int) -> None:
    """Bring a change that takes an escape back."""
    row = Arrival.objects.select_related("repository", "incident").filter(pk=arrival).first()
    connected = _connected(row.repository_id) if row is not None else None
    if row is not None and connected is not None:
        asking.revert(row, connected, forge_of(connected.connection), person)


def go_rounds() -> None:
    """For the rounds: have gone through what is connected, and looked at again what is overdue."""
    rows = Connection.objects.filter(ended=None, keyed__isnull=False)
    for number, listing in rows.values_list("pk", "listing"):
        soon("go-through", connection=number)
        if listing is None or listing < timezone.now() - _LISTED:
            soon("list-repositories", connection=number)
    late = Q(due__lt=timezone.now() - _OWED) | Q(until__lte=timezone.now(), due=None, status__isnull=False)
    overdue = AtForge.objects.filter(late, repository__product__retired=None).order_by("?")  # none keeps others back
    with transaction.atomic():
        for repository, number, saying in overdue.values_list("repository", "number", "status__saying")[:500]:
            read_as(repository, number, saying)
        for row in groups_due(timezone.now() - _OWED):
            soon("read-group", repository=row.repository_id, target=ref_of(row.context), head=row.head)


def _again_in(change: Change | None) -> int:
    """Seconds until a change is read again that was denied for what was not known; 0 if it was not.

    A forge tells who pushed a little after a push, and a call may have failed: nothing tells us when it is well again.
    So it is asked soon, and then as long after as it has been so.
    """
    decision = change.decision if change is not None else None
    if change is None or decision is None or decision.allowed or change.where != Change.Where.OPEN:
        return 0
    told = beside(decision.account, Told) if decision.account else None
    if not isinstance(told, Told) or not any(one.status == "unknown" for one in told.results):
        return 0
    now = timezone.now()
    lately = change.decisions.filter(head=change.head, time__gt=now - _HOUR).count()
    since = int((now - decision.time).total_seconds())
    growing: int = _AGAIN << min(max(lately - 1, 0), 15)
    return min(_LONGEST, max(since, growing))


def _look_at_groups(repository: int, number: int, keeper: PostgresKeeper) -> None:
    """A change that is not allowed, or not any more, may be in a group that is green: have those looked at again."""
    row = AtForge.objects.select_related("change").filter(repository=repository, number=number).first()
    if row is None or row.change is None or row.status is None or row.status["saying"] == Saying.ALLOWED.value:
        return
    for head in keeper.green_groups(row.context):
        first("read-group", repository=repository, target=row.change.target, head=head, again=True)


def _connected(repository: int) -> Connected | None:
    rows = Connected.objects.select_related("repository__product", "connection")
    found = rows.filter(repository=repository, connection__ended=None, repository__product__retired=None)
    return found.first()
