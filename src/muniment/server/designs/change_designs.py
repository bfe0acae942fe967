"""Evaluates the design before and after each open change, for the page that shows both."""

from collections.abc import Iterator
from contextlib import contextmanager

import msgspec
from django.db.models import F
from django.utils import timezone

from muniment.errors import MunimentError
from muniment.facts.maybe import Unknown
from muniment.git.repository import Repository as Git
from muniment.server import moments
from muniment.server.changes.models import Change
from muniment.server.changes.repository_locations import open_repository
from muniment.server.connections.forge_access import load_active_link, open_connected_forge, require_linked_repository
from muniment.server.connections.forge_change_evaluator import open_repository_mirror
from muniment.server.designs.models import ChangeDesign
from muniment.server.error_text import format_error_text
from muniment.server.products.models import Repository
from muniment.workflows.design_evaluation import compare_change, describe_change

_MOST_DUE = 40  # changes in one round


def list_due_changes() -> list[int]:
    """List open changes of products with a design whose newest evaluated head has no picture yet, newest first."""
    rows = Change.objects.filter(
        state=Change.State.OPEN, repository__product__retired_at=None, repository__product__design__isnull=False
    )
    rows = rows.filter(decision__head=F("head")).exclude(design__head=F("head"))
    return list(rows.order_by("-updated_at").values_list("pk", flat=True)[:_MOST_DUE])


def evaluate_design_before_and_after(change: Change) -> None:
    """Evaluate the design before and after a change at its decision. The reason is noted where it cannot be read."""
    decision = change.decision
    if decision is None or decision.head != change.head:
        return
    answer = b""
    problem, is_altered = "", False
    try:
        with _open_git(change.repository) as git:
            name = change.repository.name
            found = compare_change(git, name, decision.base, change.head, moments.current_moment())
        if isinstance(found, Unknown):
            problem = found.reason
        else:
            answer = msgspec.msgpack.encode(found.value)
            described = describe_change(found.value)
            effect = described.change
            brought = any(state.count for state in described.states)
            problem = described.problem
            is_altered = brought or (effect is not None and bool(effect.added or effect.removed or effect.weaker))
    except MunimentError as error:
        problem = format_error_text(error)
    ChangeDesign.objects.update_or_create(
        change=change,
        defaults={
            "head": change.head,
            "base": decision.base,
            "evaluated_at": timezone.now(),
            "problem": problem,
            "is_altered": is_altered or bool(problem),
            "answer": answer if is_altered else b"",
        },
    )


@contextmanager
def _open_git(repository: Repository) -> Iterator[Git]:
    """Open the git in which a change was evaluated. Raises MunimentError."""
    connected = load_active_link(repository.pk)
    if connected is None:
        with open_repository(repository) as git:
            yield git
        return
    forge = open_connected_forge(connected.connection)
    mirror = open_repository_mirror(connected, forge, require_linked_repository(connected))
    with mirror.open_copy() as git:  # the evaluation of this head fetched it
        yield git
