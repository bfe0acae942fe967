"""Work in the background for changes."""

from datetime import timedelta
from pathlib import Path

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from msgspec import structs

from muniment.decision.account import DecisionReport
from muniment.decision.catalogue import CONTROLS
from muniment.errors import MunimentError, StoreError
from muniment.server.changes import gates, judging, past, trying
from muniment.server.changes.again import read_as
from muniment.server.changes.models import Change, Decision, ServerHookLog
from muniment.server.changes.scene import open_heads, scene
from muniment.server.policies.models import PolicyTrial, PolicyVersion
from muniment.server.products.models import FORGE, Repository, RepositoryScan
from muniment.server.records.reading import beside
from muniment.server.work import LONG_SECONDS, OtherWorker, in_bulk, soon, task

_DAYS = 90
_AT_ONCE = 200
_FRESH = timedelta(hours=1)  # after which what is known of a product is read again


@task("evaluate-history", LONG_SECONDS)
def judge_past(repository: int) -> None:
    """Judge what a branch took in the past."""
    row = Repository.objects.select_related("product").filter(pk=repository).first()
    if row is not None and not row.at_forge:
        past.judge_past(row)


@task("evaluate-change")
def judge_change(repository: int, ref: str) -> None:
    """Judge the newest state of an open change."""
    row = Repository.objects.select_related("product").filter(pk=repository).first()
    if row is not None:
        judging.judge_open(row, ref)


@task("import-hook-log", LONG_SECONDS)
def read_gate(log: int) -> None:
    """Read what is new in the log of a gate."""
    row = ServerHookLog.objects.select_related("repository").filter(pk=log).first()
    if row is not None:
        owner = row.repository.worker
        if owner not in ("", settings.WORKER_NAME) and not Path(row.path).exists():
            raise OtherWorker(owner)  # the log lies beside the repository
        gates.read_on(row)


@task("scan-repository", LONG_SECONDS)
def look(repository: int) -> None:
    """See what is new in a repository, and have it judged."""
    row = Repository.objects.select_related("product").filter(pk=repository).first()
    if row is None or row.at_forge or row.product.retired_at is not None:
        return
    reading, _ = RepositoryScan.objects.get_or_create(repository=row)
    try:
        with scene(row) as found:
            heads = open_heads(found)
            state = (found.branches[found.main], found.rules.policy.policy.digest)
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
        if moved:
            soon("evaluate-history", repository=row.pk)
        for ref in sorted({**heads, **known}):
            if moved or heads.get(ref) != known.get(ref):
                soon("evaluate-change", repository=row.pk, ref=ref)


@task("reevaluate-all", LONG_SECONDS)
def rejudge_all() -> None:
    """Have everything judged again: the policy, people or exceptions are other than they were."""
    here = Repository.objects.filter(product__retired_at=None).exclude(path__startswith=FORGE)
    for repository in here.values_list("pk", flat=True):
        in_bulk("evaluate-history", repository=repository)
    open_ = Change.objects.filter(repository__product__retired_at=None, state=Change.State.OPEN)
    for repository, ref in open_.filter(forge_change=None).values_list("repository", "name"):
        in_bulk("evaluate-change", repository=repository, ref=ref)
    there = open_.exclude(forge_change=None)
    for repository, number, saying in there.values_list(
        "repository", "forge_change__number", "forge_change__status__saying"
    ):
        read_as(repository, number, saying, bulk=True)


def reevaluate_by_other_controls() -> int:
    """Have open changes evaluated anew that another version of a control evaluated; how many. What is green first."""
    open_ = Change.objects.filter(repository__product__retired_at=None, state=Change.State.OPEN, decision__isnull=False)
    rows = open_.select_related("decision", "forge_change", "repository").order_by("pk")
    found = 0
    for row in rows.iterator(chunk_size=_AT_ONCE):
        if row.decision is None or is_by_controls_of_now(row.decision):
            continue
        found += 1
        forge = getattr(row, "forge_change", None)
        if forge is None:
            in_bulk("evaluate-change", repository=row.repository_id, ref=row.name)
        else:
            read_as(row.repository_id, forge.number, (forge.status or {}).get("saying"), bulk=True)
    return found


def is_by_controls_of_now(decision: Decision) -> bool:
    """Whether each control of a decision has the version still that made it. What cannot be read any more has not."""
    try:
        told = beside(decision.explanation_digest, DecisionReport) if decision.explanation_digest else None
    except StoreError:  # one spoiled decision keeps no other from being evaluated anew
        return False
    if not isinstance(told, DecisionReport):
        return False
    now = {name: control.version for name, control in CONTROLS.items()}
    return all(now.get(one.control, 0) == one.control_version for one in told.results)


@task("replay-policy", LONG_SECONDS)
def try_policy(version: int) -> None:
    """See what a proposed policy would have done to the last 90 days of every product."""
    for number in Repository.objects.filter(product__retired_at=None).values_list("pk", flat=True):
        soon("replay-policy-on-repository", repository=number, version=version)


@task("replay-policy-on-repository", LONG_SECONDS)
def replay_policy(repository: int, version: int) -> None:
    """See what a proposed policy would have done to the last 90 days of one repository."""
    row = PolicyVersion.objects.filter(pk=version).first()
    found = Repository.objects.select_related("product").filter(pk=repository).first()
    if row is None or found is None:
        return
    try:
        values = {**structs.asdict(trying.try_policy(found, row.text, _DAYS)), "problem": ""}
    except MunimentError as error:
        values = {**structs.asdict(trying.Tried(0, 0, 0, [], {})), "problem": error.message}
    PolicyTrial.objects.update_or_create(version=row, repository=found, defaults=values)
