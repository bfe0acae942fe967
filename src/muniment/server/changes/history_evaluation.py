"""Evaluates the history of a branch by the current policy: the states of the clauses, and a page for each change.

A second evaluation of the same things adds nothing; the decision of a server hook stays, whatever is supposed
later.
"""

from django.db import transaction
from msgspec import Struct

from muniment.decision.decision import Outcome
from muniment.errors import ConfigurationError, GitError, RefusedError, UsageError
from muniment.facts import canonical
from muniment.facts.maybe import Unknown
from muniment.git.branch_history import BranchHistory, HistoryStep
from muniment.git.repository import Repository as Git
from muniment.server import moments
from muniment.server.changes.branch_evaluation import clean_title, digest_inputs
from muniment.server.changes.clause_states import store_all_unknown, store_current_states, store_summary_states
from muniment.server.changes.models import Change, Decision
from muniment.server.changes.product_standing import digest_fact_states
from muniment.server.changes.repository_context import (
    RepositoryContext,
    collect_known_facts,
    collect_product_facts,
    open_repository_context,
)
from muniment.server.changes.security_questions import find_security_questions
from muniment.server.error_text import format_error_text
from muniment.server.products.models import Repository, RepositoryScan
from muniment.server.records.installation import open_store
from muniment.server.records.record_writing import append_record
from muniment.workflows.branch_replay import Replay, state_fact_names
from muniment.workflows.change_evaluation import ChangeEvaluation
from muniment.workflows.replay_repository import HistoryEvaluator, record_replay

SHOWN = 500  # past changes of a repository that get a page; the states count all

_PROGRESS = 50  # changes between two reports of how far it is


def evaluate_history(repository: Repository) -> None:
    """Evaluate the history of the main branch by the current policy: for the states of the clauses, and for pages.

    A problem of reading is stored in `RepositoryScan.problem`, and every clause is then unknown.
    """
    reading, _ = RepositoryScan.objects.get_or_create(repository=repository)
    try:
        with open_repository_context(repository) as found:
            _evaluate_branch(found, reading)
    except (GitError, ConfigurationError, RefusedError, UsageError) as error:
        with transaction.atomic():
            reading.problem = format_error_text(error)
            reading.save()
            store_all_unknown(repository, reading.problem)


class _PastChange(Struct, frozen=True):
    """Evaluated past change: its step, moment and decision, and the decision as JSON."""

    step: HistoryStep
    decision: ChangeEvaluation
    report: bytes


def _evaluate_branch(context: RepositoryContext, reading: RepositoryScan) -> None:
    now, repository, rules = moments.current_moment(), context.repository, context.rules
    target = context.main_branch
    tip = context.branches[target]
    inputs = canonical.digest_value(
        {
            "tip": tip,
            "policy": rules.policy.policy.digest,
            "people": rules.people_reference,
            "exceptions": rules.exceptions,
            "day": now[:10],  # exceptions end, and monitored clauses begin to block
        }
    )
    names = state_fact_names(rules.policy, target)
    states = digest_fact_states()  # before the facts are read: what comes meanwhile asks for another evaluation
    given = collect_product_facts(context, names, now)
    if any(isinstance(fact.value, Unknown) for fact in given.values()):
        states = ""  # a supplier failed, such as a vault that is still starting: nothing says when it answers again
    replay = Replay(rules.policy, target)
    evaluator = HistoryEvaluator(context.git, rules.known_people, given, collect_known_facts(rules, now), now)
    today = evaluator.collect_current_facts(repository.name, target, tip, names)
    if reading.inputs_digest == inputs and not reading.problem:
        with transaction.atomic():
            finished = moments.parse_moment(now)
            RepositoryScan.objects.filter(pk=reading.pk).update(finished_at=finished, facts_digest=states)
            store_current_states(repository, replay.build_summary(now, today))
        return
    past = BranchHistory(context.git, repository.name, target, tip)
    reading.branch, reading.evaluated_count, reading.change_count, reading.problem = target, 0, len(past), ""
    reading.save()
    newest: list[_PastChange] = []
    for number, change in enumerate(evaluator.evaluate_changes(past, [replay]), 1):
        if number > len(past) - SHOWN:
            evaluation = ChangeEvaluation(change.decisions[0], rules.policy, change.facts)
            newest.append(_PastChange(change.step, evaluation, canonical.encode(evaluation.build_report())))
        if number % _PROGRESS == 0:
            RepositoryScan.objects.filter(pk=reading.pk).update(evaluated_count=number)
    summary = replay.build_summary(now, today)
    titles = _read_titles(context.git, tip, len(newest))
    with transaction.atomic():
        _store_past_changes(repository, target, newest, titles)
        record_replay(append_record, repository.place, summary, tip, now)
        reading.tip, reading.policy_digest, reading.evaluated_count = tip, summary.policy, reading.change_count
        reading.inputs_digest, reading.facts_digest = inputs, states
        reading.finished_at = moments.parse_moment(now)
        reading.save()
        store_summary_states(repository, summary)


def _read_titles(git: Git, tip: str, most: int) -> dict[str, str]:
    """Read the first lines of the newest commits of a branch, by id."""
    if not most:
        return {}
    options = ("--first-parent", f"--max-count={most}", "-z", "--format=%H %s")
    out = git.run_git("log", *options, values=(tip,), timeout=60)
    rows = (row.partition(" ") for row in out.decode("utf-8", "replace").split("\0") if row)
    return {head: title for head, _, title in rows}


def _store_past_changes(repository: Repository, target: str, steps: list[_PastChange], titles: dict[str, str]) -> None:
    """Store a change and a decision for each step. Unchanged results stay as they are."""
    open_store().put_objects([step.report for step in steps])
    rows = [
        Change(
            repository=repository,
            name=past.step.revision.head,
            target=target,
            state=Change.State.MERGED,
            title=clean_title(titles.get(past.step.revision.head, "")),
            head=past.step.revision.head,
            updated_at=moments.parse_moment(past.step.date),
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
            decided_at=moments.parse_moment(past.step.date),
            policy_digest=past.decision.decision.policy,
            inputs_digest=digest_inputs(past.decision),
            explanation_digest=canonical.digest_bytes(past.report),
            security_questions=find_security_questions(past.decision.decision.results),
        )
        for past in steps
    ]
    Decision.objects.bulk_create(decisions, ignore_conflicts=True)
    wanted = {decision.inputs_digest for decision in decisions}
    there = Decision.objects.filter(change__in=changes.values(), inputs_digest__in=wanted)
    newest = {decision.change_id: decision for decision in there.only("id", "change_id")}
    bound = _find_hook_decided(changes)
    supposed = [change for change in changes.values() if change.pk not in bound]
    for change in supposed:
        change.decision = newest[change.pk]
    Change.objects.bulk_update(supposed, ["decision"], batch_size=500)


def _find_hook_decided(changes: dict[str, Change]) -> set[int]:
    """Ids of the changes that a server hook decided on: no supposed decision replaces it."""
    rows = Change.objects.filter(pk__in=[change.pk for change in changes.values()], decision__hook_record__isnull=False)
    return set(rows.values_list("pk", flat=True))
