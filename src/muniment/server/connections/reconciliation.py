"""Reconciles connected repositories: missed events, weakened rules, statuses that others posted in our name.

Each pass sends validators, so that unchanged data costs no rate limit, and stops once it used its part of a tenth
of the limit.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

import msgspec
from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q
from django.utils import timezone

from muniment.errors import MunimentError
from muniment.facts import canonical
from muniment.forges.branch_rules import BranchRules
from muniment.forges.checks import digest_checks
from muniment.forges.forge import Forge
from muniment.forges.forge_client import REST_RESOURCE
from muniment.forges.registry import FORGE_KINDS
from muniment.forges.shapes import Account, Vendor
from muniment.forges.statuses import CONTEXT_PREFIX, StatusState
from muniment.git import approvals
from muniment.http.rate_limits import RateLimit
from muniment.server.changes.branch_evaluation import clean_title
from muniment.server.changes.reevaluation_requests import request_reading, request_status_check
from muniment.server.connections import webhook_deliveries
from muniment.server.connections.forge_access import (
    is_connection_wide,
    open_connected_forge,
    report_problems,
    require_linked_repository,
    require_unmoved,
    store_problem,
)
from muniment.server.connections.forge_change_evaluator import ForgeChangeEvaluator, open_repository_mirror
from muniment.server.connections.forge_change_store import ForgeChangeStore
from muniment.server.connections.models import (
    Connection,
    ForgeChange,
    ProtectedBranch,
    RepositoryLink,
)
from muniment.server.incidents import kinds as incidents
from muniment.server.incidents.closings import find_unrecorded_closings
from muniment.server.incidents.lifecycle import open_incident
from muniment.server.incidents.models import Incident
from muniment.server.job_queue import enqueue
from muniment.server.products.models import Repository
from muniment.workflows import forge_reconciliation
from muniment.workflows.rule_weakening import find_missing_contexts, find_other_contexts, find_weakenings
from muniment.workflows.status_publisher import StatusPublisher

PASS_INTERVAL = timedelta(minutes=10)  # how often a repository is gone through
_ROUNDS = 60  # passes an hour
_AWAY = timedelta(minutes=3)  # after which we were not running
_SOON = timedelta(minutes=1)  # until what failed is gone through again
_MOST = 100  # repositories in one pass, where the forge tells of no limit
_SHARE = 10  # one part in ten of the limit is ours for this


def reconcile_connection(connection: Connection) -> int:
    """Reconcile the repositories that are due, the longest waiting first; their number."""
    try:
        forge = open_connected_forge(connection)
    except MunimentError as error:
        store_problem(connection, error)
        raise
    if connection.checked_at is not None and connection.checked_at < timezone.now() - _AWAY:
        RepositoryLink.objects.filter(connection=connection).update(reconciled_at=None)  # no delivery arrived meanwhile
    Connection.objects.filter(pk=connection.pk).update(checked_at=timezone.now())
    begun, done = forge.reader.get_rate_limits().get(REST_RESOURCE, RateLimit()), 0
    for connected in _list_due_links(connection, timezone.now()):
        failed = reconcile_repository(connected, forge)
        if is_connection_wide(failed):
            break
        store_problem(connection, None)
        done += 1
        current = forge.reader.get_rate_limits().get(REST_RESOURCE, RateLimit())
        begun = (
            current if begun.left < 0 or begun.left < current.left else begun
        )  # no count was reported yet, or it was reset
        if done >= _MOST or (
            current.limit > 0 and begun.left - current.left >= max(1, current.limit // _SHARE // _ROUNDS)
        ):
            break
    return done


def reset_passes() -> None:
    """Make each repository and each probe due. For a worker that starts: it is unknown what was missed."""
    RepositoryLink.objects.update(reconciled_at=None)
    Connection.objects.update(probed_at=None)


def reconcile_repository(connected: RepositoryLink, forge: Forge) -> MunimentError | None:
    """Reconcile one repository. A failure is shown on its page and returned; the next pass runs all the same."""
    failed: MunimentError | None = None
    begun = timezone.now() - (PASS_INTERVAL - _SOON)  # whatever breaks this off, others are not kept waiting behind it
    RepositoryLink.objects.filter(pk=connected.pk).update(reconciled_at=begun)
    try:
        with report_problems(connected.connection):
            require_unmoved(connected, forge)
            reread_missed_changes(connected, forge)
            verify_branch_rules(connected, forge)
            update_webhook(connected, forge)
    except MunimentError as error:
        failed = error
    problem = f"{failed.message}. {failed.remedy}" if failed is not None else ""
    counted = timezone.now() - (PASS_INTERVAL - _SOON if problem else timedelta(0))
    RepositoryLink.objects.filter(pk=connected.pk).update(reconciled_at=counted, problem=problem)
    if connected.first_read_at is None and not is_connection_wide(failed):
        RepositoryLink.objects.filter(pk=connected.pk).update(first_read_at=timezone.now())
    return failed


def reread_missed_changes(connected: RepositoryLink, forge: Forge) -> None:
    """Have changes read again that differ from their last reading, and verify our statuses. Raises ForgeError."""
    change_store, number = ForgeChangeStore(connected.repository), connected.repository_id
    known = change_store.load_known_changes()
    for missed in forge_reconciliation.find_missed_changes(
        forge.reader, require_linked_repository(connected), known, change_store.is_evaluated
    ):
        request_reading(number, missed)
    if known:
        reevaluate_if_statements_changed(connected, forge, known)
    enqueue("read-branch-updates", repository=number)
    for head in sorted({one.head for one in known.values() if one.head}):
        verify_head_statuses(connected, forge, head)


def verify_head_statuses(connected: RepositoryLink, forge: Forge, head: str) -> None:
    """Verify that the statuses on a head are ours, and evaluated with the present checks. Raises ForgeError."""
    change_store = ForgeChangeStore(connected.repository)
    contexts = change_store.list_contexts(head)
    ours = Account(connected.connection.account_id, connected.connection.account)
    if not contexts or not ours.id:
        return
    posted = forge.reader.list_statuses(require_linked_repository(connected), head)
    others = [one for one in posted if not (one.context.startswith(CONTEXT_PREFIX) and one.by.id == ours.id)]
    reevaluate_if_checks_changed(connected.repository, head, digest_checks(others))
    lost, forged = forge_reconciliation.compare_posted_statuses(posted, head, contexts, change_store, ours)
    for one in forged:
        open_incident(
            incidents.STATUS_FORGED,
            connected.repository.product,
            f"commit:{one.head} {one.context}",
            f"{connected.repository.name}: {one.context} on {one.head[:12]} was posted by {_name_poster(one.by)}.",
            link=f"/connections/{connected.connection.slug}",
        )
    publisher = StatusPublisher(
        forge, require_linked_repository(connected), change_store, ForgeChangeEvaluator(connected, forge)
    )
    for place in lost:
        change_store.forget_shown(*place)
    for context in contexts:
        publisher.publish_standing(
            head, context
        )  # a status that the forge confirmed may be outdated: the worker that evaluated the change may have died


def reevaluate_if_checks_changed(repository: Repository, head: str, digest: str) -> None:
    """Have each open change with that head read again whose checks are not those that it was evaluated with.

    They are compared with what this function saw before, never with the inputs of an evaluation: the first time is a
    change.
    """
    with transaction.atomic():
        rows = ForgeChange.objects.select_for_update().filter(repository=repository, head=head, status__isnull=False)
        rows = rows.order_by("pk")  # two processes lock them in one order
        for row in rows.filter(Q(reads_checks=True) | Q(read_due_at__isnull=False)).exclude(checks_digest=digest):
            row.checks_digest = digest
            row.save(update_fields=["checks_digest"])
            request_reading(repository.pk, row.number)


def reevaluate_if_statements_changed(connected: RepositoryLink, forge: Forge, numbers: Iterable[int]) -> None:
    """Have the open changes of a repository read again if other signed approvals were pushed there. Raises GitError."""
    digest = canonical.digest_value(
        sorted(open_repository_mirror(connected, forge).list_remote_refs((f"{approvals.PREFIX}*",)).items())
    )
    with transaction.atomic():
        # Compared under a lock: of two processes that see the same push, one requests the readings.
        row = RepositoryLink.objects.select_for_update(of=("self",)).get(pk=connected.pk)
        if row.statements_digest == digest:
            return
        row.statements_digest = digest
        row.save(update_fields=["statements_digest"])
        for number in numbers:
            request_reading(connected.repository_id, number)


def _name_poster(by: Account) -> str:
    """Name of the account that posted a status: its login, or the id of an account without one."""
    who = clean_title(by.login) or (f"#{clean_title(by.id)}" if by.id else "")
    return f"{who or 'somebody whom the forge does not name'}, an account that is not ours"


def verify_branch_rules(connected: RepositoryLink, forge: Forge) -> None:
    """Verify that each watched branch is protected as it was. Raises ForgeError."""
    for row in ProtectedBranch.objects.filter(repository=connected.repository):
        rules = forge.reader.read_branch_rules(require_linked_repository(connected), row.ref)
        ProtectedBranch.objects.filter(pk=row.pk).update(rules_checked_at=timezone.now())
        if rules.unread_settings:
            ProtectedBranch.objects.filter(pk=row.pk).update(rule_gaps="; ".join(rules.unread_settings)[:2000])
            continue
        before = msgspec.convert(row.rules, BranchRules) if row.rules is not None else rules
        found = find_weakenings(before, rules)
        subject = f"branch:{connected.repository.name} {row.ref}"
        if found and not _is_accepted(subject, row):
            open_incident(
                incidents.RULE_WEAKENED,
                connected.repository.product,
                subject,
                f"{connected.repository.name}: {row.ref.removeprefix('refs/heads/')}: {'; '.join(found)}.",
                link=f"/connections/{connected.connection.slug}",
            )
        else:
            row.rules, row.rules_read_at = msgspec.to_builtins(rules), timezone.now()
        row.rule_gaps, demanded = "; ".join((*found, *find_missing_contexts(rules))), list(find_other_contexts(rules))
        if demanded != row.shared_contexts:
            _republish_statuses(row)
        row.shared_contexts = demanded
        row.save(update_fields=["rules", "rules_read_at", "rule_gaps", "shared_contexts"])


def _republish_statuses(row: ProtectedBranch) -> None:
    """Have the statuses of a branch's open changes shown in the contexts that its rule requires now."""
    heads = ForgeChange.objects.filter(repository=row.repository, change__target=row.ref, status__isnull=False)
    for head in set(heads.values_list("head", flat=True)):
        request_status_check(row.repository_id, head)


def _is_accepted(subject: str, row: ProtectedBranch) -> bool:
    """Whether a person reviewed the weakened rule since, and accepted it."""
    closed = Incident.objects.filter(kind=incidents.RULE_WEAKENED, subject=subject, resolution=incidents.ACCEPTED)
    closed = closed.exclude(pk__in=find_unrecorded_closings())
    return closed.filter(closed_at__gt=row.rules_read_at).exists() if row.rules_read_at is not None else False


def update_webhook(connected: RepositoryLink, forge: Forge) -> None:
    """Register the webhook with the present secret, if it is not. Raises ForgeError."""
    connection = connected.connection
    mark = webhook_deliveries.fingerprint_secret(connection)
    if connected.first_read_at is None and _has_registered_app_webhook(connection, mark):
        RepositoryLink.objects.filter(pk=connected.pk).update(webhook_secret_mark=mark)
    elif connected.webhook_secret_mark != mark:
        forge.protector.register_webhook(
            require_linked_repository(connected),
            webhook_deliveries.build_webhook_url(connection),
            webhook_deliveries.find_webhook_secret(connection),
        )
        RepositoryLink.objects.filter(pk=connected.pk).update(webhook_secret_mark=mark)


def _has_registered_app_webhook(connection: Connection, mark: str) -> bool:
    """Whether the App's webhook, which serves all repositories, was registered with this secret for another one."""
    if not FORGE_KINDS[Vendor(connection.vendor)].has_app:
        return False
    return RepositoryLink.objects.filter(connection=connection, webhook_secret_mark=mark).exists()


def _list_due_links(connection: Connection, now: datetime) -> list[RepositoryLink]:
    rows = RepositoryLink.objects.filter(connection=connection, repository__product__retired_at=None)
    late = rows.filter(Q(reconciled_at=None) | Q(reconciled_at__lt=now - PASS_INTERVAL))
    green = ForgeChange.objects.filter(repository=OuterRef("repository"), status__saying=StatusState.ALLOWED.value)
    ordered = late.order_by(F("reconciled_at").asc(nulls_first=True), Exists(green).desc(), "pk")
    return list(ordered.select_related("repository__product", "connection")[: _MOST * 10])
