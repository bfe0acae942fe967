"""Judges open changes of plain git repositories: each in its newest state, once, and never with an older yes left.

Nothing that git reads is done inside a transaction; what came of it is written in one, with its entry. A judgement
that was made before, of the same things, adds nothing.
"""

from django.db import transaction

from muniment.decision.account import account
from muniment.decision.decision import Outcome
from muniment.decision.judge import clauses_at, needed
from muniment.errors import ConfigurationError, GitError, RefusedError, StoreError, UsageError
from muniment.facts import canonical
from muniment.facts.maybe import Known
from muniment.git.collect import GitCollector
from muniment.policy.model import Point
from muniment.server import moments
from muniment.server.changes.models import Change, Decision
from muniment.server.changes.rules import read_freezes
from muniment.server.changes.scene import facts_of, open_heads, scene
from muniment.server.products.models import Repository
from muniment.server.records.entering import enter
from muniment.workflows.judge_change import Judgement, judge_change
from muniment.workflows.judged import judged


def judge_open(repository: Repository, ref: str) -> bool:
    """Judge the newest state of an open branch; whether it is a decision that was not there.

    What cannot be judged has no decision: an older yes is not left standing.
    """
    try:
        return _judge_open(repository, ref)
    except (GitError, ConfigurationError, RefusedError, UsageError, StoreError):
        Change.objects.filter(repository=repository, name=ref, state=Change.State.OPEN).update(decision=None)
        raise


def _judge_open(repository: Repository, ref: str) -> bool:
    now = moments.now()
    with scene(repository) as found:
        head = open_heads(found).get(ref)
        if head is None:
            Change.objects.filter(repository=repository, name=ref, state=Change.State.OPEN).update(
                state=Change.State.CLOSED
            )
            return False
        collector = GitCollector(found.git, Known(found.rules.people), now)
        target = found.main
        revision = collector.revision(repository.name, target, found.branches[target], head)
        names = needed(clauses_at(found.rules.policy, Point.MERGE, target))
        given = facts_of(found, names, now)
        freezes = Known(read_freezes(repository.product.slug, now))
        judgement = judge_change(collector, found.rules, revision, Point.MERGE, now, freezes, given)
        title = found.git.run("log", "--max-count=1", "--format=%s", values=(head,)).decode("utf-8", "replace").strip()
    with transaction.atomic():
        change = _change(repository, ref, target, head, now, Change.State.OPEN, title)
        return decided(change, judgement) is not None


def _change(
    repository: Repository, name: str, target: str, head: str, time: str, state: Change.State, title: str
) -> Change:
    values = {"head": head, "updated_at": moments.read(time), "state": state, "title": cleaned(title)}
    found, _ = Change.objects.select_for_update().update_or_create(
        repository=repository, target=target[:300], name=name[:300], defaults=values
    )
    return found


def cleaned(text: str) -> str:
    """A title as pages show it: an attacker wrote it."""
    return "".join(letter for letter in text if letter.isprintable())[:300]


def decided(change: Change, judgement: Judgement, *, enforced: bool = False) -> Decision | None:
    """The decision, kept with its entry and made the newest; None if the same was there."""
    decision = judgement.decision
    inputs = inputs_of(judgement)
    known = change.decisions.filter(inputs_digest=inputs).first()
    if known is not None:
        if change.decision_id != known.pk:
            change.decision = known
            change.save(update_fields=["decision"])
        return None
    entry, kept = judged(change.repository.place, judgement, "", enforced=enforced)
    explanation = account(decision, judgement.policy, judgement.facts)
    row = Decision.objects.create(
        change=change,
        record=enter(entry, (*kept, explanation)),
        head=decision.head,
        base=decision.base,
        allowed=decision.outcome is Outcome.ALLOW,
        decided_at=moments.read(decision.time),
        policy_digest=decision.policy,
        inputs_digest=inputs,
        explanation_digest=canonical.digest_of(explanation),
    )
    change.decision = row
    change.save(update_fields=["decision"])
    return row


def inputs_of(judgement: Judgement) -> str:
    """What tells whether two judgements are of the same: policy, facts without salt and moment, and what came of it.

    The same freeze denies nothing before it begins, so that the reasons belong to it.
    """
    facts = {name: fact.reference or fact.value for name, fact in judgement.facts.items().items()}
    return canonical.digest_of(
        {
            "policy": judgement.decision.policy,
            "facts": facts,
            "results": judgement.decision.results,
            "reasons": judgement.decision.reasons,
        }
    )
