"""Control of requirements: what is not met, what nobody verified, what has ended, and what does not apply."""

from typing import Any

import pytest
from msgspec.structs import replace

from muniment.controls.control import Case, ResultStatus
from muniment.controls.requirements_met import CONTROL
from muniment.decision.decision import format_sentences
from muniment.facts.maybe import Known
from muniment.facts.requirement_facts import ProductRequirements, RequirementStatus, VerifiedRequirement
from tests.support.changes import values

NOW = "2026-11-24T09:00:00.000000Z"
MET, VIOLATED, UNKNOWN = ResultStatus.MET, ResultStatus.VIOLATED, ResultStatus.UNKNOWN
NOT_APPLICABLE = ResultStatus.NOT_APPLICABLE
ONE = VerifiedRequirement("pages escape", "", "output encoding", 1, RequirementStatus.MET, "no open finding")
TWO = replace(ONE, name="few rights", area="access control", level=2)
OFFICIAL = replace(ONE, name="1.2.4", list_name="ASVS 5.0.0", area="Encoding")
ALL_MET = (MET, "1 of 1 requirements of level 1 are met; 0 do not apply.")


def evaluate(
    *states: VerifiedRequirement, personal: bool = False, lists: tuple[str, ...] = (), **parameters: Any
) -> list[tuple[str, str]]:
    facts = values(product_requirements=Known(ProductRequirements(personal, lists, states)))
    case = Case(facts, CONTROL.parameters(**parameters), NOW, {})
    return [(reason.status, format_sentences(CONTROL.codes, reason)[0]) for reason in CONTROL.evaluate(case)]


def test_requirements_up_to_the_level_are_met() -> None:
    unmet = replace(TWO, status=RequirementStatus.VIOLATED)
    assert evaluate(ONE, unmet) == [ALL_MET]


def test_personal_data_raises_the_level() -> None:
    assert evaluate(ONE, TWO, personal=True) == [(MET, "2 of 2 requirements of level 2 are met; 0 do not apply.")]
    assert evaluate(ONE, TWO, personal=True, level=3) == [
        (MET, "2 of 2 requirements of level 3 are met; 0 do not apply.")
    ]
    assert evaluate(ONE, TWO, personal=True, personal_data_level=1) == [ALL_MET]


def test_each_unmet_requirement_is_named() -> None:
    unmet = replace(ONE, status=RequirementStatus.VIOLATED, because="open findings of cross-site-scripting")
    assert evaluate(unmet) == [
        (VIOLATED, "The requirement pages escape is not met: open findings of cross-site-scripting.")
    ]


def test_requirements_that_nobody_verified_are_named_by_area() -> None:
    unknown = replace(ONE, status=RequirementStatus.UNKNOWN)
    other = replace(unknown, name="commands are lists")
    assert evaluate(unknown, other, ONE) == [
        (UNKNOWN, "Not verified in output encoding: pages escape, commands are lists.")
    ]


@pytest.mark.parametrize("status", [RequirementStatus.MET, RequirementStatus.NOT_APPLICABLE])
def test_a_statement_counts_through_its_last_day(status: RequirementStatus) -> None:
    stated = replace(ONE, status=status, until="2026-11-24")
    assert [found for found, _ in evaluate(stated, TWO, level=2)] == [MET]
    ended = "Statements have ended in output encoding: pages escape."
    assert evaluate(replace(stated, until="2026-11-23")) == [(UNKNOWN, ended)]


def test_what_does_not_apply_is_counted() -> None:
    excluded = replace(TWO, level=1, status=RequirementStatus.NOT_APPLICABLE)
    assert evaluate(ONE, excluded) == [(MET, "1 of 2 requirements of level 1 are met; 1 do not apply.")]
    assert evaluate(excluded) == [(NOT_APPLICABLE, "None of the 1 requirements of level 1 applies to the product.")]


def test_an_official_list_counts_where_the_policy_names_it() -> None:
    unmet = replace(OFFICIAL, status=RequirementStatus.VIOLATED)
    lists = ("ASVS 5.0.0",)
    assert evaluate(ONE, unmet) == [ALL_MET]
    assert [status for status, _ in evaluate(ONE, unmet, lists=lists)] == [MET]
    facts = values(product_requirements=Known(ProductRequirements(False, lists, (ONE, unmet))))
    case = Case(facts, CONTROL.parameters(lists=lists), NOW, {})
    assert [reason.status for reason in CONTROL.evaluate(case)] == [VIOLATED]


def test_a_list_that_was_not_imported_is_unknown() -> None:
    facts = values(product_requirements=Known(ProductRequirements(False, (), (ONE,))))
    case = Case(facts, CONTROL.parameters(lists=("ASVS 5.0.0",)), NOW, {})
    assert [reason.code for reason in CONTROL.evaluate(case)] == ["list-missing", "all-met"]


def test_an_empty_checklist_is_unknown() -> None:
    assert evaluate(TWO) == [(UNKNOWN, "No requirement of level 1 is listed.")]
