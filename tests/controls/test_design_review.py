"""Control of the design review: what alters the design needs the security role, on this very revision."""

from typing import Any

import pytest

from muniment.controls.control import Case, NoParameters, ResultStatus
from muniment.controls.design_review import CONTROL
from muniment.decision.decision import format_sentences
from muniment.facts.design_facts import DesignChange, DesignEvaluation, DesignProblem
from muniment.facts.maybe import Known, Unknown
from muniment.facts.people import People
from tests.support.changes import NOW, approval, person, values

MET, VIOLATED, UNKNOWN = ResultStatus.MET, ResultStatus.VIOLATED, ResultStatus.UNKNOWN
LOST = DesignProblem(
    "lost-route-guard", "violated", "GET /orders loses the guard admin: it lets people through.", "Put it back."
)
BY_SUE = approval("sue")


def evaluate(change: DesignChange | None, is_present: bool = True, **more: Any) -> list[tuple[str, str]]:
    design = more.pop("design", Known(DesignEvaluation(is_present, change=change)))
    case = Case(values(design=design, **more), NoParameters(), NOW, {})
    return [(reason.status, format_sentences(CONTROL.codes, reason)[0]) for reason in CONTROL.evaluate(case)]


def test_a_change_that_leaves_the_design_alone_needs_no_review() -> None:
    assert evaluate(DesignChange(), approvals=Unknown("none was read")) == [
        (ResultStatus.NOT_APPLICABLE, "The change does not alter the design.")
    ]
    [(status, _)] = evaluate(DesignChange(), is_present=False)
    assert status == ResultStatus.NOT_APPLICABLE


def test_an_altered_design_needs_the_security_role() -> None:
    change = DesignChange(added=("component mailer",), removed=("guard login",))
    [(status, message)] = evaluate(change, approvals=Known((approval("bob"),)))
    assert status == VIOLATED
    assert "adds component mailer, removes guard login" in message
    assert [status for status, _ in evaluate(change, approvals=Known((BY_SUE,)))] == [MET]


def test_a_weaker_protection_is_a_finding_on_the_change_until_security_approved_it() -> None:
    change = DesignChange(weaker=(LOST,))
    [(status, message)] = evaluate(change, approvals=Known(()))
    assert status == VIOLATED
    assert message.startswith(LOST.message)
    [(status, message)] = evaluate(change, approvals=Known((BY_SUE,)))
    assert status == MET
    assert message.startswith(LOST.message)


def test_many_entries_are_counted() -> None:
    change = DesignChange(added=tuple(f"component c{number}" for number in range(10)))
    [(_, message)] = evaluate(change, approvals=Known((BY_SUE,)))
    assert message.endswith("adds component c7, 2 more entries.")


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ({"design": Known(DesignEvaluation(True, "it is no TOML."))}, "The design cannot be read: it is no TOML."),
        (
            {"approvals": Unknown("the forge is down")},
            "Required information is missing (approvals): the forge is down.",
        ),
        (
            {"people": Known(People((person("sue", roles=("security",)),), ()))},
            "The change alters the design, and who contributed to it is not known.",
        ),
    ],
)
def test_what_cannot_be_read_is_unknown(more: dict[str, Any], sentence: str) -> None:
    assert evaluate(DesignChange(added=("actor guest",)), **more) == [(UNKNOWN, sentence)]


def test_a_design_that_was_not_compared_is_unknown() -> None:
    assert evaluate(None) == [(UNKNOWN, "The design was not compared with its base.")]
