"""State of each requirement of a product, from what is known of it. What is not known is unknown, never met.

A machine's answer comes first. Where no machine answers, the statement of a person counts until a day; a requirement
that rules verify has no such way out, since its code can be scanned.
"""

from collections.abc import Iterable, Mapping

from msgspec import Struct

from muniment.facts.requirement_facts import RequirementStatus, VerifiedRequirement
from muniment.scanners.requirements.checklist import OfficialList, Requirement, VerifiedBy

OPEN_FINDINGS = "open findings of "  # before the names of rules
_Finding = tuple[RequirementStatus, str, str]  # status, reason or proof, last day


class EvidenceStatement(Struct, frozen=True):
    """Statement of a person that a requirement is met, or (`excludes`) does not apply.

    `reason` is its evidence; `until` is the last day on which it counts, ISO 8601.
    """

    person: str
    excludes: bool
    reason: str
    until: str


class NamedTest(Struct, frozen=True):
    """Test that the team named for a requirement. `passed` is None where its result is not known, `because` why."""

    name: str
    passed: bool | None
    because: str = ""


class ProductEvidence(Struct, frozen=True):
    """Evidence about a product.

    `open_rules` are the rules with an open finding, `unscanned` says why the code was not scanned whole ("" if it was).
    `checks` are the results of checks of design and configuration, by name. Named tests and statements are by
    requirement: the id in our checklist, or the key of an official one.
    """

    open_rules: frozenset[str]
    unscanned: str
    checks: Mapping[str, bool]
    tests: Mapping[str, NamedTest]
    statements: Mapping[str, EvidenceStatement]


def find_requirement_states(
    checklist: Mapping[str, Requirement], evidence: ProductEvidence
) -> tuple[VerifiedRequirement, ...]:
    """Find the state of each requirement of our checklist."""
    return tuple(
        _make_state(name, requirement, _find_state(name, requirement, evidence))
        for name, requirement in checklist.items()
    )


def find_official_states(lists: Iterable[OfficialList], evidence: ProductEvidence) -> tuple[VerifiedRequirement, ...]:
    """Find the state of each requirement of official lists, which a named test verifies or a person attests."""
    found: list[VerifiedRequirement] = []
    for listed in lists:
        for one in listed.requirements:
            status, because, until = _check_test(listed.format_key(one.id), evidence)
            found.append(VerifiedRequirement(one.id, listed.full_title, one.chapter, one.level, status, because, until))
    return tuple(found)


def format_words(name: str) -> str:
    """Words of an id or an area of our checklist."""
    return name.replace("-", " ")


def _make_state(name: str, requirement: Requirement, found: _Finding) -> VerifiedRequirement:
    return VerifiedRequirement(
        format_words(name), "", format_words(requirement.area), requirement.level, found[0], found[1], found[2]
    )


def _find_state(name: str, requirement: Requirement, evidence: ProductEvidence) -> _Finding:
    match requirement.verified_by:
        case VerifiedBy.RULE:
            return _check_rules(name, requirement, evidence)
        case VerifiedBy.DESIGN | VerifiedBy.CONFIGURATION:
            return _check_machine(name, requirement, evidence)
        case VerifiedBy.NAMED_TEST:
            return _check_test(name, evidence)
        case VerifiedBy.ATTESTATION:
            return _check_statement(name, evidence, f"nobody with the role {requirement.role} attested it")


def _check_rules(name: str, requirement: Requirement, evidence: ProductEvidence) -> _Finding:
    found = sorted(evidence.open_rules & set(requirement.rules))
    if found:
        return RequirementStatus.VIOLATED, OPEN_FINDINGS + ", ".join(found), ""
    stated = evidence.statements.get(name)
    if stated is not None and stated.excludes:
        return _describe_statement(stated)
    if evidence.unscanned:
        return RequirementStatus.UNKNOWN, evidence.unscanned, ""
    return RequirementStatus.MET, f"no open finding of {', '.join(requirement.rules)}", ""


def _check_machine(name: str, requirement: Requirement, evidence: ProductEvidence) -> _Finding:
    passed = evidence.checks.get(requirement.check)
    if passed is None:
        return _check_test(name, evidence, f"the check of {requirement.check} has no result")
    if passed:
        return RequirementStatus.MET, f"the check of {requirement.check} passes", ""
    return RequirementStatus.VIOLATED, f"the check of {requirement.check} fails", ""


def _check_test(name: str, evidence: ProductEvidence, missing: str = "no test is named for it") -> _Finding:
    test = evidence.tests.get(name)
    if test is None:
        return _check_statement(name, evidence, f"{missing}, and nobody attested it")
    if test.passed is None:
        return RequirementStatus.UNKNOWN, f"the result of the test {test.name} is not known: {test.because}", ""
    if test.passed:
        return RequirementStatus.MET, f"the test {test.name} passes", ""
    return RequirementStatus.VIOLATED, f"the test {test.name} fails", ""


def _check_statement(name: str, evidence: ProductEvidence, missing: str) -> _Finding:
    stated = evidence.statements.get(name)
    return (RequirementStatus.UNKNOWN, missing, "") if stated is None else _describe_statement(stated)


def _describe_statement(stated: EvidenceStatement) -> _Finding:
    """Status by a statement: one without a reason, or without a last day, says nothing."""
    if not stated.reason.strip() or not stated.until:
        return RequirementStatus.UNKNOWN, f"the statement of {stated.person} has no evidence or no last day", ""
    status = RequirementStatus.NOT_APPLICABLE if stated.excludes else RequirementStatus.MET
    return status, f"{stated.person}: {stated.reason}", stated.until
