"""Where a commit stands in a product: which repository and protected branch hold it, and what was decided of it."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime

from django.db.models import Q
from msgspec import Struct

from muniment.errors import GitError, MunimentError, UsageError
from muniment.facts.maybe import Known, Maybe, Unknown
from muniment.facts.pipeline import CommitDecision
from muniment.server.changes.models import Decision
from muniment.server.changes.scene import Scene, scene
from muniment.server.connections.models import Arrival
from muniment.server.incidents.kinds import REVIEWED
from muniment.server.products.models import Product

_NOBODY = "no decision on it that binds was recorded: put the gate on its server, or connect the forge"
_BINDS = Q(gate__isnull=False) | Q(entry__kind="decision")  # what nobody recorded then, or was a preview, binds nobody


class Standing(Struct, frozen=True):
    """A commit in a repository that is open. `holds`: whether `target` does, Unknown if that could not be read."""

    scene: Scene
    target: str
    commit: str
    holds: Maybe[bool]


@contextmanager
def standing(product: Product, commit: str, ref: str = "") -> Iterator[Standing]:
    """The commit in the repository of the product that has it on a protected branch, `ref` before others; else in the
    first that can be read. Raises MunimentError if none can.
    """
    problem: MunimentError = UsageError("the product has no repository", "Add the one that this is built from.")
    with ExitStack() as stack:
        best: Standing | None = None
        for repository in product.repositories.select_related("product"):
            try:
                found = stack.enter_context(scene(repository))
            except MunimentError as error:
                problem = error
                continue
            here = _stands(found, commit, ref)
            if here.holds == Known(True):
                best = here
                break
            best = best or here
        if best is None:
            raise problem
        yield best


def _stands(found: Scene, commit: str, ref: str) -> Standing:
    order = sorted(found.branches, key=lambda branch: (branch != ref, branch != found.main, branch))
    held = [_holds(found, branch, commit) for branch in order]
    for branch, holds in zip(order, held, strict=True):
        if holds == Known(True):
            return Standing(found, branch, commit, holds)
    return Standing(found, order[0], commit, next((one for one in held if isinstance(one, Unknown)), held[0]))


def _holds(found: Scene, branch: str, commit: str) -> Maybe[bool]:
    """Whether a branch reaches a commit."""
    try:
        found.git.resolve(commit)
        beyond = found.git.run("rev-list", "--max-count=1", commit, f"^{found.branches[branch]}")
    except UsageError:
        return Known(False)
    except GitError as error:
        return Unknown(error.message)
    return Known(not beyond.strip())


def decision_of(here: Standing) -> tuple[CommitDecision, datetime | None]:
    """What was decided of it when it came onto its branch, and when. What binds nobody was no decision."""
    return _arrived(here) or _judged(here) or (_told(here, Unknown(_NOBODY), None), None)


def _arrived(here: Standing) -> tuple[CommitDecision, datetime | None] | None:
    """What was found out when its branch took it at a forge. An escape counts once enough others reviewed it."""
    rows = Arrival.objects.filter(repository=here.scene.repository, ref=here.target, commit=here.commit)
    row = rows.exclude(how=Arrival.How.BEGUN).select_related("entry", "incident").order_by("-at", "-id").first()
    if row is None:
        return None
    reviewed = row.incident is not None and row.incident.how == REVIEWED
    return _told(here, Known(row.how == Arrival.How.ALLOWED or reviewed), row.entry.place), row.at


def _judged(here: Standing) -> tuple[CommitDecision, datetime | None] | None:
    """What was decided of exactly this commit, by a gate or of a change at a forge."""
    about = Decision.objects.filter(_BINDS, change__repository=here.scene.repository, change__target=here.target)
    row = about.filter(head=here.commit).select_related("entry", "gate").order_by("-time", "-id").first()
    if row is None:
        return None
    place = row.gate.place if row.gate is not None else row.entry.place if row.entry is not None else None
    return _told(here, Known(row.allowed), place), row.time


def _told(here: Standing, allowed: Maybe[bool], place: int | None) -> CommitDecision:
    return CommitDecision(here.commit, here.target, allowed, -1 if place is None else place, here.holds)
