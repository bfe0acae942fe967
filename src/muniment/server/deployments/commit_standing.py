"""Finds the repository and protected branch of a product that contain a commit, and the decision on it."""

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
from muniment.server.changes.repository_context import RepositoryContext, open_repository_context
from muniment.server.connections.models import BranchUpdate
from muniment.server.incidents.closings import find_unrecorded_closings
from muniment.server.incidents.kinds import REVIEWED
from muniment.server.job_queue import OtherWorkerError
from muniment.server.products.models import Product
from muniment.server.records import row_checks

_NOBODY = "no enforced decision on it was recorded: install the server hook, or connect the forge"
# A decision that nobody recorded then, or that was a preview, binds nobody.
_BINDS = Q(hook_record__isnull=False) | Q(record__kind="decision")


class CommitStanding(Struct, frozen=True):
    """Commit in an open repository. `holds`: whether `target` contains it, Unknown if that could not be read."""

    context: RepositoryContext
    target: str
    commit: str
    holds: Maybe[bool]


@contextmanager
def open_commit_standing(product: Product, commit: str, ref: str = "") -> Iterator[CommitStanding]:
    """Open the repository of the product that has the commit on a protected branch, `ref` before others; else the
    first that can be read. Raises MunimentError if none can, OtherWorker if another worker may find it.
    """
    problem: MunimentError = RefusedError(
        "no-repository", _("The product has no repository."), _("Add the one that this is built from.")
    )
    with ExitStack() as stack:
        best: CommitStanding | None = None
        elsewhere: OtherWorkerError | None = None
        for repository in product.repositories.select_related("product"):
            try:
                found = stack.enter_context(open_repository_context(repository))
            except OtherWorkerError as other:
                elsewhere = other
                continue
            except MunimentError as error:
                problem = error
                continue
            here = _locate_commit(found, commit, ref)
            if here.holds == Known(True):
                best = here
                break
            best = best or here
        if elsewhere is not None and (best is None or best.holds != Known(True)):
            raise elsewhere
        if best is None:
            raise problem
        yield best


def _locate_commit(context: RepositoryContext, commit: str, ref: str) -> CommitStanding:
    order = sorted(context.branches, key=lambda branch: (branch != ref, branch != context.main_branch, branch))
    held = [_contains_commit(context, branch, commit) for branch in order]
    for branch, holds in zip(order, held, strict=True):
        if holds == Known(True):
            return CommitStanding(context, branch, commit, holds)
    return CommitStanding(context, order[0], commit, next((one for one in held if isinstance(one, Unknown)), held[0]))


def _contains_commit(context: RepositoryContext, branch: str, commit: str) -> Maybe[bool]:
    """Whether a branch contains a commit."""
    try:
        values = (context.git.resolve_commit(commit), f"^{context.branches[branch]}")
        beyond = context.git.run_git("rev-list", "--max-count=1", values=values)
    except UsageError:
        return Known(False)
    except GitError as error:
        return Unknown(error.message)
    return Known(not beyond.strip())


def find_commit_decision(located: CommitStanding) -> tuple[CommitDecision, datetime | None]:
    """Decision on the commit when its branch received it, and its moment. A decision that was not enforced does not
    count.
    """
    return (
        _find_update_decision(located)
        or _find_recorded_decision(located)
        or (_make_commit_decision(located, Unknown(_NOBODY), None), None)
    )


def _find_update_decision(located: CommitStanding) -> tuple[CommitDecision, datetime | None] | None:
    """Decision of the branch update at a forge. A bypass counts once enough others reviewed it."""
    rows = BranchUpdate.objects.filter(repository=located.context.repository, ref=located.target, commit=located.commit)
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
    return _make_commit_decision(
        located, Known(row.outcome == BranchUpdate.Outcome.ALLOWED or reviewed), row.record.position
    ), row.seen_at


def _find_recorded_decision(located: CommitStanding) -> tuple[CommitDecision, datetime | None] | None:
    """Decision on exactly this commit, of a server hook or on a change at a forge."""
    about = Decision.objects.filter(
        _BINDS, change__repository=located.context.repository, change__target=located.target
    )
    row = (
        about.filter(head=located.commit)
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
    return _make_commit_decision(located, Known(row.allowed), place), row.decided_at


def _make_commit_decision(located: CommitStanding, allowed: Maybe[bool], place: int | None) -> CommitDecision:
    return CommitDecision(located.commit, located.target, allowed, -1 if place is None else place, located.holds)
