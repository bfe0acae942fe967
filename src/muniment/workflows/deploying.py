"""A deployment: permission first, then the act, then the record of what state was left, whatever that is.

Nothing is started unless the service has recorded what is intended and allows it. What fails is undone, if somebody
said how, and it is never called a success.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from enum import StrEnum

from msgspec import Struct

from muniment.errors import RunError
from muniment.pipelines.service import Outcome
from muniment.vault.running import Ended


class State(StrEnum):
    """What state was left, in the service's words."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    ROLLED_BACK = "rolled-back"
    ROLLBACK_FAILED = "rollback-failed"
    CRASHED = "crashed"


class Act(Struct, frozen=True):
    """The command, run once, and what undoes it, None if nobody said how."""

    run: Callable[[], Ended]
    undo: Callable[[], Ended] | None


class Left(Struct, frozen=True):
    """What came of it: `ended` is how the command ended, `undone` how what undoes it did, if it ran."""

    state: State
    ended: Ended
    undone: Ended | None = None

    @property
    def outcome(self) -> Outcome:
        """As the service is told."""
        return Outcome(self.state.value, self.ended.code)


def deploy(ready: AbstractContextManager[Act], not_started: Callable[[Outcome], None]) -> Left:
    """Run what is allowed. Raises RunError if it could not be started, after `not_started` was told so."""
    try:
        with ready as act:
            ended = act.run()
            if ended.code == 0:
                return Left(State.SUCCEEDED, ended)
            if act.undo is None:
                return Left(State.CRASHED if ended.signal else State.FAILED, ended)
            return _undone(ended, act.undo)
    except RunError as error:
        not_started(Outcome(State.FAILED.value, error.exit_code))
        raise


def _undone(ended: Ended, undo: Callable[[], Ended]) -> Left:
    try:
        undone = undo()
    except RunError:  # it could not even be started
        return Left(State.ROLLBACK_FAILED, ended)
    return Left(State.ROLLBACK_FAILED if undone.code else State.ROLLED_BACK, ended, undone)
