"""Phases: each control has one, and a phase without an evaluated clause is named."""

from muniment.decision.catalogue import CONTROLS, PLANNED
from muniment.decision.phases import DevelopmentPhase, find_control_phase, list_unevaluated_phases


def test_each_control_has_a_phase() -> None:
    names = (*CONTROLS, *PLANNED)
    assert [name for name in names if find_control_phase(name) is None] == []


def test_a_clause_without_control_has_none() -> None:
    assert find_control_phase("") is None


def test_a_phase_without_an_evaluated_clause_is_named() -> None:
    assert list_unevaluated_phases(()) == tuple(DevelopmentPhase)
    assert list_unevaluated_phases(CONTROLS) == ()
    assert list_unevaluated_phases(["tests-passed", "", *PLANNED]) == tuple(
        phase for phase in DevelopmentPhase if phase is not DevelopmentPhase.BUILD
    )
