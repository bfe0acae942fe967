"""A judgement as it is recorded: an entry of codes and digests, and beside it all that it takes to judge again."""

from muniment.controls.control import Status
from muniment.controls.included_heads import included_heads
from muniment.decision.decision import Decision
from muniment.facts import canonical
from muniment.ledger import entries, objects
from muniment.policy.model import Point
from muniment.store.store import LedgerRecord
from muniment.workflows.judge_change import Judgement


def judged(place: str, judgement: Judgement, push: str, *, enforced: bool) -> LedgerRecord:
    """The entry, with the objects that lie beside it. A preview is said to be one, and never enforced."""
    decision, facts = judgement.decision, judgement.facts.items()
    digests = {name: fact.digest for name, fact in facts.items()}
    kept = objects.DecisionInputs(decision, digests, objects.salt())
    included = included_in(judgement)
    used = sorted({result.exception for result in decision.results if result.exception})
    shape = entries.DecisionPreviewRecord if decision.preview else entries.DecisionRecord
    entry = shape(
        time=decision.time,
        object=canonical.digest_of(kept),
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
        results=canonical.digest_of(decision.results),
        reason_codes=_codes(decision),
        omitted_reason_codes=0,
        exceptions=tuple(objects.commitment(name, kept.salt) for name in used),
        trigger=push,
        included_heads=canonical.digest_of(included) if included is not None else "",
    )
    more = (included,) if included is not None else ()
    return entry, (*(fact.stored for fact in facts.values()), judgement.policy.policy, kept, *more)


def included_in(judgement: Judgement) -> objects.IncludedHeads | None:
    """The heads that an evaluation included, None if they are not known, or it is not about a merge."""
    heads = included_heads(judgement.facts) if judgement.decision.point is Point.MERGE else None
    return objects.IncludedHeads(heads) if heads is not None else None


def _codes(decision: Decision) -> tuple[str, ...]:
    """`clause:code` of every reason of a result that does not hold, and `:code` of those that are nobody's clause."""
    stopping = (Status.VIOLATED, Status.UNKNOWN)
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
