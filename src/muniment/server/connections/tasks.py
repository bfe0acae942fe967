"""Background jobs for connected forges."""

from datetime import timedelta
from functools import partial

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from muniment.errors import MunimentError
from muniment.forges.registry import FORGE_KINDS
from muniment.forges.shapes import Vendor
from muniment.forges.statuses import make_context, parse_context
from muniment.server import moments
from muniment.server.changes.reevaluation_requests import request_reading, request_reading_of
from muniment.server.changes.tasks import reevaluate_outdated
from muniment.server.connections import (
    first_pass,
    first_pushes,
    forge_requests,
    input_probes,
    permission_checks,
    policy_source,
    product_clauses,
    reconciliation,
    repository_list,
    watched_branches,
)
from muniment.server.connections.bypass_acts import RevertBypass
from muniment.server.connections.change_acts import MergeChange, RequestReview
from muniment.server.connections.change_readings import evaluate_forge_change
from muniment.server.connections.forge_access import (
    end_at_refused_credential,
    load_active_link,
    open_connected_forge,
    report_problems,
    require_linked_repository,
)
from muniment.server.connections.forge_change_evaluator import (
    ForgeChangeEvaluator,
    is_machine_merge,
    open_repository_mirror,
)
from muniment.server.connections.forge_change_store import ForgeChangeStore
from muniment.server.connections.merge_groups import list_due_groups
from muniment.server.connections.models import BranchUpdate, BypassReason, Connection, ForgeChange
from muniment.server.connections.named_locks import hold_lock
from muniment.server.error_text import format_error_text
from muniment.server.job_queue import (
    LONG_SECONDS,
    enqueue,
    enqueue_first,
    enqueue_in,
    register_periodic_task,
    register_task,
)
from muniment.server.people.messages import notify_people
from muniment.server.people.models import Person
from muniment.server.policies.models import PolicySource
from muniment.server.records.recorded_acts import require_act
from muniment.workflows import forge_status_text
from muniment.workflows.status_publisher import StatusPublisher

_OWED = timedelta(seconds=60)
_LISTED = timedelta(hours=1)  # an App hears of each new repository
_LISTED_UNREPORTED = timedelta(minutes=10)  # webhooks of single repositories report no new one


@register_task("list-repositories")
def read_visible_repositories(connection: int) -> None:
    """Read the repositories that a connection sees."""
    row = Connection.objects.filter(pk=connection, ended_at=None, credential_set_at__isnull=False).first()
    if row is not None:
        with end_at_refused_credential(row):
            repository_list.read_connection(row)


@register_task("check-connection-permissions")
def check_connection_permissions(connection: int) -> None:
    """Try each kind of request that we need of a connection."""
    row = Connection.objects.filter(pk=connection, ended_at=None, credential_set_at__isnull=False).first()
    if row is not None:
        with end_at_refused_credential(row):
            permission_checks.check_permissions(row)


@register_task("read-merge-group", LONG_SECONDS, share_slots=True)
def evaluate_merge_group(repository: int, target: str, head: str, again: bool = False) -> None:
    """Evaluate the group that a merge queue or train is about to merge, and publish the result on its head."""
    row = load_active_link(repository)
    if row is None:
        return
    forge = open_connected_forge(row.connection)
    if again and forge.reader.read_branch_tip(require_linked_repository(row), target) == head:
        return  # it was merged, and is looked at with what the branch took
    publisher = StatusPublisher(
        forge, require_linked_repository(row), ForgeChangeStore(row.repository), ForgeChangeEvaluator(row, forge)
    )
    page = f"{settings.URL.rstrip('/')}/products/{row.repository.product.slug}"
    with hold_lock(f"group:{repository}:{head}"):  # whether it is wanted again or not: an older yes is not shown last
        publisher.evaluate_group(
            target, head, moments.current_moment(), partial(is_machine_merge, row, forge), page, again=again
        )


@register_task("read-branch-updates", LONG_SECONDS, share_slots=True)
def read_branch_updates(repository: int) -> None:
    """Read and record the updates of a repository's protected branches."""
    row = load_active_link(repository)
    if row is not None:
        forge = open_connected_forge(row.connection)
        try:
            with report_problems(row.connection):
                watched_branches.observe_branches(row, forge)
                first_pushes.record_first_pushes(row, forge, open_repository_mirror(row, forge))
        finally:
            watched_branches.close_reviewed_bypasses(row.repository)
            watched_branches.store_merged_states(row.repository)
        if row.repository.protected_branches.filter(rules__isnull=True, rule_gaps="").exists():
            enqueue("read-branch-rules", repository=repository)


@register_task("evaluate-product-clauses", LONG_SECONDS, share_slots=True)
def evaluate_product_clauses(repository: int) -> None:
    """Evaluate the clauses about a product, such as those of its secrets, for a repository at a forge."""
    row = load_active_link(repository)
    if row is not None:
        product_clauses.evaluate_product_clauses(row, open_connected_forge(row.connection))


@register_periodic_task("evaluate-due-product-clauses", every=60)
def evaluate_due_product_clauses() -> None:
    """Enqueue the evaluation of the clauses about products whose facts may have changed."""
    for row in product_clauses.list_due_links():
        enqueue("evaluate-product-clauses", repository=row.repository_id)


@register_task("post-bypass-status")
def post_bypass_status(update: int) -> None:
    """Publish on the head of a change that its merge was a bypass, in place of the earlier status."""
    row = BranchUpdate.objects.select_related("decision__change__forge_change").filter(pk=update).first()
    connected = load_active_link(row.repository_id) if row is not None else None
    if row is None or connected is None or row.decision is None or row.outcome != BranchUpdate.Outcome.BYPASS:
        return
    forge, url = open_connected_forge(connected.connection), f"{settings.URL.rstrip('/')}/branch-updates/{row.pk}"
    status = forge_status_text.bypass_status(make_context(row.ref), url, str(BypassReason(row.bypass_reason).label))
    publisher = StatusPublisher(
        forge,
        require_linked_repository(connected),
        ForgeChangeStore(row.repository),
        ForgeChangeEvaluator(connected, forge),
    )
    publisher.publish_last(row.decision.head, status)


@register_task("close-reviewed-bypasses")
def close_bypasses(repository: int) -> None:
    """Close the bypasses that enough others reviewed."""
    row = load_active_link(repository)
    if row is not None:
        watched_branches.close_reviewed_bypasses(row.repository)


@register_task("read-branch-rules")
def verify_branch_protection(repository: int) -> None:
    """Verify that a repository's branches are protected as they were."""
    row = load_active_link(repository)
    if row is not None:
        reconciliation.verify_branch_rules(row, open_connected_forge(row.connection))


@register_task("verify-statuses")
def verify_statuses_at_forge(repository: int, head: str) -> None:
    """Verify that the statuses on a head are ours."""
    row = load_active_link(repository)
    if row is not None:
        forge = open_connected_forge(row.connection)
        with report_problems(row.connection):
            reconciliation.verify_head_statuses(row, forge, head)


@register_task("reconcile-repository", LONG_SECONDS, share_slots=True)
def reconcile_now(repository: int, hook: bool = False) -> None:
    """Reconcile one repository, due or not. `hook`: its webhook is registered again in any case."""
    row = load_active_link(repository)
    if row is not None:
        if hook:
            row.webhook_secret_mark = ""  # kept first: if this pass fails before it came to that, the next one does it
            row.save(update_fields=["webhook_secret_mark"])
        reconciliation.reconcile_repository(row, open_connected_forge(row.connection))


@register_task("begin-passes", LONG_SECONDS)
def begin_passes() -> None:
    """Reconcile everything after a worker started, and evaluate again what other controls evaluated.

    It is unknown what was missed meanwhile, and the program may be another version.
    """
    reconciliation.reset_passes()
    for row in Connection.objects.filter(ended_at=None, credential_set_at__isnull=False):
        enqueue("poll-connection", connection=row.pk)
        enqueue_first("probe-connection", connection=row.pk)
    reevaluate_outdated()


@register_task("read-new-repositories", LONG_SECONDS)
def read_new_repositories(connection: int) -> None:
    """Read the repositories of a connection that were never read, a part at a time."""
    row = Connection.objects.filter(pk=connection, ended_at=None, credential_set_at__isnull=False).first()
    if row is not None:
        seconds = first_pass.run_first_pass(row)
        if seconds != first_pass.FINISHED:
            enqueue_in("read-new-repositories", seconds, connection=connection)


@register_task("poll-connection", LONG_SECONDS)
def poll_connection(connection: int) -> None:
    """Reconcile the repositories of a forge that are due."""
    row = Connection.objects.filter(pk=connection, ended_at=None, credential_set_at__isnull=False).first()
    if row is not None:
        reconciliation.reconcile_connection(row)


@register_task("request-review")
def request_review(change: int, record: str) -> None:
    """Request reviews at the forge from eligible reviewers.

    Raises UnrecordedTaskError unless the act with that `record` said so.
    """
    require_act(record, RequestReview(change=change).digest_act())
    row = ForgeChange.objects.select_related("change__decision").filter(change=change).first()
    connected = load_active_link(row.repository_id) if row is not None else None
    if row is not None and connected is not None:
        forge_requests.request_eligible_reviews(row, connected, open_connected_forge(connected.connection))


@register_task("merge-change", LONG_SECONDS)
def merge_change(change: int, head: str, person: str, record: str) -> None:
    """Merge a change whose head is still this one, if its status after another reading allows it.

    It is done now, or not at all: the requester gets the reason. Raises UnrecordedTaskError unless the act with that
    `record` said so.
    """
    require_act(record, MergeChange(change=change, head=head).digest_act(), person)
    row = ForgeChange.objects.select_related("change").filter(change=change).first()
    connected = load_active_link(row.repository_id) if row is not None else None
    if row is None or connected is None:
        return
    try:
        evaluate_forge_change(repository=row.repository_id, number=row.number)
        forge_requests.merge_if_allowed(row, connected, open_connected_forge(connected.connection), head)
    except MunimentError as error:
        with transaction.atomic():
            details = {"name": connected.repository.name, "number": row.number, "problem": format_error_text(error)}
            text = _("Not merged: %(name)s #%(number)d. %(problem)s") % details
            notify_people(Person.objects.filter(pk=person), text, f"/changes/{change}")
            request_reading(row.repository_id, row.number)


@register_task("prepare-revert", LONG_SECONDS)
def prepare_revert(update: int, person: str, record: str) -> None:
    """Open a change that reverts a bypass.

    Raises UnrecordedTaskError unless the act with that `record` said so.
    """
    require_act(record, RevertBypass(bypass=update).digest_act(), person)
    row = BranchUpdate.objects.select_related("repository", "incident").filter(pk=update).first()
    connected = load_active_link(row.repository_id) if row is not None else None
    if row is not None and connected is not None:
        forge_requests.open_requested_revert(row, connected, open_connected_forge(connected.connection), person)


@register_task("probe-connection", LONG_SECONDS)
def probe_connection(connection: int) -> None:
    """Re-read the inputs of a forge's green changes that no event reports, if that is due."""
    row = Connection.objects.filter(pk=connection, ended_at=None, credential_set_at__isnull=False).first()
    if row is not None:
        input_probes.run_probe(row)


@register_task("probe-repository")
def probe_repository(repository: int) -> None:
    """Re-read these inputs for one repository at once: the forge reported that somebody's access changed."""
    row = load_active_link(repository)
    if row is not None:
        with report_problems(row.connection):
            input_probes.probe_green_changes(row, open_connected_forge(row.connection))


@register_periodic_task("probe-connections", every=input_probes.LEAST_SECONDS)
def probe_connections() -> None:
    """Enqueue a probe of each connection that is due."""
    for row in Connection.objects.filter(ended_at=None, credential_set_at__isnull=False):
        if input_probes.is_probe_due(row):
            enqueue_first("probe-connection", connection=row.pk)


@register_periodic_task("poll-connections", every=60)
def poll_connections() -> None:
    """Enqueue the reconciliation of all connections, and the readings that are overdue."""
    rows = Connection.objects.filter(ended_at=None, credential_set_at__isnull=False)
    for found in rows:
        enqueue("poll-connection", connection=found.pk)
        if _is_list_due(found):
            enqueue("list-repositories", connection=found.pk)
        permission_checks.enqueue_check_if_due(found)
    late = Q(read_due_at__lt=timezone.now() - _OWED) | Q(
        reevaluate_at__lte=timezone.now(), read_due_at=None, status__isnull=False
    )
    overdue = ForgeChange.objects.filter(late, repository__product__retired_at=None).order_by(
        "?"
    )  # none keeps others back
    with transaction.atomic():
        for repository, number, saying in overdue.values_list("repository", "number", "status__saying")[:500]:
            request_reading_of(repository, number, saying)
        for row in list_due_groups(timezone.now() - _OWED):
            enqueue("read-merge-group", repository=row.repository_id, target=parse_context(row.context), head=row.head)


def _is_list_due(connection: Connection) -> bool:
    """Whether the repositories are listed again: sooner where the forge reports no new repository to us."""
    interval = _LISTED if FORGE_KINDS[Vendor(connection.vendor)].has_app else _LISTED_UNREPORTED
    return connection.listed_at is None or connection.listed_at < timezone.now() - interval


@register_task("read-policy-source", LONG_SECONDS)
def read_policy_source() -> None:
    """Read the branch that policies come from, and propose a new one."""
    row = PolicySource.objects.select_related("repository").first()
    if row is not None:
        policy_source.read_policy_branch(row)
