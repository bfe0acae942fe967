"""No person has read a value of production, and none could: by the vault's policies and by its audit log."""

from muniment.controls.control import (
    Case,
    Codes,
    Control,
    NoParameters,
    Reason,
    Scope,
    met,
    unknown,
    violated,
)
from muniment.facts import kinds
from muniment.facts.maybe import Maybe, Unknown
from muniment.facts.vault import EnvironmentAccess, Reader


class Reasons(Codes):
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
    READER_UNKNOWN = unknown(
        "It is unknown whether {who}, who can read or has read the secrets of {name} by {how}, is a person: {why}.",
        "Find the owner of that token, and revoke it if there is none.",
    )
    READERS_UNKNOWN = unknown(
        "It is unknown who {what} the secrets of {name}: {why}.",
        "Let Muniment read the vault's policies and audit log.",
    )


def judge(case: Case) -> tuple[Reason, ...]:
    """Every person who could read or did, in each environment that is production."""
    production = [one.name for one in case.get(kinds.ENVIRONMENTS) if one.production]
    if not production:
        return (Reasons.NO_PRODUCTION_ENVIRONMENT("fact:environments"),)
    access = {one.environment: one for one in case.get(kinds.VAULT_ACCESS)}
    return tuple(reason for name in production for reason in _environment(f"environment:{name}", access.get(name)))


def _environment(subject: str, access: EnvironmentAccess | None) -> tuple[Reason, ...]:
    if access is None:
        return (Reasons.ACCESS_NOT_COLLECTED(subject),)
    found = (
        *_persons(subject, access.can_read, Reasons.PERSON_CAN_READ, "could read"),
        *_persons(subject, access.has_read, Reasons.PERSON_HAS_READ, "has read"),
    )
    return found or (
        Reasons.HIDDEN(subject, could=_count(access.can_read), did=_count(access.has_read), since=access.since[:10]),
    )


def _persons(subject: str, readers: Maybe[tuple[Reader, ...]], answer: Reasons, what: str) -> list[Reason]:
    if isinstance(readers, Unknown):
        return [Reasons.READERS_UNKNOWN(subject, what=what, why=readers.reason)]
    found: list[Reason] = []
    for one in readers.value:
        if isinstance(one.is_person, Unknown):
            found.append(Reasons.READER_UNKNOWN(subject, who=one.identity, how=one.via, why=one.is_person.reason))
        elif one.is_person.value:
            found.append(answer(subject, who=one.identity, how=one.via))
    return found


def _count(readers: Maybe[tuple[Reader, ...]]) -> int:
    return 0 if isinstance(readers, Unknown) else len(readers.value)


CONTROL = Control(
    name="secrets-hidden-from-developers",
    version=1,
    summary="No person has read, or can read, a secret of production.",
    scope=Scope.PRODUCT,
    needs=(kinds.ENVIRONMENTS, kinds.VAULT_ACCESS),
    parameters=NoParameters,
    codes=Reasons,
    judge=judge,
)
