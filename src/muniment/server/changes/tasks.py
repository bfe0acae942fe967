"""Background tasks for changes."""

from datetime import timedelta
from pathlib import Path

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from msgspec import structs

from muniment.decision.catalogue import CONTROLS
from muniment.decision.report import DecisionReport
from muniment.errors import MunimentError, StoreError
from muniment.server.changes import branch_evaluation, history_evaluation, policy_replay, server_hook_logs
from muniment.server.changes.models import Change, Decision, ServerHookLog
from muniment.server.changes.product_standing import digest_fact_states
from muniment.server.changes.reevaluation_requests import request_reading_of
from muniment.server.changes.repository_context import find_open_branches, open_repository_context
from muniment.server.job_queue import LONG_SECONDS, OtherWorkerError, enqueue, enqueue_in_bulk, register_task
from muniment.server.policies.models import PolicyTrial, PolicyVersion
from muniment.server.products.models import FORGE, Repository, RepositoryScan
from muniment.server.records.record_details import read_details

_DAYS = 90
_AT_ONCE = 200
_FRESH = timedelta(hours=1)  # after which what is known of a product is read again
_RETRY = timedelta(minutes=2)  # after which it is read again where a part of it could not be


@register_task("evaluate-history", LONG_SECONDS)
def evaluate_history_task(repository: int) -> None:
    """Evaluate the history of a branch."""
    row = Repository.objects.select_related("product").filter(pk=repository).first()
    if row is not None and not row.at_forge:
        history_evaluation.evaluate_history(row)


@register_task("evaluate-change")
def evaluate_branch_task(repository: int, ref: str) -> None:
    """Evaluate the newest state of an open change."""
    row = Repository.objects.select_related("product").filter(pk=repository).first()
    if row is not None:
        branch_evaluation.evaluate_open_branch(row, ref)


@register_task("import-hook-log", LONG_SECONDS)
def read_hook_log_task(log: int) -> None:
    """Read the new entries of a server hook's log."""
    row = ServerHookLog.objects.select_related("repository").filter(pk=log).first()
    if row is not None:
        owner = row.repository.worker
        if owner not in ("", settings.WORKER_NAME) and not Path(row.path).exists():
            raise OtherWorkerError(owner)  # the log is on the machine of the repository
        server_hook_logs.read_new_entries(row)


@register_task("scan-repository", LONG_SECONDS)
def scan_repository(repository: int) -> None:
    """Scan a repository for new commits and branches, and have them evaluated."""
    row = Repository.objects.select_related("product").filter(pk=repository).first()
    if row is None or row.at_forge or row.product.retired_at is not None:
        return
    reading, _ = RepositoryScan.objects.get_or_create(repository=row)
    try:
        with open_repository_context(row) as found:
            heads = find_open_branches(found)
            state = (found.branches[found.main_branch], found.rules.policy.policy.digest)
    except MunimentError:
        state, heads = ("", ""), {}
    at = timezone.now()
    today = (
        reading.finished_at is not None
        and reading.finished_at.date() == at.date()
        and at - reading.finished_at < _FRESH
    )
    moved = (reading.tip, reading.policy_digest) != state or bool(reading.problem) or not today
    known = dict(Change.objects.filter(repository=row, state=Change.State.OPEN).values_list("name", "head"))
    with transaction.atomic():
        if moved or _have_facts_changed(reading):
            enqueue("evaluate-history", repository=row.pk)
        for ref in sorted({**heads, **known}):
            if moved or heads.get(ref) != known.get(ref):
                enqueue("evaluate-change", repository=row.pk, ref=ref)


def _have_facts_changed(reading: RepositoryScan) -> bool:
    """Whether what is known of the product may differ from what was read last, or could not be read minutes ago."""
    if reading.facts_digest:
        return reading.facts_digest != digest_fact_states()
    return reading.finished_at is None or timezone.now() - reading.finished_at > _RETRY


@register_task("reevaluate-all", LONG_SECONDS)
def reevaluate_all() -> None:
    """Have everything evaluated again: the policy, people or exceptions have changed."""
    here = Repository.objects.filter(product__retired_at=None).exclude(path__startswith=FORGE)
    for repository in here.values_list("pk", flat=True):
        enqueue_in_bulk("evaluate-history", repository=repository)
    RepositoryScan.objects.filter(repository__path__startswith=FORGE).update(finished_at=None)  # due in the next round
    open_ = Change.objects.filter(repository__product__retired_at=None, state=Change.State.OPEN)
    for repository, ref in open_.filter(forge_change=None).values_list("repository", "name"):
        enqueue_in_bulk("evaluate-change", repository=repository, ref=ref)
    there = open_.exclude(forge_change=None)
    for repository, number, saying in there.values_list(
        "repository", "forge_change__number", "forge_change__status__saying"
    ):
        request_reading_of(repository, number, saying, is_bulk=True)


def reevaluate_outdated() -> int:
    """Have open changes evaluated again whose evaluation used another version of a control, allowed ones first.

    Returns their number.
    """
    open_ = Change.objects.filter(repository__product__retired_at=None, state=Change.State.OPEN, decision__isnull=False)
    rows = open_.select_related("decision", "forge_change", "repository").order_by("pk")
    found = 0
    for row in rows.iterator(chunk_size=_AT_ONCE):
        if row.decision is None or has_current_controls(row.decision):
            continue
        found += 1
        forge = getattr(row, "forge_change", None)
        if forge is None:
            enqueue_in_bulk("evaluate-change", repository=row.repository_id, ref=row.name)
        else:
            request_reading_of(row.repository_id, forge.number, (forge.status or {}).get("saying"), is_bulk=True)
    return found


def has_current_controls(decision: Decision) -> bool:
    """Whether each control of a decision has still the version that made it; False if the decision cannot be read."""
    try:
        report = read_details(decision.explanation_digest, DecisionReport) if decision.explanation_digest else None
    except StoreError:  # one spoiled decision keeps no other from being evaluated anew
        return False
    if not isinstance(report, DecisionReport):
        return False
    now = {name: control.version for name, control in CONTROLS.items()}
    return all(now.get(one.control, 0) == one.control_version for one in report.results)


@register_task("replay-policy", LONG_SECONDS)
def replay_policy_everywhere(version: int) -> None:
    """Replay a proposed policy on the last 90 days of every product."""
    for number in Repository.objects.filter(product__retired_at=None).values_list("pk", flat=True):
        enqueue("replay-policy-on-repository", repository=number, version=version)


@register_task("replay-policy-on-repository", LONG_SECONDS)
def replay_policy_task(repository: int, version: int) -> None:
    """Replay a proposed policy on the last 90 days of one repository."""
    row = PolicyVersion.objects.filter(pk=version).first()
    found = Repository.objects.select_related("product").filter(pk=repository).first()
    if row is None or found is None:
        return
    try:
        values = {**structs.asdict(policy_replay.replay_other_policy(found, row.text, _DAYS)), "problem": ""}
    except MunimentError as error:
        values = {**structs.asdict(policy_replay.PolicyReplay(0, 0, 0, [], {})), "problem": error.message}
    PolicyTrial.objects.update_or_create(version=row, repository=found, defaults=values)
