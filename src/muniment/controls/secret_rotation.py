"""Control: no secret in the vault is older than the policy allows."""

from typing import Annotated

from msgspec import Meta, Struct

from muniment.controls.control import Case, Control, Reason, ReasonCodes, Scope, met, not_applicable, unknown, violated
from muniment.facts import kinds, moments
from muniment.facts.maybe import Unknown
from muniment.facts.vault_facts import SecretAge
from muniment.policy.parameters import Stricter, Unit


class Parameters(Struct, frozen=True, forbid_unknown_fields=True):
    """Age that a value may reach. A secret that is marked public has no age."""

    max_age_days: Annotated[int, Meta(ge=1, le=3650), Unit("days"), Stricter.LOWER] = 365


class Reasons(ReasonCodes):
    """Reasons of this control."""

    ROTATED = met("{count} secrets were set in the last {days} days.")
    NO_SECRETS = not_applicable("The vault holds no secret of this product.")
    SECRET_TOO_OLD = violated(
        "{secret} of {environment} was set on {changed}; it must be replaced after {days} days.",
        "Replace it: muniment secret rotate {secret} --product PRODUCT --env {environment}",
    )
    AGE_UNKNOWN = unknown(
        "The age of {secret} of {environment} is unknown: {why}.",
        "Replace it: muniment secret rotate {secret} --product PRODUCT --env {environment}",
    )


def evaluate_case(case: Case) -> tuple[Reason, ...]:
    """Evaluate the age of every secret."""
    secrets = [one for one in case.get_fact(kinds.VAULT_SECRETS) if not one.public]
    days: int = case.parameters.max_age_days
    if not secrets:
        return (Reasons.NO_SECRETS("fact:vault_secrets"),)
    found = tuple(reason for one in secrets for reason in _check_age(one, days, case.now))
    return found or (Reasons.ROTATED("fact:vault_secrets", count=len(secrets), days=days),)


def _check_age(one: SecretAge, days: int, now: str) -> tuple[Reason, ...]:
    subject = f"secret:{one.name}"
    place = {"secret": one.name, "environment": one.environment}
    if isinstance(one.changed, Unknown):
        return (Reasons.AGE_UNKNOWN(subject, why=one.changed.reason, **place),)
    if moments.add_time(one.changed.value, days=days) < now:
        return (Reasons.SECRET_TOO_OLD(subject, changed=one.changed.value[:10], days=days, **place),)
    return ()


CONTROL = Control(
    name="secret-rotation",
    version=1,
    summary="No secret in the vault is older than the limit.",
    scope=Scope.PRODUCT,
    needs=(kinds.VAULT_SECRETS,),
    parameters=Parameters,
    codes=Reasons,
    evaluate=evaluate_case,
)
