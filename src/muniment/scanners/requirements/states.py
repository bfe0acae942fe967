"""State of each requirement of a product, from what is known of it. What is not known is unknown, never met."""

from collections.abc import Mapping
from enum import StrEnum

from msgspec import Struct

from muniment.scanners.requirements.checklist import Requirement, VerifiedBy


class RequirementStatus(StrEnum):
    """Status of one requirement."""

    MET = "met"
    VIOLATED = "violated"
    UNKNOWN = "unknown"
    NOT_APPLICABLE = "not_applicable"


class Attestation(Struct, frozen=True):
    """Statement of a person that a requirement is met. `until` is the last day on which it counts, ISO 8601."""

    person: str
    roles: tuple[str, ...]
    evidence: str
    day: str
    until: str


class ProductEvidence(Struct, frozen=True):
    """What is known of a product.

    `open_rules` are the rules with an open finding, `unscanned` says why the code was not scanned whole ("" if it was).
    `checks` are the results of checks of design and configuration, by name, and `tests` those of the tests that the
    team named, by requirement. `excluded` says by requirement why it does not apply.
    """

    open_rules: frozenset[str]
    unscanned: str
    checks: Mapping[str, bool]
    tests: Mapping[str, bool]
    attestations: Mapping[str, Attestation]
    excluded: Mapping[str, str]


class RequirementState(Struct, frozen=True):
    """State of one requirement, with the reason or the proof."""

    id: str
    status: RequirementStatus
    because: str


def find_requirement_states(
    checklist: Mapping[str, Requirement], evidence: ProductEvidence, level: int, today: str
) -> tuple[RequirementState, ...]:
    """Find the state of each requirement up to a level of the ASVS. `today` is ISO 8601."""
    return tuple(
        RequirementState(name, *_find_state(name, requirement, evidence, today))
        for name, requirement in checklist.items()
        if requirement.level <= level
    )


def _find_state(
    name: str, requirement: Requirement, evidence: ProductEvidence, today: str
) -> tuple[RequirementStatus, str]:
    why = evidence.excluded.get(name, "").strip()
    if why:
        return RequirementStatus.NOT_APPLICABLE, why
    match requirement.verified_by:
        case VerifiedBy.RULE:
            return _check_rules(requirement, evidence)
        case VerifiedBy.NAMED_TEST:
            return _check_result(evidence.tests.get(name), "the test that the team named", "no test is named for it")
        case VerifiedBy.ATTESTATION:
            return _check_attestation(requirement, evidence.attestations.get(name), today)
        case _:
            missing = f"the check of {requirement.check} has no result"
            return _check_result(evidence.checks.get(requirement.check), f"the check of {requirement.check}", missing)


def _check_rules(requirement: Requirement, evidence: ProductEvidence) -> tuple[RequirementStatus, str]:
    found = sorted(evidence.open_rules & set(requirement.rules))
    if found:
        return RequirementStatus.VIOLATED, f"open findings of {', '.join(found)}"
    if evidence.unscanned:
        return RequirementStatus.UNKNOWN, evidence.unscanned
    return RequirementStatus.MET, f"no open finding of {', '.join(requirement.rules)}"


def _check_result(result: bool | None, what: str, missing: str) -> tuple[RequirementStatus, str]:
    if result is None:
        return RequirementStatus.UNKNOWN, missing
    return (RequirementStatus.MET, f"{what} passes") if result else (RequirementStatus.VIOLATED, f"{what} fails")


def _check_attestation(
    requirement: Requirement, stated: Attestation | None, today: str
) -> tuple[RequirementStatus, str]:
    """Check who attested it, with which evidence, and whether that still counts."""
    if stated is None:
        return RequirementStatus.UNKNOWN, f"nobody with the role {requirement.role} attested it"
    if requirement.role not in stated.roles:
        return RequirementStatus.UNKNOWN, f"{stated.person} attested it without the role {requirement.role}"
    if not stated.evidence.strip():
        return RequirementStatus.UNKNOWN, f"{stated.person} attested it without evidence"
    if not stated.day <= today <= stated.until:
        return RequirementStatus.UNKNOWN, f"the attestation of {stated.person} counted until {stated.until}"
    return RequirementStatus.MET, f"{stated.person} attested it on {stated.day}: {stated.evidence}"
