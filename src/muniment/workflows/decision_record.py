"""Record of an evaluation: an entry of codes and digests, and the objects from which it can be evaluated again."""

from collections.abc import Callable
from typing import TypeVar

from muniment.controls.control import ResultStatus
from muniment.controls.included_heads import list_included_heads
from muniment.decision.decision import Decision
from muniment.facts import canonical
from muniment.ledger import record_kinds, record_objects
from muniment.policy.model import EnforcementPoint
from muniment.store.store import LedgerRecord
from muniment.workflows.change_evaluation import ChangeEvaluation

_Appended = TypeVar("_Appended")


def record_evaluation(
    append: Callable[[record_kinds.AnyEntry, tuple[object, ...]], _Appended],
    place: str,
    evaluation: ChangeEvaluation,
    push: str,
    *,
    enforced: bool,
) -> tuple[_Appended, str]:
    """Append the record of an evaluation by `append`, with the explanation that people read.

    Gives what `append` gave, and the digest of the explanation.
    """
    entry, objects = build_decision_record(place, evaluation, push, enforced=enforced)
    explanation = evaluation.build_report()
    return append(entry, (*objects, explanation)), canonical.digest_value(explanation)


def build_decision_record(place: str, evaluation: ChangeEvaluation, push: str, *, enforced: bool) -> LedgerRecord:
    """Build the entry and its objects. A preview is recorded as one, and never enforced."""
    decision, facts = evaluation.decision, evaluation.facts.items()
    digests = {name: fact.digest for name, fact in facts.items()}
    inputs = record_objects.DecisionInputs(decision, digests, record_objects.draw_salt())
    included = find_included_heads(evaluation)
    used = sorted({result.exception for result in decision.results if result.exception})
    shape = record_kinds.DecisionPreviewRecord if decision.preview else record_kinds.DecisionRecord
    entry = shape(
        time=decision.time,
        object=canonical.digest_value(inputs),
        repository_location=place,
        point=decision.point.value,
        repository=decision.repository,
        target=decision.target,
        base=decision.base,
        head=decision.head,
        outcome=decision.outcome.value,
        enforced=enforced and not decision.preview,
        policy=decision.policy,
        facts=decision.facts,
        results=canonical.digest_value(decision.results),
        reason_codes=_list_reason_codes(decision),
        omitted_reason_codes=0,
        exceptions=tuple(record_objects.make_commitment(name, inputs.salt) for name in used),
        trigger=push,
        included_heads=canonical.digest_value(included) if included is not None else "",
    )
    more = (included,) if included is not None else ()
    return entry, (*(fact.stored_fact for fact in facts.values()), evaluation.policy.policy, inputs, *more)


def find_included_heads(evaluation: ChangeEvaluation) -> record_objects.IncludedHeads | None:
    """Heads that an evaluation included, None if they are unknown, or it is not about a merge."""
    heads = list_included_heads(evaluation.facts) if evaluation.decision.point is EnforcementPoint.MERGE else None
    return record_objects.IncludedHeads(heads) if heads is not None else None


def _list_reason_codes(decision: Decision) -> tuple[str, ...]:
    """`clause:code` of every reason of a result that blocks, and `:code` of those that belong to no clause."""
    stopping = (ResultStatus.VIOLATED, ResultStatus.UNKNOWN)
    return (
        *(
            f"{result.clause}:{reason.code}"
            for result in decision.results
            if result.status in stopping
            for reason in result.reasons
            if reason.status in stopping
        ),
        *(f":{reason.code}" for reason in decision.reasons if reason.status in stopping),
    )
