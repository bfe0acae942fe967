"""Least privilege: nothing is granted that was not used, that no task needs, or that a wildcard gives."""

import datetime
from collections.abc import Iterator

from muniment.design.findings import (
    DesignFinding,
    DesignNote,
    Evidence,
    FindingCode,
    Principle,
    PrincipleResult,
    combine_findings,
)
from muniment.design.model import DesignModel
from muniment.design.privileges import HeldPrivileges


def check_least_privilege(model: DesignModel, today: datetime.date) -> PrincipleResult:
    """Compare what each role and actor holds with its use and its tasks. Grants and use older than the window: unknown.

    A role's tasks are its own and those of the roles and actors that have its rights.
    """
    privileges = HeldPrivileges(model)
    findings: list[DesignFinding] = []
    if not model.grants:
        findings.append(DesignFinding(FindingCode.NO_GRANTS, model.product))
    for grant in model.grants:
        findings += [DesignFinding(FindingCode.WILDCARD, grant.to, name) for name in grant.actions if "*" in name]
    needed = find_needed_actions(model, privileges)
    for holder in privileges.holders:
        granted = privileges.granted[holder]
        if granted:
            findings += _check_age(model, holder, today)
            findings += _check_use(model, holder, granted, today)
            extra = sorted(granted - needed[holder])
            findings += [DesignFinding(FindingCode.NO_TASK, holder, name) for name in extra]
    findings += _find_missing_grants(model, privileges)
    notes = tuple(DesignNote(holder, _describe_reach(privileges, holder)) for holder in privileges.holders)
    evidence = (Evidence.MODEL, Evidence.MEASURED) if model.uses else (Evidence.MODEL,)
    return combine_findings(
        Principle.LEAST_PRIVILEGE, evidence, tuple(dict.fromkeys(findings)), notes, examined=len(model.grants)
    )


def find_needed_actions(model: DesignModel, privileges: HeldPrivileges) -> dict[str, frozenset[str]]:
    """Actions that the tasks of each holder need, and the tasks of all who have its rights."""
    needed: dict[str, set[str]] = {holder: set() for holder in privileges.holders}
    for task in model.tasks:
        for holder in task.by:
            for source in privileges.find_chains(holder):
                needed[source].update(task.actions)
    return {holder: frozenset(actions) for holder, actions in needed.items()}


def _check_age(model: DesignModel, holder: str, today: datetime.date) -> Iterator[DesignFinding]:
    for grant in model.grants:
        if grant.to != holder:
            continue
        if grant.read_on is None:
            yield DesignFinding(FindingCode.OLD_GRANT, holder, "on an unknown day")
        elif not is_recent(grant.read_on, today, model.window_days):
            yield DesignFinding(FindingCode.OLD_GRANT, holder, f"on {grant.read_on.isoformat()}")


def _check_use(
    model: DesignModel, holder: str, granted: frozenset[str], today: datetime.date
) -> Iterator[DesignFinding]:
    uses = [use for use in model.uses if use.by == holder]
    recent = [use for use in uses if is_recent(use.read_on, today, model.window_days)]
    if not recent:
        newest = max((use.read_on for use in uses), default=None)
        why = f"it was last read on {newest.isoformat()}" if newest else "it was never read"
        yield DesignFinding(FindingCode.UNKNOWN_USE, holder, why)
        return
    used = {name for use in recent for name in use.actions}
    for name in sorted(granted - used):
        yield DesignFinding(FindingCode.UNUSED_GRANT, holder, name)


def is_recent(day: datetime.date, today: datetime.date, window_days: int) -> bool:
    """Whether a day lies in the window that ends today. A day in the future does not."""
    return 0 <= (today - day).days <= window_days


def _find_missing_grants(model: DesignModel, privileges: HeldPrivileges) -> Iterator[DesignFinding]:
    """Tasks whose actions their holders cannot do: the model contradicts itself, so its grants are incomplete."""
    for task in model.tasks:
        for holder in task.by:
            if not set(task.actions) <= set(privileges.find_holdings(holder)):
                yield DesignFinding(FindingCode.MISSING_GRANT, holder, task.id)


def _describe_reach(privileges: HeldPrivileges, holder: str) -> str:
    holdings = privileges.find_holdings(holder)
    resources = {privileges.actions[name].resource for name in holdings}
    return f"Reach: {len(holdings)} actions on {len(resources)} resources."
