"""User-friendly security: friction stays within its budgets, as measured."""

import datetime
from collections.abc import Iterator

from muniment.design.findings import DesignFinding, Evidence, FindingCode, Principle, PrincipleResult, combine_findings
from muniment.design.least_privilege import is_recent
from muniment.design.model import Budget, DesignModel, Measure


def check_friction(model: DesignModel, today: datetime.date) -> PrincipleResult:
    """Compare each measurement with its budget. A budget without a recent measurement is unknown.

    Prompts of a task are also compared as the design states them.
    """
    budgets = {budget.measure: budget for budget in model.budgets}
    findings: list[DesignFinding] = []
    for measure in Measure:
        budget = budgets.get(measure)
        if budget is None:
            findings.append(DesignFinding(FindingCode.NO_BUDGET, measure.value))
        else:
            findings += _compare_measure(model, budget, today)
    return combine_findings(
        Principle.USER_FRIENDLY, (Evidence.MEASURED, Evidence.STATED), tuple(findings), examined=len(budgets)
    )


def _compare_measure(model: DesignModel, budget: Budget, today: datetime.date) -> Iterator[DesignFinding]:
    measured = [each for each in model.measurements if each.measure is budget.measure]
    recent = [each for each in measured if is_recent(each.read_on, today, model.window_days)]
    for each in recent:
        if each.value > budget.most:
            control = f"{each.control}: " if each.control else ""
            detail = f"{control}{each.value}, and {budget.most} are allowed"
            yield DesignFinding(FindingCode.OVER_BUDGET, budget.measure.value, detail)
    if budget.measure is Measure.PROMPTS:
        yield from _compare_tasks(model, budget, has_measurement=bool(recent))
    elif not recent:
        why = "the newest measurement is older than the window" if measured else "there is no measurement"
        yield DesignFinding(FindingCode.NOT_MEASURED, budget.measure.value, why)


def _compare_tasks(model: DesignModel, budget: Budget, *, has_measurement: bool) -> Iterator[DesignFinding]:
    for task in model.tasks:
        if task.prompts is not None and task.prompts > budget.most:
            detail = f"task {task.id} asks {task.prompts} times, and {budget.most} are allowed"
            yield DesignFinding(FindingCode.OVER_BUDGET, budget.measure.value, detail)
        if task.prompts is None and not has_measurement:
            yield DesignFinding(FindingCode.NOT_MEASURED, budget.measure.value, f"task {task.id} states no prompts")
    if not model.tasks and not has_measurement:
        yield DesignFinding(FindingCode.NOT_MEASURED, budget.measure.value, "the design names no tasks")
