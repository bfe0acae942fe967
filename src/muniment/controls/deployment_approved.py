"""Control: an artifact is deployed to production only once enough people with a role approved exactly that."""

from typing import Annotated

from msgspec import Meta, Struct

from muniment.controls.control import Case, Control, Reason, ReasonCodes, Scope, met, not_applicable, violated
from muniment.facts import kinds
from muniment.policy.parameters import Stricter, Unit


class Parameters(Struct, frozen=True, forbid_unknown_fields=True):
    """Number of people who approve an artifact before it is deployed to production, and the roles of which they need
    one.
    """

    people: Annotated[int, Meta(ge=1), Unit("people"), Stricter.HIGHER] = 1
    roles: Annotated[tuple[str, ...], Unit("roles"), Stricter.FEWER] = ("owner", "security")


class Reasons(ReasonCodes):
    """Reasons of this control."""

    APPROVED = met("{who} approved {artifact} for {environment}.")
    NOT_PRODUCTION = not_applicable("{environment} is not production.")
    NO_SUCH_ENVIRONMENT = violated(
        "This product has no environment {environment}.",
        "Use one of: {known}; or add it to the product.",
    )
    NOT_APPROVED = violated(
        "{count} of {needed} people with the role {roles} approved {artifact} for {environment}.",
        "Have one of them approve it on the page Environments of the product, then run the deployment again.",
    )


def evaluate_case(case: Case) -> tuple[Reason, ...]:
    """Evaluate whether enough different people with one of the roles approved this artifact for this environment."""
    delivery, environments = case.get_fact(kinds.DEPLOYMENT_REQUEST), case.get_fact(kinds.ENVIRONMENTS)
    subject, where = f"artifact:{delivery.artifact}", {"environment": delivery.environment}
    production = {one.name: one.production for one in environments}
    if delivery.environment not in production:
        known = ", ".join(production) or "none yet"
        return (Reasons.NO_SUCH_ENVIRONMENT(f"environment:{delivery.environment}", known=known, **where),)
    if not production[delivery.environment]:
        return (Reasons.NOT_PRODUCTION(subject, **where),)
    people = {
        one.person
        for one in case.get_fact(kinds.DEPLOYMENT_APPROVALS)
        if (one.environment, one.artifact) == (delivery.environment, delivery.artifact)
        and set(one.roles) & set(case.parameters.roles)
    }
    if len(people) < case.parameters.people:
        roles = " or ".join(case.parameters.roles) or "that the policy names (it names none)"
        counts = {"count": len(people), "needed": case.parameters.people}
        return (Reasons.NOT_APPROVED(subject, artifact=delivery.artifact, roles=roles, **counts, **where),)
    who = ", ".join(f"person:{one}" for one in sorted(people))
    return (Reasons.APPROVED(subject, who=who, artifact=delivery.artifact, **where),)


CONTROL = Control(
    name="approved-for-deployment",
    version=1,
    summary="People with a role approve an artifact before it goes to production.",
    scope=Scope.ARTIFACT,
    needs=(kinds.DEPLOYMENT_REQUEST, kinds.ENVIRONMENTS, kinds.DEPLOYMENT_APPROVALS),
    parameters=Parameters,
    codes=Reasons,
    evaluate=evaluate_case,
)
