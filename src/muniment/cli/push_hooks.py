"""The work of the server hooks: evaluate a push, and record what git made of it. They import no more than it needs."""

import datetime
from collections.abc import Callable, Mapping

from muniment.cli import printing, push_text
from muniment.errors import MunimentError, UsageError
from muniment.facts import moments
from muniment.git import received_push
from muniment.git.repository import Repository
from muniment.store.files_store import FilesStore
from muniment.workflows.push_receiver import PushReceiver
from muniment.workflows.pusher import create_pusher_finder


def evaluate_push(
    home: str, given: bytes, surroundings: Mapping[str, str], set_limit: Callable[[float], None], *, enforced: bool
) -> tuple[bool, list[str]]:
    """Evaluate and record a push: whether it may pass, and the lines that its pusher reads.

    `given`: the refs, as git gives them to pre-receive. `set_limit` is told the time limit of the home.
    """
    if surroundings.get("GIT_NAMESPACE"):
        raise UsageError(
            "the server uses git namespaces, which the server hook cannot evaluate", "Serve each as a repository."
        )
    place = FilesStore(home)
    settings = place.load_settings()
    set_limit(settings.timeout_seconds)
    with Repository.open(".", received_push.find_quarantine(surroundings)) as repository:
        # Not closed: SQLite would then sync twice, and the pusher would wait. `record_updates` does it afterwards.
        receiver = PushReceiver(repository, place)
        updates = received_push.parse_received_refs(given)
        who = create_pusher_finder(settings.pusher_variable, surroundings)
        received = receiver.receive_push(updates, who, _current_moment(), enforced=enforced)
        return received.is_accepted, _make_printable(push_text.format_push(received))


def record_updates(home: str, set_limit: Callable[[float], None]) -> tuple[bool, list[str]]:
    """Record the updates that git made to the refs."""
    place = FilesStore(home)
    set_limit(place.load_settings().timeout_seconds)
    with Repository.open(".") as repository, PushReceiver(repository, place) as receiver:
        receiver.settle_refs(_current_moment())
    return True, []


def format_failure(error: Exception) -> list[str]:
    """Lines for a push that could not be evaluated."""
    if isinstance(error, MunimentError):
        return format_denial(error.message, error.remedy)
    return format_denial(
        f"Muniment failed ({type(error).__name__})", "This is a defect: please report it. Nothing was accepted."
    )


def format_denial(why: str, remedy: str) -> list[str]:
    """Lines for a push that is denied before it has a decision."""
    return _make_printable(push_text.fit_to_screen([f"muniment: denied  {why}"], ["Next:", f"  {remedy}"]))


def _make_printable(lines: list[str]) -> list[str]:
    return list(map(printing.make_printable, lines))


def _current_moment() -> str:
    return moments.format_moment(datetime.datetime.now(datetime.UTC))
