"""Phases of development, and the one in which each control acts."""

from collections.abc import Iterable
from enum import StrEnum

from muniment.decision.catalogue import CONTROLS


class DevelopmentPhase(StrEnum):
    """Phase of development, in the order of the work."""

    DESIGN = "design"
    CODE = "code"
    BUILD = "build"
    DEPLOY = "deploy"
    RUN = "run"
    IMPROVE = "improve"


_PHASES: dict[DevelopmentPhase, tuple[str, ...]] = {
    DevelopmentPhase.DESIGN: (
        *("least-privilege", "privilege-separation", "complete-mediation", "multiple-security-layers"),
        *("secure-failure", "user-friendly-security", "design-review", "requirements-met"),
    ),
    DevelopmentPhase.CODE: (
        *("independent-review", "small-changes", "security-attention", "protected-history", "no-new-findings"),
        *("no-new-vulnerable-dependency", "cool-down"),
        "secrets-in-vault",
    ),
    DevelopmentPhase.BUILD: (
        *("tests-passed", "pipeline-required", "pipeline-hardened", "pinned", "frameworks-supported"),
        "no-known-vulnerabilities",
    ),
    DevelopmentPhase.DEPLOY: (
        *("deployment-permitted", "approved-for-deployment", "automated-deployment", "automatic-secret-retrieval"),
        "secrets-hidden-from-developers",
    ),
    DevelopmentPhase.RUN: ("secret-rotation", "no-overdue-findings", "updates-automated"),
    DevelopmentPhase.IMPROVE: ("security-review-scheduled", "security-review-held", "security-retro-held"),
}
_BY_CONTROL = {control: phase for phase, controls in _PHASES.items() for control in controls}


def find_control_phase(control: str) -> DevelopmentPhase | None:
    """Find the phase of a clause by the name of its control, None for a clause without a control."""
    return _BY_CONTROL.get(control)


def list_unevaluated_phases(controls: Iterable[str]) -> tuple[DevelopmentPhase, ...]:
    """List the phases in which no clause with one of these controls is evaluated by this version."""
    evaluated = {find_control_phase(control) for control in controls if control in CONTROLS}
    return tuple(phase for phase in DevelopmentPhase if phase not in evaluated)
