"""Judges what a branch took in the past, by the policy of now: the states of the clauses, and a page for each change.

A study of the same things adds nothing; what a gate decided stays, whatever is supposed of it later.
"""

from collections.abc import Collection, Mapping

from django.db import transaction
from msgspec import Struct

from muniment.decision.account import account
from muniment.decision.decision import Outcome
from muniment.errors import ConfigurationError, GitError, RefusedError, UsageError
from muniment.facts import canonical
from muniment.facts.facts import Fact, Facts
from muniment.facts.maybe import Known
from muniment.git.collect import GitCollector
from muniment.git.past import History, Past
from muniment.git.repository import Repository as Git
from muniment.ledger import entries, objects
from muniment.server import moments
from muniment.server.changes.judging import cleaned, inputs_of
from muniment.server.changes.models import Change, Decision
from muniment.server.changes.scene import Scene, facts_of, known_of, scene
from muniment.server.changes.states import all_unknown, keep_states, keep_today
from muniment.server.error_text import error_text
from muniment.server.products.models import Repository, RepositoryScan
from muniment.server.records.entering import enter
from muniment.server.records.installation import store
from muniment.workflows.judge_change import Judgement
from muniment.workflows.replay import Replay, Summary, state_names
from muniment.workflows.replay_repository import collect_current_facts, evaluate_past

SHOWN = 500  # past changes of a repository that get a page; the states count all

_PROGRESS = 50  # changes between two reports of how far it is


def judge_past(repository: Repository) -> None:
    """Judge what the main branch took, by the policy of now: for the states of the clauses, and for pages.

    What cannot be read is told in `RepositoryScan.problem`, and every clause is then unknown.
    """
    reading, _ = RepositoryScan.objects.get_or_create(repository=repository)
    try:
        with scene(repository) as found:
            _study(found, reading)
    except (GitError, ConfigurationError, RefusedError, UsageError) as error:
        with transaction.atomic():
            reading.problem = error_text(error)
            reading.save()
            all_unknown(repository, reading.problem)


class _Past(Struct, frozen=True):
    """One past change, judged: its step, when, what was decided, and that told as JSON."""

    step: Past
    decision: Judgement
    told: bytes


def _study(found: Scene, reading: RepositoryScan) -> None:
    now, repository, rules = moments.now(), found.repository, found.rules
    target = found.main
    tip = found.branches[target]
    inputs = canonical.digest_of(
        {
            "tip": tip,
            "policy": rules.policy.policy.digest,
            "people": rules.people_reference,
            "exceptions": rules.exceptions,
            "day": now[:10],  # exceptions end, and clauses that only report begin to bite
        }
    )
    names = state_names(rules.policy, target)
    given = facts_of(found, names, now)
    replay = Replay(rules.policy, target)
    today = _today(found, names, given, now)
    if reading.inputs_digest == inputs and not reading.problem:
        with transaction.atomic():
            RepositoryScan.objects.filter(pk=reading.pk).update(finished_at=moments.read(now))
            keep_today(repository, replay.summary(now, today))
        return
    past = History(found.git, repository.name, target, tip)
    reading.branch, reading.evaluated_count, reading.change_count, reading.problem = target, 0, len(past), ""
    reading.save()
    collector = GitCollector(found.git, Known(rules.people), now)
    newest: list[_Past] = []
    changes = evaluate_past(collector, past, [replay], given, known_of(rules, now), now)
    for number, change in enumerate(changes, 1):
        if number > len(past) - SHOWN:
            judgement = Judgement(change.decisions[0], rules.policy, change.facts)
            told = canonical.encode(account(judgement.decision, rules.policy, change.facts))
            newest.append(_Past(change.step, judgement, told))
        if number % _PROGRESS == 0:
            RepositoryScan.objects.filter(pk=reading.pk).update(evaluated_count=number)
    summary = replay.summary(now, today)
    titles = _titles(found.git, tip, len(newest))
    with transaction.atomic():
        _keep_past(repository, target, newest, titles)
        _enter_study(repository, summary, tip, now)
        reading.tip, reading.policy_digest, reading.evaluated_count = tip, summary.policy, reading.change_count
        reading.inputs_digest = inputs
        reading.finished_at = moments.read(now)
        reading.save()
        keep_states(repository, summary)


def _today(found: Scene, names: Collection[str], given: Mapping[str, Fact], now: str) -> Facts:
    """What the clauses that judge no change have their state by: the product, and the newest commit of the branch."""
    collector = GitCollector(found.git, Known(found.rules.people), now)
    newest = collector.landed(found.repository.name, found.main, found.branches[found.main])
    return collect_current_facts(collector, newest, names, given, known_of(found.rules, now))


def _enter_study(repository: Repository, summary: Summary, tip: str, now: str) -> None:
    kept = objects.ReplaySummary(summary, objects.salt())
    entry = entries.ReplayRecord(
        time=now,
        object=canonical.digest_of(kept),
        repository_location=repository.place,
        target=summary.target,
        policy=summary.policy,
        head=tip,
        change_count=summary.change_count,
        allowed_count=summary.allowed_count,
    )
    enter(entry, (kept,))


def _titles(git: Git, tip: str, most: int) -> dict[str, str]:
    """The first lines of the newest commits of a branch, by id."""
    if not most:
        return {}
    options = ("--first-parent", f"--max-count={most}", "-z", "--format=%H %s")
    out = git.run("log", *options, values=(tip,), timeout=60)
    rows = (row.partition(" ") for row in out.decode("utf-8", "replace").split("\0") if row)
    return {head: title for head, _, title in rows}


def _keep_past(repository: Repository, target: str, steps: list[_Past], titles: dict[str, str]) -> None:
    """One change and one decision for each. What came out the same before stays as it is."""
    store().put_all([step.told for step in steps])
    rows = [
        Change(
            repository=repository,
            name=past.step.revision.head,
            target=target,
            state=Change.State.MERGED,
            title=cleaned(titles.get(past.step.revision.head, "")),
            head=past.step.revision.head,
            updated_at=moments.read(past.step.date),
        )
        for past in steps
    ]
    Change.objects.bulk_create(rows, ignore_conflicts=True)
    names = [row.name for row in rows]
    changes = {c.name: c for c in Change.objects.filter(repository=repository, target=target, name__in=names)}
    decisions = [
        Decision(
            change=changes[past.step.revision.head],
            head=past.step.revision.head,
            base=past.step.revision.base,
            allowed=past.decision.decision.outcome is Outcome.ALLOW,
            decided_at=moments.read(past.step.date),
            policy_digest=past.decision.decision.policy,
            inputs_digest=inputs_of(past.decision),
            explanation_digest=canonical.digest(past.told),
        )
        for past in steps
    ]
    Decision.objects.bulk_create(decisions, ignore_conflicts=True)
    wanted = {decision.inputs_digest for decision in decisions}
    there = Decision.objects.filter(change__in=changes.values(), inputs_digest__in=wanted)
    newest = {decision.change_id: decision for decision in there.only("id", "change_id")}
    bound = _bound(changes)
    supposed = [change for change in changes.values() if change.pk not in bound]
    for change in supposed:
        change.decision = newest[change.pk]
    Change.objects.bulk_update(supposed, ["decision"], batch_size=500)


def _bound(changes: dict[str, Change]) -> set[int]:
    """Those that a gate decided on: nothing supposed takes its place."""
    rows = Change.objects.filter(pk__in=[change.pk for change in changes.values()], decision__hook_record__isnull=False)
    return set(rows.values_list("pk", flat=True))
