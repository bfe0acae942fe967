"""Where a commit stands in a product: which repository and protected branch hold it, and what was decided of it."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime

from django.db.models import Q
from django.utils.translation import gettext as _
from msgspec import Struct

from muniment.errors import GitError, MunimentError, RefusedError, UsageError
from muniment.facts.maybe import Known, Maybe, Unknown
from muniment.facts.pipeline import CommitDecision
from muniment.server.changes.models import Decision
from muniment.server.changes.scene import Scene, scene
from muniment.server.connections.models import BranchUpdate
from muniment.server.incidents.closings import find_unrecorded_closings
from muniment.server.incidents.kinds import REVIEWED
from muniment.server.products.models import Product
from muniment.server.records import row_checks
from muniment.server.work import OtherWorker

_NOBODY = "no decision on it that binds was recorded: put the gate on its server, or connect the forge"
# A decision that nobody recorded then, or that was a preview, binds nobody.
_BINDS = Q(hook_record__isnull=False) | Q(record__kind="decision")


class Standing(Struct, frozen=True):
    """A commit in a repository that is open. `holds`: whether `target` does, Unknown if that could not be read."""

    scene: Scene
    target: str
    commit: str
    holds: Maybe[bool]


@contextmanager
def standing(product: Product, commit: str, ref: str = "") -> Iterator[Standing]:
    """The commit in the repository of the product that has it on a protected branch, `ref` before others; else in the
    first that can be read. Raises MunimentError if none can, OtherWorker if another worker may find it.
    """
    problem: MunimentError = RefusedError(
        "no-repository", _("The product has no repository."), _("Add the one that this is built from.")
    )
    with ExitStack() as stack:
        best: Standing | None = None
        elsewhere: OtherWorker | None = None
        for repository in product.repositories.select_related("product"):
            try:
                found = stack.enter_context(scene(repository))
            except OtherWorker as other:
                elsewhere = other
                continue
            except MunimentError as error:
                problem = error
                continue
            here = _stands(found, commit, ref)
            if here.holds == Known(True):
                best = here
                break
            best = best or here
        if elsewhere is not None and (best is None or best.holds != Known(True)):
            raise elsewhere
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
        values = (found.git.resolve(commit), f"^{found.branches[branch]}")
        beyond = found.git.run("rev-list", "--max-count=1", values=values)
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
    rows = BranchUpdate.objects.filter(repository=here.scene.repository, ref=here.target, commit=here.commit)
    row = (
        rows.exclude(outcome=BranchUpdate.Outcome.BASELINE)
        .select_related("record__place", "incident")
        .order_by("-seen_at", "-id")
        .first()
    )
    if row is None:
        return None
    reviewed = row.incident is not None and row.incident.resolution == REVIEWED
    reviewed = reviewed and row.incident_id not in find_unrecorded_closings()
    return _told(here, Known(row.outcome == BranchUpdate.Outcome.ALLOWED or reviewed), row.record.position), row.seen_at


def _judged(here: Standing) -> tuple[CommitDecision, datetime | None] | None:
    """What was decided of exactly this commit, by a gate or of a change at a forge.

    Raises RowsDifferError for the log of a gate that no act named: whoever can write its row has its key.
    """
    about = Decision.objects.filter(_BINDS, change__repository=here.scene.repository, change__target=here.target)
    row = (
        about.filter(head=here.commit)
        .select_related("record__place", "hook_record__log")
        .order_by("-decided_at", "-id")
        .first()
    )
    if row is None:
        return None
    if row.hook_record is not None:
        row_checks.require_recorded(row.hook_record.log)
    place = (
        row.hook_record.position
        if row.hook_record is not None
        else row.record.position
        if row.record is not None
        else None
    )
    return _told(here, Known(row.allowed), place), row.decided_at


def _told(here: Standing, allowed: Maybe[bool], place: int | None) -> CommitDecision:
    return CommitDecision(here.commit, here.target, allowed, -1 if place is None else place, here.holds)
