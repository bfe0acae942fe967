"""Evaluates open changes of plain git repositories: each in its newest state, once, and never with an older
approval left.

Git is never read inside a transaction; the result is written in one, with its record. An evaluation that was made
before, of the same things, adds nothing.
"""

from django.db import transaction
from django.db.models import QuerySet

from muniment.decision.decision import Outcome
from muniment.errors import ConfigurationError, GitError, RefusedError, StoreError, UsageError
from muniment.facts import canonical
from muniment.facts.maybe import Known
from muniment.server import moments
from muniment.server.changes.models import Change, Decision
from muniment.server.changes.product_rules import read_product_freezes
from muniment.server.changes.repository_context import (
    collect_product_facts,
    find_open_branches,
    open_repository_context,
)
from muniment.server.changes.security_questions import find_security_questions
from muniment.server.products.models import Repository
from muniment.server.records.record_writing import append_record
from muniment.server.remembered_sql import remember_instances, save_columns
from muniment.workflows.change_evaluation import ChangeEvaluation, Proposal
from muniment.workflows.decision_record import record_evaluation
from muniment.workflows.git_evaluation import evaluate_git_proposal


def evaluate_open_branch(repository: Repository, ref: str) -> bool:
    """Evaluate the newest state of an open branch; whether it is a new decision.

    A state that cannot be evaluated has no decision: an older decision to allow is removed.
    """
    try:
        return _evaluate_newest_state(repository, ref)
    except (GitError, ConfigurationError, RefusedError, UsageError, StoreError):
        Change.objects.filter(repository=repository, name=ref, state=Change.State.OPEN).update(decision=None)
        raise


def _evaluate_newest_state(repository: Repository, ref: str) -> bool:
    now = moments.current_moment()
    with open_repository_context(repository) as found:
        head = find_open_branches(found).get(ref)
        if head is None:
            Change.objects.filter(repository=repository, name=ref, state=Change.State.OPEN).update(
                state=Change.State.CLOSED
            )
            return False
        target = found.main_branch
        proposal = Proposal(repository.name, target, found.branches[target], head)
        freezes = Known(read_product_freezes(repository.product.slug, now))
        evaluation = evaluate_git_proposal(
            found.git, found.rules, proposal, now, lambda names: collect_product_facts(found, names, now), freezes
        )
        title = (
            found.git.run_git("log", "--max-count=1", "--format=%s", values=(head,)).decode("utf-8", "replace").strip()
        )
    with transaction.atomic():
        change = _save_change(repository, ref, target, head, now, Change.State.OPEN, title)
        return store_decision(change, evaluation) is not None


def _save_change(
    repository: Repository, name: str, target: str, head: str, time: str, state: Change.State, title: str
) -> Change:
    values = {"head": head, "updated_at": moments.parse_moment(time), "state": state, "title": clean_title(title)}
    found, _ = Change.objects.select_for_update().update_or_create(
        repository=repository, target=target[:300], name=name[:300], defaults=values
    )
    return found


def clean_title(text: str) -> str:
    """Remove from a title the characters that cannot be printed: an attacker may have written it."""
    return "".join(letter for letter in text if letter.isprintable())[:300]


def store_decision(change: Change, evaluation: ChangeEvaluation, *, enforced: bool = False) -> Decision | None:
    """Store the decision with its record as the newest; None if the same was there."""
    decision = evaluation.decision
    inputs = digest_inputs(evaluation)
    known = next(iter(_find_decisions(change.pk, inputs)), None)
    if known is not None:
        if change.decision_id != known.pk:
            change.decision = known
            save_columns(change, "decision")
        return None
    record, explanation = record_evaluation(append_record, change.repository.place, evaluation, "", enforced=enforced)
    row = Decision.objects.create(
        change=change,
        record=record,
        head=decision.head,
        base=decision.base,
        allowed=decision.outcome is Outcome.ALLOW,
        decided_at=moments.parse_moment(decision.time),
        policy_digest=decision.policy,
        inputs_digest=inputs,
        explanation_digest=explanation,
        security_questions=find_security_questions(decision.results),
    )
    change.decision = row
    save_columns(change, "decision")
    return row


@remember_instances
def _find_decisions(change: int, inputs: str) -> QuerySet[Decision]:
    return Decision.objects.filter(change=change, inputs_digest=inputs)


def digest_inputs(evaluation: ChangeEvaluation) -> str:
    """Digest by which two evaluations are the same: policy, facts without salt and moment, and the result.

    The same freeze denies nothing before it begins, so that the reasons belong to it.
    """
    facts = {name: fact.reference or fact.value for name, fact in evaluation.facts.items().items()}
    return canonical.digest_value(
        {
            "policy": evaluation.decision.policy,
            "facts": facts,
            "results": evaluation.decision.results,
            "reasons": evaluation.decision.reasons,
        }
    )
