"""Parts that the controls of the six principles of secure design share."""

from collections.abc import Iterator
from functools import partial

from muniment.controls.control import (
    Case,
    Control,
    NoParameters,
    Reason,
    ReasonCodes,
    Scope,
    met,
    not_applicable,
    unknown,
    violated,
)
from muniment.facts import kinds
from muniment.facts.design_facts import DesignProblem, PrincipleState

NO_DESIGN = "The product has no design model: no repository of it has a file design.toml."
DRAFT_DESIGN = "Draft one: muniment design init --owner security@example.org"


class Reasons(ReasonCodes):
    """Reasons of the six controls. `basis` says how the result is known, `path` how an attacker gets there."""

    NO_PROBLEM = met("No problem found in {examined} parts of the design. Basis: {basis}.")
    EARLIER_PROBLEMS = met("The change brings none of the {count} problems of the design. Basis: {basis}.")
    REMOVED = not_applicable("The change removes the branch.")
    VIOLATED = violated("{message} Basis: {basis}.", "{remedy}")
    VIOLATED_BY_PATH = violated("{message} Path: {path}. Basis: {basis}.", "{remedy}")
    UNCLEAR = unknown("{message} Basis: {basis}.", "{remedy}")
    UNCLEAR_PATH = unknown("{message} Path: {path}. Basis: {basis}.", "{remedy}")
    MORE_PROBLEMS = unknown("{count} more problems are not listed here.", "To see all: muniment design check")
    NOT_EXAMINED = unknown(
        "The design names nothing that this principle is about. Basis: {basis}.",
        "Complete design.toml. To see what is missing: muniment design check",
    )
    NO_DESIGN = unknown(NO_DESIGN, DRAFT_DESIGN)
    DESIGN_UNREADABLE = unknown("The design cannot be read: {why}.", "Correct it, then run: muniment design check")
    NOT_EVALUATED = unknown("The design has no result for this principle.", "Run: muniment design check")


def make_principle_control(name: str, version: int, summary: str) -> Control:
    """Make the control of a principle. A change is answerable for the problems that it brings, a product for all."""
    return Control(
        name=name,
        version=version,
        summary=summary,
        scope=Scope.PRODUCT,
        needs=(kinds.DESIGN,),
        parameters=NoParameters,
        codes=Reasons,
        evaluate=partial(_evaluate_principle, principle=name),
    )


def _evaluate_principle(case: Case, principle: str) -> tuple[Reason, ...]:
    design = case.get_fact(kinds.DESIGN)
    subject = f"design:{principle}"
    if design.is_removed:
        return (Reasons.REMOVED(subject),)
    if design.problem:
        return (Reasons.DESIGN_UNREADABLE(subject, why=design.problem.rstrip(".")),)
    if not design.is_present:
        return (Reasons.NO_DESIGN(subject),)
    states = [state for state in design.states if state.principle == principle]
    found = [reason for state in states for reason in _explain_state(state, subject)]
    return tuple(found) or (Reasons.NOT_EVALUATED(subject),)


def _explain_state(state: PrincipleState, subject: str) -> Iterator[Reason]:
    """Give each problem, or else why there is none."""
    for problem in state.problems:
        yield _explain_problem(problem, state.basis, subject)
    if state.count > len(state.problems):
        yield Reasons.MORE_PROBLEMS(subject, count=state.count - len(state.problems))
    if state.count:
        return
    if state.earlier:
        yield Reasons.EARLIER_PROBLEMS(subject, count=state.earlier, basis=state.basis)
    elif state.examined:
        yield Reasons.NO_PROBLEM(subject, examined=state.examined, basis=state.basis)
    else:
        yield Reasons.NOT_EXAMINED(subject, basis=state.basis)


def _explain_problem(problem: DesignProblem, basis: str, subject: str) -> Reason:
    details = {"message": problem.message, "remedy": problem.remedy, "basis": basis}
    is_violated = problem.status == "violated"  # all else counts as unknown
    if problem.path:
        code = Reasons.VIOLATED_BY_PATH if is_violated else Reasons.UNCLEAR_PATH
        return code(subject, path=" → ".join(problem.path), **details)
    return (Reasons.VIOLATED if is_violated else Reasons.UNCLEAR)(subject, **details)
