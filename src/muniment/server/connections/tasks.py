"""Work in the background for what is connected."""

from datetime import datetime, timedelta
from functools import partial
from typing import NamedTuple

from django.conf import settings
from django.db import connection as database
from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from muniment.errors import MunimentError
from muniment.forges.statuses import Saying, context_for, ref_of
from muniment.server import moments
from muniment.server.changes.again import read_again, read_as
from muniment.server.changes.models import Change, Decision
from muniment.server.changes.tasks import reevaluate_by_other_controls
from muniment.server.connections import (
    asking,
    first_pushes,
    permission_checks,
    policy_source,
    probing,
    reconciling,
    watching,
)
from muniment.server.connections.bypass_acts import RevertBypass
from muniment.server.connections.change_acts import MergeChange, RequestReview
from muniment.server.connections.judging import Court, carries, mirror_of
from muniment.server.connections.keeping import PostgresKeeper, groups_due, locked
from muniment.server.connections.models import BranchUpdate, BypassReason, Connection, ForgeChange, RepositoryLink
from muniment.server.connections.reaching import following, forge_of, repo_of
from muniment.server.error_text import error_text
from muniment.server.people.messages import tell
from muniment.server.people.models import Person
from muniment.server.policies.models import PolicySource
from muniment.server.records.recorded_acts import require_act
from muniment.server.work import LONG_SECONDS, first, later, periodic, soon, task
from muniment.workflows import telling_forge
from muniment.workflows.judge_at_forge import Judging

_AGAIN, _LONGEST = 5, 86_400  # seconds until what was not known is read again: at first, and at most
_SETTLED = 61  # seconds until what was touched twice within one is read once more
_HOUR = timedelta(hours=1)
_OWED, _LISTED = timedelta(seconds=60), timedelta(hours=1)


@task("list-repositories")
def list_repositories(connection: int) -> None:
    """Read what a connection sees."""
    row = Connection.objects.filter(pk=connection, ended_at=None, credential_set_at__isnull=False).first()
    if row is not None:
        reconciling.list_repositories(row)


@task("check-connection-permissions")
def check_permissions(connection: int) -> None:
    """Try each kind of request that we need of a connection."""
    row = Connection.objects.filter(pk=connection, ended_at=None, credential_set_at__isnull=False).first()
    if row is not None:
        permission_checks.check_permissions(row)


@task("read-change", LONG_SECONDS, share_slots=True)
def read_change(repository: int, number: int) -> None:
    """Judge the newest state of a change at a forge, and show the verdict there."""
    row = _connected(repository)
    if row is None:
        return
    forge = forge_of(row.connection)
    keeper = PostgresKeeper(row.repository)
    court = Court(row, forge)
    try:
        with following(row.connection):
            Judging(forge, court.repo, keeper, court).look(number, moments.now())
    finally:
        found = _look_at_groups(repository, number, keeper)
    if found is None:
        return
    if found.state == Change.State.MERGED:
        soon("read-branch-updates", repository=repository)
    elif seconds := (court.lacks_facts and _again_in(found)) or (keeper.crowded(number) and _SETTLED):
        later("read-change", seconds, repository=repository, number=number)


@task("read-merge-group", LONG_SECONDS, share_slots=True)
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


@task("read-branch-updates", LONG_SECONDS, share_slots=True)
def watch(repository: int) -> None:
    """See what the protected branches of a repository took."""
    row = _connected(repository)
    if row is not None:
        forge = forge_of(row.connection)
        try:
            with following(row.connection):
                watching.watch(row, forge)
                first_pushes.record_if_possible(row, forge, mirror_of(row, forge))
        finally:
            watching.settle(row.repository)
            watching.keep_states(row.repository)
        if row.repository.protected_branches.filter(rules__isnull=True, rule_gaps="").exists():
            soon("read-branch-rules", repository=repository)


@task("post-bypass-status")
def post_bypass_status(update: int) -> None:
    """Show on the head of a change that its merge was a bypass, in place of the decision before it."""
    row = BranchUpdate.objects.select_related("decision__change__forge_change").filter(pk=update).first()
    connected = _connected(row.repository_id) if row is not None else None
    if row is None or connected is None or row.decision is None:
        return
    forge, url = forge_of(connected.connection), f"{settings.URL.rstrip('/')}/branch-updates/{row.pk}"
    status = telling_forge.bypass(context_for(row.ref), url, str(BypassReason(row.bypass_reason).label))
    judging = Judging(forge, repo_of(connected), PostgresKeeper(row.repository), Court(connected, forge))
    judging.show_last(row.decision.head, status)


@task("close-reviewed-bypasses")
def settle_escapes(repository: int) -> None:
    """Close the escapes that enough others reviewed."""
    row = _connected(repository)
    if row is not None:
        watching.settle(row.repository)


@task("read-branch-rules")
def look_at_rules(repository: int) -> None:
    """See that a repository's branches are protected as they were."""
    row = _connected(repository)
    if row is not None:
        reconciling.look_at_rules(row, forge_of(row.connection))


@task("verify-statuses")
def look_at_statuses(repository: int, head: str) -> None:
    """See that what stands on a head is ours."""
    row = _connected(repository)
    if row is not None:
        forge = forge_of(row.connection)
        with following(row.connection):
            reconciling.look_at_statuses(row, forge, head)


@task("reconcile-repository", LONG_SECONDS, share_slots=True)
def reconcile(repository: int, hook: bool = False) -> None:
    """Go through one repository, whether it is due or not. `hook`: its webhook is made anew, whatever is believed."""
    row = _connected(repository)
    if row is not None:
        if hook:
            row.webhook_secret_mark = ""  # kept first: if this pass fails before it came to that, the next one does it
            row.save(update_fields=["webhook_secret_mark"])
        reconciling.reconcile(row, forge_of(row.connection))


@task("begin-passes", LONG_SECONDS)
def begin_passes() -> None:
    """After a worker started: go through everything, and have evaluated anew what other controls evaluated.

    Nobody knows what was missed meanwhile, and the program may be another one.
    """
    reconciling.forget_passes()
    for row in Connection.objects.filter(ended_at=None, credential_set_at__isnull=False):
        soon("poll-connection", connection=row.pk)
        first("probe-connection", connection=row.pk)
    reevaluate_by_other_controls()


@task("poll-connection", LONG_SECONDS)
def go_through(connection: int) -> None:
    """One pass over what is due at a forge."""
    row = Connection.objects.filter(pk=connection, ended_at=None, credential_set_at__isnull=False).first()
    if row is not None:
        reconciling.go_through(row)


@task("request-review")
def ask_review(change: int, record: str) -> None:
    """Ask at the forge those who could approve.

    Raises UnrecordedTaskError unless the act with that `record` said so.
    """
    require_act(record, RequestReview(change=change).digest())
    row = ForgeChange.objects.select_related("change__decision").filter(change=change).first()
    connected = _connected(row.repository_id) if row is not None else None
    if row is not None and connected is not None:
        asking.ask_people(row, connected, forge_of(connected.connection))


@task("merge-change", LONG_SECONDS)
def merge_change(change: int, head: str, person: str, record: str) -> None:
    """Merge a change whose head is still this one, if what stands for it after another reading allows it.

    It is done now, or not at all: whoever asked is told why not. Raises UnrecordedTaskError unless the act with that
    `record` said so.
    """
    require_act(record, MergeChange(change=change, head=head).digest(), person)
    row = ForgeChange.objects.select_related("change").filter(change=change).first()
    connected = _connected(row.repository_id) if row is not None else None
    if row is None or connected is None:
        return
    try:
        read_change(repository=row.repository_id, number=row.number)
        asking.merge(row, connected, forge_of(connected.connection), head)
    except MunimentError as error:
        with transaction.atomic():
            details = {"name": connected.repository.name, "number": row.number, "problem": error_text(error)}
            text = _("%(name)s #%(number)d was not merged. %(problem)s") % details
            tell(Person.objects.filter(pk=person), text, f"/changes/{change}")
            read_again(row.repository_id, row.number)


@task("prepare-revert", LONG_SECONDS)
def prepare_revert(arrival: int, person: str, record: str) -> None:
    """Bring a change that takes an escape back.

    Raises UnrecordedTaskError unless the act with that `record` said so.
    """
    require_act(record, RevertBypass(bypass=arrival).digest(), person)
    row = BranchUpdate.objects.select_related("repository", "incident").filter(pk=arrival).first()
    connected = _connected(row.repository_id) if row is not None else None
    if row is not None and connected is not None:
        asking.revert(row, connected, forge_of(connected.connection), person)


@task("probe-connection", LONG_SECONDS)
def probe_connection(connection: int) -> None:
    """Re-read what no event reports of the inputs of what is green at a forge, if that is due."""
    row = Connection.objects.filter(pk=connection, ended_at=None, credential_set_at__isnull=False).first()
    if row is not None:
        probing.probe(row)


@task("probe-repository")
def probe_repository(repository: int) -> None:
    """The same for one repository at once: the forge told that somebody's access is another."""
    row = _connected(repository)
    if row is not None:
        with following(row.connection):
            probing.probe_repository(row, forge_of(row.connection))


@periodic("probe-connections", every=probing.LEAST_SECONDS)
def probe_connections() -> None:
    """Have each connection probed that is due."""
    for row in Connection.objects.filter(ended_at=None, credential_set_at__isnull=False):
        if probing.is_due(row):
            first("probe-connection", connection=row.pk)


@periodic("poll-connections", every=60)
def go_rounds() -> None:
    """Have gone through what is connected, and looked at again what is overdue."""
    rows = Connection.objects.filter(ended_at=None, credential_set_at__isnull=False)
    for found in rows:
        soon("poll-connection", connection=found.pk)
        if found.listed_at is None or found.listed_at < timezone.now() - _LISTED:
            soon("list-repositories", connection=found.pk)
        permission_checks.ask_for_permission_check(found)
    late = Q(read_due_at__lt=timezone.now() - _OWED) | Q(
        reevaluate_at__lte=timezone.now(), read_due_at=None, status__isnull=False
    )
    overdue = ForgeChange.objects.filter(late, repository__product__retired_at=None).order_by(
        "?"
    )  # none keeps others back
    with transaction.atomic():
        for repository, number, saying in overdue.values_list("repository", "number", "status__saying")[:500]:
            read_as(repository, number, saying)
        for row in groups_due(timezone.now() - _OWED):
            soon("read-merge-group", repository=row.repository_id, target=ref_of(row.context), head=row.head)


class _Standing(NamedTuple):
    """What stands for a change: its state, branch and head (None before it is opened), what is shown, its decision."""

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


def _again_in(found: _Standing) -> int:
    """Seconds until a change is read again that was denied for what was not known; 0 if it was not.

    A forge tells who pushed a little after a push, and a call may have failed: nothing tells us when it is well again.
    So it is asked soon, and then as long after as it has been so.
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


def _look_at_groups(repository: int, number: int, keeper: PostgresKeeper) -> _Standing | None:
    """A change that is not allowed, or not any more, may be in a group that is green: have those looked at again.

    The change as it stands now, None if it was never heard of.
    """
    found = _read_standing(repository, number)
    if found is not None and found.saying not in (None, Saying.ALLOWED.value):
        for head in keeper.green_groups(found.context):
            first("read-merge-group", repository=repository, target=found.target, head=head, again=True)
    return found


def _connected(repository: int) -> RepositoryLink | None:
    rows = RepositoryLink.objects.select_related("repository__product", "connection")
    found = rows.filter(repository=repository, connection__ended_at=None, repository__product__retired_at=None)
    return found.first()


@task("read-policy-source", LONG_SECONDS)
def read_policy() -> None:
    """See whether the branch that policies are read from holds a new one."""
    row = PolicySource.objects.select_related("repository").first()
    if row is not None:
        policy_source.read_on(row)
