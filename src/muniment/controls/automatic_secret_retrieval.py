"""Control: each deployment fetches its secrets automatically, from the vault, with the pipeline's own identity."""

from muniment.controls.control import (
    Case,
    Control,
    NoParameters,
    Reason,
    ReasonCodes,
    Scope,
    met,
    unknown,
    violated,
)
from muniment.facts import kinds
from muniment.facts.maybe import Unknown
from muniment.facts.vault_facts import RetrievalMethod, SecretRetrieval


class Reasons(ReasonCodes):
    """Reasons of this control."""

    FETCHED_BY_PIPELINE = met("{name}: the pipeline fetched the secrets of {count} deployments from the vault.")
    NO_SECRETS_NEEDED = met("{name}: {count} deployments used no secret.")
    NO_ENVIRONMENT = unknown(
        "The environments of this product are unknown, and so is the source of their secrets.",
        "Add its environments (page Environments).",
    )
    NO_DEPLOYMENT = unknown(
        "No deployment to {name} is known, so the source of its secrets is unknown.",
        "Deploy with muniment deploy, which fetches them and records it.",
    )
    NOT_FETCHED_BY_PIPELINE = violated(
        "{name}: {count} deployments, such as {deployment}, got secrets from another source: {how}.",
        "Let muniment deploy fetch them from the vault, and delete them at the other source.",
    )
    METHOD_UNKNOWN = unknown(
        "The source of the secrets of deployment {deployment} to {name} is unknown: {why}.",
        "Deploy again with muniment deploy.",
    )


def evaluate_case(case: Case) -> tuple[Reason, ...]:
    """Evaluate each environment; one reason, or more where its deployments differ."""
    environments = case.get_fact(kinds.ENVIRONMENTS)
    if not environments:
        return (Reasons.NO_ENVIRONMENT("fact:environments"),)
    retrievals = case.get_fact(kinds.RETRIEVALS)
    names = dict.fromkeys((*(e.name for e in environments), *(r.environment for r in retrievals)))
    return tuple(
        reason
        for name in names
        for reason in _evaluate_environment(f"environment:{name}", [r for r in retrievals if r.environment == name])
    )


def _evaluate_environment(subject: str, retrievals: list[SecretRetrieval]) -> list[Reason]:
    if not retrievals:
        return [Reasons.NO_DEPLOYMENT(subject)]
    found: list[Reason] = []
    by_way: dict[RetrievalMethod, list[str]] = {}
    for one in retrievals:
        if isinstance(one.method, Unknown):
            found.append(Reasons.METHOD_UNKNOWN(subject, deployment=one.deployment, why=one.method.reason))
        else:
            by_way.setdefault(one.method.value, []).append(one.deployment)
    for how, which in by_way.items():
        answer = {
            RetrievalMethod.PIPELINE: Reasons.FETCHED_BY_PIPELINE,
            RetrievalMethod.NONE: Reasons.NO_SECRETS_NEEDED,
        }.get(how, Reasons.NOT_FETCHED_BY_PIPELINE)
        found.append(answer(subject, count=len(which), deployment=which[0], how=how.value))
    return found


CONTROL = Control(
    name="automatic-secret-retrieval",
    version=1,
    summary="The deployment pipeline fetches secrets from the vault automatically.",
    scope=Scope.PRODUCT,
    needs=(kinds.ENVIRONMENTS, kinds.RETRIEVALS),
    parameters=NoParameters,
    codes=Reasons,
    evaluate=evaluate_case,
)
