"""States of deployments on pages: a status, and a word."""

from typing import NamedTuple

from django.utils.translation import gettext_lazy as _

from muniment.server.acts.inputs import Label
from muniment.server.deployments.models import DeploymentState


class StateOnPage(NamedTuple):
    """Look of a state: the code of a status, and the words for it."""

    status: str
    text: Label


_STATES = {
    DeploymentState.PENDING: StateOnPage("waiting", _("Being checked")),
    DeploymentState.ALLOWED: StateOnPage("running", _("Allowed, under way")),
    DeploymentState.DENIED: StateOnPage("failed", _("Denied")),
    DeploymentState.REVOKED: StateOnPage("failed", _("Permission revoked")),
    DeploymentState.WITHDRAWN: StateOnPage("ended", _("Withdrawn by the pipeline")),
    DeploymentState.SUCCEEDED: StateOnPage("done", _("Deployed")),
    DeploymentState.FAILED: StateOnPage("failed", _("Failed")),
    DeploymentState.ROLLED_BACK: StateOnPage("failed", _("Failed, rolled back")),
    DeploymentState.ROLLBACK_FAILED: StateOnPage("failed", _("Failed, roll-back failed too")),
    DeploymentState.CRASHED: StateOnPage("failed", _("Pipeline crashed")),
    DeploymentState.UNREPORTED: StateOnPage("unknown", _("Outcome not reported")),
}


def describe_state(state: str) -> StateOnPage:
    """Look of a state. Raises KeyError for an unknown one."""
    return _STATES[DeploymentState(state)]


def describe_run_state(state: str) -> StateOnPage:
    """Look of the state of a run without a deployment, whose outcome nobody reports."""
    return StateOnPage("done", _("Allowed")) if state == DeploymentState.ALLOWED else describe_state(state)
