"""Deployment: permission first, then the command, then the record of the resulting state, whatever it is.

Nothing is started unless the service has recorded the request and allows it. A failed deployment is undone if a command
for it was given, and it is never called a success.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from enum import StrEnum

from msgspec import Struct

from muniment.errors import MunimentError, RunError
from muniment.pipelines.service_client import ReportedOutcome
from muniment.vault.masked_command import CommandEnd

_INTERRUPTED = 130  # as a shell reports what SIGINT ended


class EndState(StrEnum):
    """Resulting state of a deployment, in the service's words."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    ROLLED_BACK = "rolled-back"
    ROLLBACK_FAILED = "rollback-failed"
    CRASHED = "crashed"


class DeploymentCommands(Struct, frozen=True):
    """Command of the deployment, run once, and the one that undoes it, None if none was given."""

    run: Callable[[], CommandEnd]
    undo: Callable[[], CommandEnd] | None


class DeploymentResult(Struct, frozen=True):
    """Result of a deployment: `ended` is how the command ended, `undone` how the undoing one did, if it ran."""

    state: EndState
    ended: CommandEnd
    undone: CommandEnd | None = None

    @property
    def outcome(self) -> ReportedOutcome:
        """Outcome in the form that the service takes."""
        return ReportedOutcome(self.state.value, self.ended.code)


def run_deployment(
    ready: AbstractContextManager[DeploymentCommands], not_started: Callable[[ReportedOutcome], None]
) -> DeploymentResult:
    """Run an allowed deployment. Raises MunimentError, or KeyboardInterrupt, if it could not be started, after
    `not_started` was called.
    """
    try:
        with ready as act:
            ended = act.run()
            if ended.code == 0:
                return DeploymentResult(EndState.SUCCEEDED, ended)
            if act.undo is None:
                return DeploymentResult(EndState.CRASHED if ended.signal else EndState.FAILED, ended)
            return _undo_deployment(ended, act.undo)
    except (MunimentError, KeyboardInterrupt) as error:
        code = error.exit_code if isinstance(error, MunimentError) else _INTERRUPTED
        not_started(ReportedOutcome(EndState.FAILED.value, code))
        raise


def _undo_deployment(ended: CommandEnd, undo: Callable[[], CommandEnd]) -> DeploymentResult:
    try:
        undone = undo()
    except RunError:  # it could not even be started
        return DeploymentResult(EndState.ROLLBACK_FAILED, ended)
    return DeploymentResult(EndState.ROLLBACK_FAILED if undone.code else EndState.ROLLED_BACK, ended, undone)
