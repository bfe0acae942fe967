"""Control: each security requirement that applies to a product is met, and somebody or something verified it."""

from collections.abc import Iterable, Iterator
from typing import Annotated

from msgspec import Meta, Struct

from muniment.controls.control import Case, Control, Reason, ReasonCodes, Scope, met, not_applicable, unknown, violated
from muniment.facts import kinds
from muniment.facts.requirement_facts import ProductRequirements, RequirementStatus, VerifiedRequirement
from muniment.policy.parameters import Stricter, Unit

_Level = Annotated[int, Meta(ge=1, le=3)]


class Parameters(Struct, frozen=True, forbid_unknown_fields=True):
    """Level of the ASVS for all products and for those with personal data, and official lists that count too."""

    level: Annotated[_Level, Unit("level of the ASVS"), Stricter.HIGHER] = 1
    personal_data_level: Annotated[_Level, Unit("level of the ASVS"), Stricter.HIGHER] = 2
    lists: Annotated[tuple[str, ...], Unit("official lists"), Stricter.MORE] = ()

    def find_level(self, found: ProductRequirements) -> int:
        """Level that applies to a product."""
        return max(self.level, self.personal_data_level if found.holds_personal_data else 1)


class Reasons(ReasonCodes):
    """Reasons of this control."""

    ALL_MET = met("{met} of {count} requirements of level {level} are met; {excluded} do not apply.")
    NONE_APPLIES = not_applicable("None of the {count} requirements of level {level} applies to the product.")
    REQUIREMENT_NOT_MET = violated(
        "The requirement {requirement} is not met: {why}.",
        "Correct the cause. The page Requirements of the product shows it.",
    )
    NOT_VERIFIED = unknown(
        "Not verified in {area}: {requirements}.",
        "Name a test for each, or attest it with evidence, on the page Requirements of the product.",
    )
    STATEMENT_ENDED = unknown(
        "Statements have ended in {area}: {requirements}.",
        "Make them again, with evidence of today, on the page Requirements of the product.",
    )
    LIST_MISSING = unknown(
        "The policy names the list {list}, which was not imported.",
        "Import it on the page Requirements of a product, as a security officer.",
    )
    NONE_LISTED = unknown(
        "No requirement of level {level} is listed.",
        "Install this version again: its checklist is missing.",
    )


def evaluate_case(case: Case) -> tuple[Reason, ...]:
    """Evaluate the requirements of the checklist and of the named lists, up to the level of the product."""
    parameters: Parameters = case.parameters
    found = case.get_fact(kinds.PRODUCT_REQUIREMENTS)
    level = parameters.find_level(found)
    states = [one for one in found.states if one.level <= level and one.list_name in ("", *parameters.lists)]
    missing = (Reasons.LIST_MISSING(f"list:{name}", list=name) for name in parameters.lists if name not in found.lists)
    return (*missing, *_evaluate_states(states, level, case.now))


def _evaluate_states(states: list[VerifiedRequirement], level: int, now: str) -> Iterator[Reason]:
    subject = f"fact:{kinds.PRODUCT_REQUIREMENTS.name}"
    open_states = [one for one in states if _find_status(one, now) in _OPEN]
    excluded = sum(_find_status(one, now) is RequirementStatus.NOT_APPLICABLE for one in states)
    count = {"count": len(states), "level": level}
    if not states:
        yield Reasons.NONE_LISTED(subject, level=level)
    elif len(states) == excluded:
        yield Reasons.NONE_APPLIES(subject, **count)
    elif not open_states:
        yield Reasons.ALL_MET(subject, met=len(states) - excluded, excluded=excluded, **count)
    yield from _explain_open_states(open_states)


def _explain_open_states(states: Iterable[VerifiedRequirement]) -> Iterator[Reason]:
    """Give a reason for each requirement that is not met, and for each area with some that nobody verified."""
    ended: dict[str, list[str]] = {}
    unverified: dict[str, list[str]] = {}
    for one in states:
        if one.status is RequirementStatus.VIOLATED:
            yield Reasons.REQUIREMENT_NOT_MET(f"requirement:{one.name}", requirement=one.name, why=one.because)
        else:
            (unverified if one.status is RequirementStatus.UNKNOWN else ended).setdefault(one.area, []).append(one.name)
    for template, areas in ((Reasons.STATEMENT_ENDED, ended), (Reasons.NOT_VERIFIED, unverified)):
        for area, names in areas.items():
            yield template(f"area:{area}", area=area, requirements=", ".join(names))


_OPEN = frozenset({RequirementStatus.VIOLATED, RequirementStatus.UNKNOWN})


def _find_status(state: VerifiedRequirement, now: str) -> RequirementStatus:
    """Status today: a statement that has ended says nothing."""
    return RequirementStatus.UNKNOWN if state.until and state.until < now[:10] else state.status


CONTROL = Control(
    name="requirements-met",
    version=1,
    summary="Each security requirement that applies to the product is met and verified.",
    scope=Scope.PRODUCT,
    needs=(kinds.PRODUCT_REQUIREMENTS,),
    parameters=Parameters,
    codes=Reasons,
    evaluate=evaluate_case,
)
