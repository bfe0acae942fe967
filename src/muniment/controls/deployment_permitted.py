"""An artifact goes to an environment only if a trusted builder made it of an allowed commit, and its turn has come."""

from collections.abc import Iterator
from typing import Annotated

from msgspec import Struct

from muniment.controls.control import Case, Codes, Control, Reason, Scope, satisfied, unknown, violated
from muniment.facts import kinds
from muniment.facts.maybe import Unknown
from muniment.policy.parameters import Stricter, Unit


class Parameters(Struct, frozen=True, forbid_unknown_fields=True):
    """Whose word on what an artifact is made of counts: builder ids, as provenance names them."""

    builders: Annotated[tuple[str, ...], Unit("builder ids"), Stricter.FEWER] = ()


class Reasons(Codes):
    """What this control answers."""

    PERMITTED = satisfied("{builder} made {artifact} of {commit}, which was allowed; {environment} is next.")
    CALLER_NOT_LEARNT = unknown(
        "Which pipeline asks could not be learnt: {why}.",
        "Ask from the pipeline, with the identity that its forge gives it: muniment deploy",
    )
    NOT_PROTECTED = violated(
        "The pipeline {by} does not run for a protected branch or tag.",
        "Deploy from the protected branch that holds {commit}.",
    )
    OTHER_COMMIT = violated(
        "What is asked for is said to be made of {commit}, but what was judged is {judged}.",
        "Ask for the commit that the pipeline runs on.",
    )
    NO_PROVENANCE = violated(
        "Nothing says what {artifact} was made of.",
        "Let the builder sign provenance (SLSA, in-toto) and hand it in with the artifact.",
    )
    NOT_PROVEN = unknown(
        "What {builder} says of {artifact} proves nothing: {why}.",
        "Let a builder that the policy trusts sign it with its own key.",
    )
    UNTRUSTED_BUILDER = violated(
        "{builder} made {artifact}, and the policy does not trust that builder.",
        'Build it with one of: {trusted}; or name it in policy.toml: with = {{ builders = ["{builder}"] }}',
    )
    MADE_OF_OTHER = violated(
        "{artifact} was made of {made_of}, not of {commit}.",
        "Build {commit}, and deploy what comes of it.",
    )
    NOT_ALLOWED = violated(
        "No decision allowed {commit} onto {branch}.",
        "Find out how it got there: muniment ledger show; two others review it afterwards, or it is reverted.",
    )
    NOT_DECIDED = unknown(
        "Whether {commit} was allowed onto {branch} could not be learnt: {why}.",
        "Have it judged, then ask again.",
    )
    NOT_ON_BRANCH = violated(
        "{branch} does not hold {commit} any more.",
        "Deploy what the branch holds now.",
    )
    NO_SUCH_ENVIRONMENT = violated(
        "This product has no environment {name}.",
        "Use one of: {known}; or add it to the product.",
    )
    OUT_OF_ORDER = violated(
        "{artifact} was not in {before} yet, which comes before {name}.",
        "Deploy it to {before} first.",
    )
    ORDER_NOT_LEARNT = unknown(
        "Where {artifact} was before could not be learnt: {why}.",
        "Ask again once the record of deployments can be read.",
    )
    OVERDUE = violated(
        "{what} was due on {until}, and is not done.",
        "Do it, or have somebody with the security role move the deadline; then ask again.",
    )


def judge(case: Case) -> tuple[Reason, ...]:
    """Everything that stands in the way, or that nothing does."""
    delivery = case.get(kinds.DELIVERY)
    subject = f"artifact:{delivery.artifact}"
    found = (*_caller(case), *_made(case, subject), *_decided(case), *_turn(case), *_deadlines(case))
    if found:
        return found
    builder = ", ".join(sorted({one.builder for one in case.get(kinds.PROVENANCE) if _about(case, one.artifact)}))
    details = {"artifact": delivery.artifact, "commit": delivery.commit, "environment": delivery.environment}
    return (Reasons.PERMITTED(subject, builder=builder, **details),)


def _about(case: Case, artifact: str) -> bool:
    return artifact == case.get(kinds.DELIVERY).artifact


def _caller(case: Case) -> Iterator[Reason]:
    delivery, judged = case.get(kinds.DELIVERY), case.get(kinds.REVISION).head
    if delivery.commit != judged:
        yield Reasons.OTHER_COMMIT(f"commit:{delivery.commit}", commit=delivery.commit, judged=judged)
    if isinstance(delivery.by, Unknown):
        yield Reasons.CALLER_NOT_LEARNT("fact:delivery", why=delivery.by.why)
    elif isinstance(delivery.protected, Unknown):
        yield Reasons.CALLER_NOT_LEARNT(f"account:{delivery.by.value}", why=delivery.protected.why)
    elif not delivery.protected.value:
        yield Reasons.NOT_PROTECTED(f"account:{delivery.by.value}", by=delivery.by.value, commit=delivery.commit)


def _made(case: Case, subject: str) -> Iterator[Reason]:
    """Every statement about this artifact has to hold: one that contradicts another is no proof of either."""
    delivery = case.get(kinds.DELIVERY)
    about = [one for one in case.get(kinds.PROVENANCE) if _about(case, one.artifact)]
    if not about:
        yield Reasons.NO_PROVENANCE(subject, artifact=delivery.artifact)
    for one in about:
        details = {"builder": one.builder, "artifact": one.artifact}
        if isinstance(one.signed_by, Unknown):
            yield Reasons.NOT_PROVEN(subject, why=one.signed_by.why, **details)
        elif one.builder not in case.parameters.builders:
            trusted = ", ".join(case.parameters.builders) or "nobody yet"
            yield Reasons.UNTRUSTED_BUILDER(subject, trusted=trusted, **details)
        elif one.commit != delivery.commit:
            yield Reasons.MADE_OF_OTHER(subject, made_of=one.commit, commit=delivery.commit, **details)


def _decided(case: Case) -> Iterator[Reason]:
    delivery, decided = case.get(kinds.DELIVERY), case.get(kinds.COMMIT_DECISION)
    subject, place = f"commit:{delivery.commit}", {"commit": delivery.commit, "branch": decided.branch}
    if decided.commit != delivery.commit:
        yield Reasons.NOT_DECIDED(subject, why=f"the decision is about {decided.commit}", **place)
    elif isinstance(decided.allowed, Unknown):
        yield Reasons.NOT_DECIDED(subject, why=decided.allowed.why, **place)
    elif not decided.allowed.value:
        yield Reasons.NOT_ALLOWED(subject, **place)
    if isinstance(decided.on_branch, Unknown):
        yield Reasons.NOT_DECIDED(subject, why=decided.on_branch.why, **place)
    elif not decided.on_branch.value:
        yield Reasons.NOT_ON_BRANCH(subject, **place)


def _turn(case: Case) -> Iterator[Reason]:
    delivery, environments = case.get(kinds.DELIVERY), case.get(kinds.ENVIRONMENTS)
    subject = f"environment:{delivery.environment}"
    orders = {one.name: one.order for one in environments}
    if delivery.environment not in orders:
        yield Reasons.NO_SUCH_ENVIRONMENT(subject, known=", ".join(orders) or "none yet")
        return
    earlier = [name for name, order in orders.items() if order < orders[delivery.environment]]
    if isinstance(delivery.reached, Unknown):
        if earlier:
            yield Reasons.ORDER_NOT_LEARNT(subject, artifact=delivery.artifact, why=delivery.reached.why)
        return
    for name in earlier:
        if name not in delivery.reached.value:
            yield Reasons.OUT_OF_ORDER(subject, artifact=delivery.artifact, before=name)


def _deadlines(case: Case) -> Iterator[Reason]:
    for one in case.get(kinds.DEADLINES):
        if one.until < case.now:
            yield Reasons.OVERDUE(f"deadline:{one.id}", what=one.what, until=one.until[:10])


CONTROL = Control(
    name="deployment-permitted",
    version=1,
    summary="What is deployed was made by a trusted builder of an allowed commit, and its turn has come.",
    scope=Scope.ARTIFACT,
    needs=(
        *(kinds.REVISION, kinds.DELIVERY, kinds.PROVENANCE, kinds.COMMIT_DECISION),
        *(kinds.ENVIRONMENTS, kinds.DEADLINES),
    ),
    parameters=Parameters,
    codes=Reasons,
    judge=judge,
)
