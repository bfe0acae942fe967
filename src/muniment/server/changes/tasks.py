"""Work in the background for changes."""

from datetime import timedelta

from django.db import transaction
from django.utils import timezone
from msgspec import structs

from muniment.errors import MunimentError
from muniment.server.changes import gates, judging, past, trying
from muniment.server.changes.again import read_as
from muniment.server.changes.models import Change, GateLog
from muniment.server.changes.scene import open_heads, scene
from muniment.server.policies.models import Trial, Version
from muniment.server.products.models import FORGE, Reading, Repository
from muniment.server.work import soon, task

_DAYS = 90
_FRESH = timedelta(hours=1)  # after which what is known of a product is read again


@task("judge-past")
def judge_past(repository: int) -> None:
    """Judge what a branch took in the past."""
    row = Repository.objects.select_related("product").filter(pk=repository).first()
    if row is not None and not row.at_forge:
        past.judge_past(row)


@task("judge-change")
def judge_change(repository: int, ref: str) -> None:
    """Judge the newest state of an open change."""
    row = Repository.objects.select_related("product").filter(pk=repository).first()
    if row is not None:
        judging.judge_open(row, ref)


@task("read-gate")
def read_gate(log: int) -> None:
    """Read what is new in the log of a gate."""
    row = GateLog.objects.select_related("repository").filter(pk=log).first()
    if row is not None:
        gates.read_on(row)


@task("look")
def look(repository: int) -> None:
    """See what is new in a repository, and have it judged."""
    row = Repository.objects.select_related("product").filter(pk=repository).first()
    if row is None or row.at_forge or row.product.retired is not None:
        return
    reading, _ = Reading.objects.get_or_create(repository=row)
    try:
        with scene(row) as found:
            heads = open_heads(found)
            state = (found.branches[found.main], found.rules.policy.policy.digest)
    except MunimentError:
        state, heads = ("", ""), {}
    at = timezone.now()
    today = reading.finished is not None and reading.finished.date() == at.date() and at - reading.finished < _FRESH
    moved = (reading.tip, reading.policy) != state or bool(reading.problem) or not today
    known = dict(Change.objects.filter(repository=row, where=Change.Where.OPEN).values_list("name", "head"))
    with transaction.atomic():
        if moved:
            soon("judge-past", repository=row.pk)
        for ref in sorted({**heads, **known}):
            if moved or heads.get(ref) != known.get(ref):
                soon("judge-change", repository=row.pk, ref=ref)


@task("rejudge-all")
def rejudge_all() -> None:
    """Have everything judged again: the policy, people or exceptions are other than they were."""
    here = Repository.objects.filter(product__retired=None).exclude(path__startswith=FORGE)
    for repository in here.values_list("pk", flat=True):
        soon("judge-past", repository=repository)
    open_ = Change.objects.filter(repository__product__retired=None, where=Change.Where.OPEN)
    for repository, ref in open_.filter(at_forge=None).values_list("repository", "name"):
        soon("judge-change", repository=repository, ref=ref)
    there = open_.exclude(at_forge=None)
    for repository, number, saying in there.values_list("repository", "at_forge__number", "at_forge__status__saying"):
        read_as(repository, number, saying)


@task("try-policy")
def try_policy(version: int) -> None:
    """See what a proposed policy would have done to the last 90 days of every product."""
    row = Version.objects.filter(pk=version).first()
    if row is None:
        return
    for repository in Repository.objects.select_related("product").filter(product__retired=None):
        try:
            values = {**structs.asdict(trying.try_policy(repository, row.text, _DAYS)), "problem": ""}
        except MunimentError as error:
            values = {**structs.asdict(trying.Tried(0, 0, 0, [], {})), "problem": error.message}
        Trial.objects.update_or_create(version=row, repository=repository, defaults=values)
