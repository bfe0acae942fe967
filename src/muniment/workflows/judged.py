"""A judgement as it is recorded: an entry of codes and digests, and beside it all that it takes to judge again."""

from muniment.controls.control import Status
from muniment.decision.decision import Decision
from muniment.facts import canonical
from muniment.ledger import entries, objects
from muniment.workflows.judge_change import Judgement
from muniment.workflows.record import Entry
from muniment.workflows.sources import Rules


def judged(place: str, judgement: Judgement, rules: Rules, push: str, *, enforced: bool) -> Entry:
    """The entry, with the objects that lie beside it. A preview is said to be one, and never enforced."""
    decision, facts = judgement.decision, judgement.facts.items()
    policies = objects.Policies(*rules.texts)
    digests = {name: fact.digest for name, fact in facts.items()}
    kept = objects.Kept(decision, digests, canonical.digest_of(policies), objects.salt())
    used = sorted({result.exception for result in decision.results if result.exception})
    shape = entries.Previewed if decision.preview else entries.Judged
    entry = shape(
        time=decision.time,
        object=canonical.digest_of(kept),
        place=place,
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
        codes=_codes(decision),
        more=0,
        exceptions=tuple(objects.commitment(name, kept.salt) for name in used),
        push=push,
    )
    return entry, (*facts.values(), policies, kept)


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
