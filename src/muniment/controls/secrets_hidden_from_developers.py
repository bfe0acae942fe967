"""Control: no person has read a secret of production, and none can: by the vault's policies and by its audit log."""

from typing import Annotated

from msgspec import Meta, Struct

from muniment.controls.control import (
    Case,
    Control,
    Reason,
    ReasonCodes,
    Scope,
    met,
    unknown,
    violated,
)
from muniment.facts import kinds, moments
from muniment.facts.maybe import Maybe, Unknown
from muniment.facts.vault_facts import EnvironmentAccess, VaultReader
from muniment.policy.parameters import Stricter, Unit


class Parameters(Struct, frozen=True, forbid_unknown_fields=True):
    """Delay that the audit log of an external vault may have, and reasons for a vault without a copy of its log.

    Deployments to environments that have secrets are denied by the same two.
    """

    log_minutes: Annotated[int, Meta(ge=1, le=525_600), Unit("minutes"), Stricter.LOWER] = 15
    unwatched: Annotated[tuple[str, ...], Unit("reasons"), Stricter.FEWER] = ()


class Reasons(ReasonCodes):
    """Reasons of this control."""

    HIDDEN = met("{name}: {could} readers have access and {did} read since {since}; none of them is a person.")
    NO_PRODUCTION_ENVIRONMENT = unknown(
        "No environment is marked as production.",
        "Add the product's environments, and mark the one that is production.",
    )
    ACCESS_NOT_COLLECTED = unknown(
        "The vault's policies and audit log have nothing about {name}.",
        "Let Muniment plan and apply the vault's policies for it: muniment vault plan",
    )
    PERSON_CAN_READ = violated(
        "{who} is a person and can read the secrets of {name}, by {how}.",
        "Remove this access: muniment vault plan shows what should be there.",
    )
    PERSON_HAS_READ = violated(
        "{who} is a person and has read secrets of {name}, by {how}.",
        "Replace what was read: muniment secret rotate NAME --product PRODUCT --env ENVIRONMENT; then "
        "remove the access.",
    )
    HIDDEN_UNWATCHED = met(
        "{name}: {could} readers have access; none of them is a person. Who read is not watched here: {why}"
    )
    LOG_TOO_OLD = unknown(
        "It is unknown who has read the secrets of {name} since {reaches}: the vault's audit log may be at most "
        "{minutes} minutes behind.",
        "Copy the vault's audit log more often, and see that a worker follows it: muniment doctor",
    )
    READER_UNKNOWN = unknown(
        "It is unknown whether {who}, who can read or has read the secrets of {name} by {how}, is a person: {why}.",
        "Find the owner of that token, and revoke it if there is none.",
    )
    READERS_UNKNOWN = unknown(
        "It is unknown who {what} the secrets of {name}: {why}.",
        "Let Muniment read the vault's policies and audit log.",
    )


def evaluate_case(case: Case) -> tuple[Reason, ...]:
    """Evaluate the people who can read or have read secrets, in each production environment."""
    production = [one.name for one in case.get_fact(kinds.ENVIRONMENTS) if one.production]
    if not production:
        return (Reasons.NO_PRODUCTION_ENVIRONMENT("fact:environments"),)
    access = {one.environment: one for one in case.get_fact(kinds.VAULT_ACCESS)}
    return tuple(
        reason for name in production for reason in _evaluate_environment(f"environment:{name}", access.get(name), case)
    )


def _evaluate_environment(subject: str, access: EnvironmentAccess | None, case: Case) -> tuple[Reason, ...]:
    if access is None:
        return (Reasons.ACCESS_NOT_COLLECTED(subject),)
    could = _count_readers(access.can_read)
    if not access.has_log and case.parameters.unwatched:
        found = _find_people(subject, access.can_read, Reasons.PERSON_CAN_READ, "could read")
        why = " ".join(case.parameters.unwatched)
        return tuple(found) or (Reasons.HIDDEN_UNWATCHED(subject, could=could, why=why),)
    found = [
        *_find_people(subject, access.can_read, Reasons.PERSON_CAN_READ, "could read"),
        *_find_people(subject, access.has_read, Reasons.PERSON_HAS_READ, "has read"),
        *_check_log_age(subject, access, case),
    ]
    return tuple(found) or (
        Reasons.HIDDEN(subject, could=could, did=_count_readers(access.has_read), since=access.since[:10]),
    )


def _check_log_age(subject: str, access: EnvironmentAccess, case: Case) -> list[Reason]:
    """Check the delay of the log. Unknown readers are reported by `_find_people`."""
    if isinstance(access.has_read, Unknown):
        return []
    if isinstance(access.log_reaches, Unknown):
        return [Reasons.READERS_UNKNOWN(subject, what="has read", why=access.log_reaches.reason)]
    minutes: int = case.parameters.log_minutes
    if moments.add_time(access.log_reaches.value, minutes=minutes) < case.now:
        return [Reasons.LOG_TOO_OLD(subject, reaches=access.log_reaches.value, minutes=minutes)]
    return []


def _find_people(subject: str, readers: Maybe[tuple[VaultReader, ...]], answer: Reasons, what: str) -> list[Reason]:
    if isinstance(readers, Unknown):
        return [Reasons.READERS_UNKNOWN(subject, what=what, why=readers.reason)]
    found: list[Reason] = []
    for one in readers.value:
        if isinstance(one.is_person, Unknown):
            found.append(Reasons.READER_UNKNOWN(subject, who=one.identity, how=one.via, why=one.is_person.reason))
        elif one.is_person.value:
            found.append(answer(subject, who=one.identity, how=one.via))
    return found


def _count_readers(readers: Maybe[tuple[VaultReader, ...]]) -> int:
    return 0 if isinstance(readers, Unknown) else len(readers.value)


CONTROL = Control(
    name="secrets-hidden-from-developers",
    version=2,
    summary="No person has read, or can read, a secret of production.",
    scope=Scope.PRODUCT,
    needs=(kinds.ENVIRONMENTS, kinds.VAULT_ACCESS),
    parameters=Parameters,
    codes=Reasons,
    evaluate=evaluate_case,
)
