"""Each deployment gets its secrets by itself, from the vault, with the pipeline's own identity."""

from muniment.controls.control import (
    Case,
    Codes,
    Control,
    NoParameters,
    Reason,
    Scope,
    satisfied,
    unknown,
    violated,
)
from muniment.facts import kinds
from muniment.facts.maybe import Unknown
from muniment.facts.vault import How, Retrieval


class Reasons(Codes):
    """What this control answers."""

    FETCHED = satisfied("{name}: the pipeline fetched the secrets of {count} deployments by itself.")
    NONE_NEEDED = satisfied("{name}: {count} deployments took no secret at all.")
    NO_ENVIRONMENT = unknown(
        "It is not known where this product runs, so nobody can tell how secrets get there.",
        "Name its environments.",
    )
    NEVER_SEEN = unknown(
        "No deployment to {name} was seen, so nobody can tell how secrets get there.",
        "Deploy with muniment deploy: it fetches them and records that it did.",
    )
    NOT_FETCHED = violated(
        "{name}: {count} deployments, such as {deployment}, took secrets from elsewhere: {how}.",
        "Let muniment deploy fetch them from the vault, and take them away there.",
    )
    WAY_NOT_LEARNT = unknown(
        "How the deployment {deployment} to {name} got its secrets could not be learnt: {why}.",
        "Deploy again with muniment deploy.",
    )


def judge(case: Case) -> tuple[Reason, ...]:
    """One answer for each environment, or more where they differ."""
    environments = case.get(kinds.ENVIRONMENTS)
    if not environments:
        return (Reasons.NO_ENVIRONMENT("fact:environments"),)
    retrievals = case.get(kinds.RETRIEVALS)
    names = dict.fromkeys((*(e.name for e in environments), *(r.environment for r in retrievals)))
    return tuple(
        reason
        for name in names
        for reason in _environment(f"environment:{name}", [r for r in retrievals if r.environment == name])
    )


def _environment(subject: str, retrievals: list[Retrieval]) -> list[Reason]:
    if not retrievals:
        return [Reasons.NEVER_SEEN(subject)]
    found: list[Reason] = []
    by_way: dict[How, list[str]] = {}
    for one in retrievals:
        if isinstance(one.how, Unknown):
            found.append(Reasons.WAY_NOT_LEARNT(subject, deployment=one.deployment, why=one.how.why))
        else:
            by_way.setdefault(one.how.value, []).append(one.deployment)
    for how, which in by_way.items():
        answer = {How.FETCHED: Reasons.FETCHED, How.NONE: Reasons.NONE_NEEDED}.get(how, Reasons.NOT_FETCHED)
        found.append(answer(subject, count=len(which), deployment=which[0], how=how.value))
    return found


CONTROL = Control(
    name="retrieved-automatically",
    version=1,
    summary="The deployment pipeline fetches secrets from the vault by itself.",
    scope=Scope.PRODUCT,
    needs=(kinds.ENVIRONMENTS, kinds.RETRIEVALS),
    parameters=NoParameters,
    codes=Reasons,
    judge=judge,
)
