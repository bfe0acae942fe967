"""Executes acts, by the executor that the app `requests` registers: it knows how an act waits for a second person.

Apps below it call this; without an executor, as in the sequencer's process, no act is executed.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

from muniment.access.authorization import Actor
from muniment.server.acts.act import Act
from muniment.server.acts.system_actors import SystemActor


class ActOutcome(NamedTuple):
    """Outcome of an act: what its execution returned, or the number of the request that waits for a second person and
    a sentence that says so.
    """

    result: object = None
    request: int | None = None
    waits_for: str = ""


class ActExecutor(Protocol):
    """Executor of acts, at once or once a second person approves."""

    def execute_for_person(self, actor: Actor, act: Act, secret: object) -> ActOutcome:
        """Carry out an act of a person, or have it wait. Raises PermissionDenied, RefusedError."""
        ...

    def execute_for_system(self, system: SystemActor, cls: type[Act], values: Mapping[str, object]) -> Any:
        """Carry out an act that no person does; what it returned. Raises PermissionDenied, RefusedError."""
        ...


_executors: list[ActExecutor] = []  # one at most


def register_executor(executor: ActExecutor) -> None:
    """Have every act executed by this executor."""
    _executors[:] = [executor]


def execute_act(actor: Actor, act: Act, *, secret: object = None) -> ActOutcome:
    """Carry the act out now, or have it wait for a second person. In the caller's transaction.

    Raises PermissionDenied unless authorize() permits it, RefusedError if the present state does not. `secret` is a
    value that accompanies the act to its execution, and is stored nowhere.
    """
    return _find_executor().execute_for_person(actor, act, secret)


def execute_system_act(system: SystemActor, cls: type[Act], values: Mapping[str, object]) -> Any:
    """Read, check, record and carry out an act that no person does; what its execution returned.

    Raises PermissionDenied unless the act is one of this actor, ActInputError for values that no act has, RefusedError
    if the present state does not permit it.
    """
    return _find_executor().execute_for_system(system, cls, values)


def _find_executor() -> ActExecutor:
    """The registered executor. Raises LookupError in a process that has none."""
    if not _executors:
        raise LookupError("this process has no app that executes acts")
    return _executors[0]
