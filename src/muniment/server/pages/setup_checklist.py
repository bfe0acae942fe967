"""Checklist of an installation that is not set up yet: each step checks itself, by the facts that are there."""

from msgspec import Struct

from muniment.access.authorization import AccessResult, Actor, Resource, authorize, authorize_anywhere
from muniment.access.roles import EVERYWHERE
from muniment.server.people.bootstrap import SETTING_UP
from muniment.server.registration import SetupProgress, SetupStep, read_contributions

_MOST = 1_000  # people whose finished checklists a process remembers
_finished: set[str] = set()


class ChecklistStep(Struct, frozen=True):
    """Step with its progress. `is_next` marks the first that is not done, `is_open` what the actor can do."""

    number: int
    step: SetupStep
    progress: SetupProgress
    is_next: bool
    is_open: bool


class Checklist(Struct, frozen=True):
    """Steps of the set-up, in their order."""

    steps: tuple[ChecklistStep, ...]

    @property
    def done(self) -> int:
        """Number of steps that are done."""
        return sum(one.progress.done for one in self.steps)

    @property
    def minutes_left(self) -> int:
        """About how long the other steps take."""
        return sum(one.step.minutes for one in self.steps if not one.progress.done)

    @property
    def is_complete(self) -> bool:
        """Whether every step is done."""
        return self.done == len(self.steps)


def sets_up(actor: Actor) -> bool:
    """Whether the actor has a role of those who set an installation up."""
    return any(grant.role in SETTING_UP and grant.product == EVERYWHERE for grant in actor.grants)


def read_checklist(actor: Actor) -> Checklist | None:
    """Checklist for an actor who sets the installation up; None for others, and once every step was done.

    A process remembers who had done all: later views ask nothing, and a step that is undone later brings no checklist
    back before the next start. Other pages then show missing people and backups.
    """
    if not sets_up(actor) or actor.person in _finished:
        return None
    found = make_checklist(actor)
    if not found.is_complete:
        return found
    if len(_finished) < _MOST:
        _finished.add(actor.person)
    return None


def make_checklist(actor: Actor) -> Checklist:
    """Checklist with the progress of each step now."""
    steps = sorted((step for app in read_contributions() for step in app.setup), key=lambda step: step.position)
    progress = [step.read(actor) for step in steps]
    first = next((number for number, one in enumerate(progress) if not one.done), None)
    return Checklist(
        tuple(
            ChecklistStep(
                number + 1,
                step,
                one,
                number == first,
                _could_do(actor, step),
            )
            for number, (step, one) in enumerate(zip(steps, progress, strict=True))
        )
    )


def _could_do(actor: Actor, step: SetupStep) -> bool:
    """Whether the actor may open the page of a step, or could with a second factor."""
    own = authorize(actor, step.action, Resource(owner=actor.person))
    return AccessResult.YES in (own, authorize_anywhere(actor, step.action)) or own is AccessResult.NO_SECOND_FACTOR


def forget_finished() -> None:
    """Check every step again at the next view."""
    _finished.clear()
