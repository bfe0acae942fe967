"""Control: a trusted builder made each deployed artifact of an allowed commit; environments keep their order."""

from collections.abc import Iterator
from typing import Annotated

from msgspec import Struct

from muniment.controls.control import Case, Control, Reason, ReasonCodes, Scope, met, unknown, violated
from muniment.facts import kinds
from muniment.facts.maybe import Unknown
from muniment.policy.parameters import Stricter, Unit


class Parameters(Struct, frozen=True, forbid_unknown_fields=True):
    """Trusted builders: ids as provenance names them."""

    builders: Annotated[tuple[str, ...], Unit("builder ids"), Stricter.FEWER] = ()


class Reasons(ReasonCodes):
    """Reasons of this control."""

    PERMITTED = met(
        "{builder} built {artifact} from {commit}, which was allowed; {environment} is the next environment."
    )
    PIPELINE_UNKNOWN = unknown(
        "The pipeline that requests the deployment is unknown: {why}.",
        "Request it from the pipeline, with the identity that its forge issues: muniment deploy --env ENVIRONMENT",
    )
    REF_UNKNOWN = unknown(
        "It is unknown whether the pipeline {by} runs for a protected branch or tag: {why}.",
        "Have the commit allowed there: merge it at the connected forge, or push it through the server hook.",
    )
    REF_NOT_PROTECTED = violated(
        "The pipeline {by} does not run for a protected branch or tag.",
        "Deploy from the protected branch that contains {commit}.",
    )
    COMMIT_MISMATCH = violated(
        "The request names commit {commit}, but commit {evaluated} was evaluated.",
        "Request the deployment of the commit on which the pipeline runs.",
    )
    NO_PROVENANCE = violated(
        "{artifact} has no provenance: the commit from which it was built is unknown.",
        "Let the builder sign provenance (SLSA, in-toto), then submit it: "
        "muniment deploy --env ENVIRONMENT --provenance FILE",
    )
    PROVENANCE_NOT_VERIFIED = unknown(
        "The provenance of {artifact} by {builder} could not be verified: {why}.",
        "Let a builder that the policy trusts sign it with its own key.",
    )
    UNTRUSTED_BUILDER = violated(
        "{builder} built {artifact}, and the policy does not trust that builder.",
        'Build it with one of: {trusted}; or trust this builder in policy.toml: with = {{ builders = ["{builder}"] }}',
    )
    BUILT_FROM_OTHER_COMMIT = violated(
        "{artifact} was built from {made_of}, not from {commit}.",
        "Build {commit}, and deploy the result.",
    )
    COMMIT_NOT_ALLOWED = violated(
        "No decision allowed {commit} on {branch}.",
        "Find out how it got there: muniment ledger show --home DIR; two others review it afterwards, or "
        "it is reverted.",
    )
    COMMIT_DECISION_UNKNOWN = unknown(
        "It is unknown whether {commit} was allowed on {branch}: {why}.",
        "Connect the forge, or import the server hook's log; have the commit allowed there, then try again.",
    )
    NOT_ON_BRANCH = violated(
        "{branch} no longer contains {commit}.",
        "Deploy a commit that the branch contains.",
    )
    NO_SUCH_ENVIRONMENT = violated(
        "This product has no environment {name}.",
        "Use one of: {known}; or add it to the product.",
    )
    ENVIRONMENT_SKIPPED = violated(
        "{artifact} has not been deployed to {before}, which comes before {name}.",
        "Deploy it to {before} first.",
    )
    EARLIER_ENVIRONMENTS_UNKNOWN = unknown(
        "It is unknown where {artifact} was deployed before: {why}.",
        "Try again once the record of deployments can be read.",
    )
    DEADLINE_OVERDUE = violated(
        "{what} was due on {until} and is not done.",
        "Do it, or ask somebody with the security role to move the due date; then try again.",
    )


def evaluate_case(case: Case) -> tuple[Reason, ...]:
    """Evaluate everything that blocks the deployment."""
    delivery = case.get_fact(kinds.DEPLOYMENT_REQUEST)
    subject = f"artifact:{delivery.artifact}"
    found = (
        *_check_pipeline(case),
        *_check_provenance(case, subject),
        *_check_decision(case),
        *_check_order(case),
        *_check_deadlines(case),
    )
    if found:
        return found
    builder = ", ".join(
        sorted({one.builder for one in case.get_fact(kinds.PROVENANCE) if _is_about_artifact(case, one.artifact)})
    )
    details = {"artifact": delivery.artifact, "commit": delivery.commit, "environment": delivery.environment}
    return (Reasons.PERMITTED(subject, builder=builder, **details),)


def _is_about_artifact(case: Case, artifact: str) -> bool:
    return artifact == case.get_fact(kinds.DEPLOYMENT_REQUEST).artifact


def _check_pipeline(case: Case) -> Iterator[Reason]:
    delivery, evaluated = case.get_fact(kinds.DEPLOYMENT_REQUEST), case.get_fact(kinds.REVISION).head
    if delivery.commit != evaluated:
        yield Reasons.COMMIT_MISMATCH(f"commit:{delivery.commit}", commit=delivery.commit, evaluated=evaluated)
    if isinstance(delivery.pipeline, Unknown):
        yield Reasons.PIPELINE_UNKNOWN("fact:delivery", why=delivery.pipeline.reason)
    elif isinstance(delivery.protected_ref, Unknown):
        by, why = delivery.pipeline.value, delivery.protected_ref.reason
        yield Reasons.REF_UNKNOWN(f"account:{by}", by=by, why=why)
    elif not delivery.protected_ref.value:
        yield Reasons.REF_NOT_PROTECTED(
            f"account:{delivery.pipeline.value}", by=delivery.pipeline.value, commit=delivery.commit
        )


def _check_provenance(case: Case, subject: str) -> Iterator[Reason]:
    """Check every statement about this artifact: one that contradicts another is no proof of either."""
    delivery = case.get_fact(kinds.DEPLOYMENT_REQUEST)
    about = [one for one in case.get_fact(kinds.PROVENANCE) if _is_about_artifact(case, one.artifact)]
    if not about:
        yield Reasons.NO_PROVENANCE(subject, artifact=delivery.artifact)
    for one in about:
        details = {"builder": one.builder, "artifact": one.artifact}
        if isinstance(one.signed_by, Unknown):
            yield Reasons.PROVENANCE_NOT_VERIFIED(subject, why=one.signed_by.reason, **details)
        elif one.builder not in case.parameters.builders:
            trusted = ", ".join(case.parameters.builders) or "nobody yet"
            yield Reasons.UNTRUSTED_BUILDER(subject, trusted=trusted, **details)
        elif one.commit != delivery.commit:
            yield Reasons.BUILT_FROM_OTHER_COMMIT(subject, made_of=one.commit, commit=delivery.commit, **details)


def _check_decision(case: Case) -> Iterator[Reason]:
    delivery, decided = case.get_fact(kinds.DEPLOYMENT_REQUEST), case.get_fact(kinds.COMMIT_DECISION)
    subject, place = f"commit:{delivery.commit}", {"commit": delivery.commit, "branch": decided.branch}
    if decided.commit != delivery.commit:
        yield Reasons.COMMIT_DECISION_UNKNOWN(subject, why=f"the decision is about {decided.commit}", **place)
    elif isinstance(decided.allowed, Unknown):
        yield Reasons.COMMIT_DECISION_UNKNOWN(subject, why=decided.allowed.reason, **place)
    elif not decided.allowed.value:
        yield Reasons.COMMIT_NOT_ALLOWED(subject, **place)
    if isinstance(decided.on_branch, Unknown):
        yield Reasons.COMMIT_DECISION_UNKNOWN(subject, why=decided.on_branch.reason, **place)
    elif not decided.on_branch.value:
        yield Reasons.NOT_ON_BRANCH(subject, **place)


def _check_order(case: Case) -> Iterator[Reason]:
    delivery, environments = case.get_fact(kinds.DEPLOYMENT_REQUEST), case.get_fact(kinds.ENVIRONMENTS)
    subject = f"environment:{delivery.environment}"
    orders = {one.name: one.order for one in environments}
    if delivery.environment not in orders:
        yield Reasons.NO_SUCH_ENVIRONMENT(subject, known=", ".join(orders) or "none yet")
        return
    earlier = [name for name, order in orders.items() if order < orders[delivery.environment]]
    if isinstance(delivery.reached_environments, Unknown):
        if earlier:
            yield Reasons.EARLIER_ENVIRONMENTS_UNKNOWN(
                subject, artifact=delivery.artifact, why=delivery.reached_environments.reason
            )
        return
    for name in earlier:
        if name not in delivery.reached_environments.value:
            yield Reasons.ENVIRONMENT_SKIPPED(subject, artifact=delivery.artifact, before=name)


def _check_deadlines(case: Case) -> Iterator[Reason]:
    for one in case.get_fact(kinds.DEADLINES):
        if one.due < case.now:
            yield Reasons.DEADLINE_OVERDUE(f"deadline:{one.id}", what=one.description, until=one.due[:10])


CONTROL = Control(
    name="deployment-permitted",
    version=2,
    summary="A trusted builder built each deployed artifact from an allowed commit; environments keep their order.",
    scope=Scope.ARTIFACT,
    needs=(
        *(kinds.REVISION, kinds.DEPLOYMENT_REQUEST, kinds.PROVENANCE, kinds.COMMIT_DECISION),
        *(kinds.ENVIRONMENTS, kinds.DEADLINES),
    ),
    parameters=Parameters,
    codes=Reasons,
    evaluate=evaluate_case,
)
