"""Contents of a deployment's page: the conditions of its decision, its phases, and its course."""

from datetime import datetime
from typing import NamedTuple

from django.utils.translation import gettext_lazy as _

from muniment.decision.report import DecisionReport, ResultReport
from muniment.server.acts.inputs import Label
from muniment.server.deployments.deployment_states import describe_state
from muniment.server.deployments.models import (
    BROKEN,
    Deployment,
    DeploymentPermission,
    DeploymentReport,
    DeploymentState,
)

_DENYING = (DeploymentState.DENIED, DeploymentState.REVOKED, DeploymentState.WITHDRAWN)
_PHASES = (_("Requested"), _("Decided"), _("Deploying"), _("Outcome"))


class Conditions(NamedTuple):
    """Results of a decision that apply: those that deny the deployment first."""

    missing: tuple[ResultReport, ...]
    others: tuple[ResultReport, ...]

    @property
    def total(self) -> int:
        """Number of results that apply."""
        return len(self.missing) + len(self.others)

    @property
    def met(self) -> int:
        """Number of results that deny nothing."""
        return len(self.others)


class Phase(NamedTuple):
    """Phase of a deployment, for the bar of phases."""

    text: Label
    is_done: bool
    is_current: bool


class CourseEvent(NamedTuple):
    """Event in the course of a deployment: the class and the icon of its pin, its words, and its moment."""

    style: str
    icon: str
    text: Label
    moment: datetime


def sort_conditions(report: DecisionReport) -> Conditions:
    """Conditions of a decision, without those that do not apply."""
    applying = [one for one in report.results if one.status != "not_applicable"]
    missing = tuple(one for one in applying if _is_denying(one))
    return Conditions(missing, tuple(one for one in applying if not _is_denying(one)))


def _is_denying(result: ResultReport) -> bool:
    return result.status in ("violated", "unknown") and result.enforced and not result.exception


def list_phases(deployment: Deployment) -> list[Phase]:
    """Phases of a deployment until now; a denied one has no more than its decision."""
    state = DeploymentState(deployment.state)
    if state in _DENYING:
        return [Phase(text, is_done=True, is_current=False) for text in _PHASES[:2]]
    reached = {DeploymentState.PENDING: 1, DeploymentState.ALLOWED: 2}.get(state, len(_PHASES))
    return [Phase(text, number < reached, number == reached) for number, text in enumerate(_PHASES)]


def list_course(
    deployment: Deployment, permission: DeploymentPermission | None, report: DeploymentReport | None
) -> list[CourseEvent]:
    """Events of a deployment, the newest first."""
    found = [CourseEvent("accent", "send", _("Requested by the pipeline"), deployment.requested_at)]
    if permission is not None and permission.state != DeploymentState.PENDING:
        if permission.state == DeploymentState.DENIED:
            found.append(CourseEvent("failing", "x", _("Denied"), permission.decided_at))
        else:
            found.append(CourseEvent("passing", "shield-check", _("Allowed"), permission.decided_at))
            found += _list_ends(permission, report)
    return sorted(found, key=lambda one: one.moment, reverse=True)


def _list_ends(permission: DeploymentPermission, report: DeploymentReport | None) -> list[CourseEvent]:
    state = DeploymentState(permission.state)
    if report is not None:
        state = DeploymentState(report.state)
    moment = report.reported_at if report is not None else permission.ended_at
    if moment is None or state == DeploymentState.ALLOWED:
        return []
    bad = state in (*BROKEN, *_DENYING)
    return [CourseEvent("failing" if bad else "passing", "x" if bad else "check", describe_state(state).text, moment)]
