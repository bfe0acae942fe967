"""The hooks that git runs at a server. They import no more than a push needs: everybody who pushes waits for them."""

import datetime
import os
import sys
from collections.abc import Sequence

from muniment.cli import hook_time_limit, printing, push_text
from muniment.errors import MunimentError, UsageError
from muniment.facts import moments
from muniment.git import received_push
from muniment.git.repository import Repository
from muniment.store.files_store import FilesStore
from muniment.workflows.push_receiver import PushReceiver
from muniment.workflows.pusher import create_pusher_finder

_FAILED = 3


def main(arguments: Sequence[str]) -> int | None:
    """The exit code of `muniment hook ARGUMENTS`, written as our hooks write it; None for anything else."""
    try:
        match arguments:
            case ["pre-receive", "--home", home]:
                return pre_receive(home, report_only=False)
            case ["pre-receive", "--home", home, "--report-only"]:
                return pre_receive(home, report_only=True)
            case ["post-receive", "--home", home]:
                return post_receive(home)
            case _:
                return None
    except MunimentError as error:
        _print_lines(hook_time_limit.format_denial(error.message, error.remedy))
        return error.exit_code
    except Exception as error:  # noqa: BLE001 -- the edge of the process: it never means yes
        _print_lines(
            hook_time_limit.format_denial(
                f"Muniment failed ({type(error).__name__})", "This is a defect: please report it."
            )
        )
        return _FAILED


def pre_receive(home: str, *, report_only: bool) -> int:
    """Evaluate the push that git is receiving. Returns 0 if it may pass."""
    place, surroundings = FilesStore(home), dict(os.environ)
    if surroundings.get("GIT_NAMESPACE"):
        raise UsageError(
            "the server uses git namespaces, which the server hook cannot evaluate", "Serve each as a repository."
        )
    given = sys.stdin.buffer.read()

    def evaluate_push() -> tuple[bool, list[str]]:
        with Repository.open(".", received_push.find_quarantine(surroundings)) as repository:
            # Not closed: SQLite would then sync twice, and the pusher would wait. `post_receive` does it afterwards.
            receiver = PushReceiver(repository, place)
            updates = received_push.parse_received_refs(given)
            who = create_pusher_finder(place.load_settings().pusher_variable, surroundings)
            received = receiver.receive_push(updates, who, _current_moment(), enforced=not report_only)
            return received.is_accepted, push_text.format_push(received)

    allowed, lines = hook_time_limit.run_with_time_limit(evaluate_push, place.load_settings().timeout_seconds)
    _print_lines(lines)
    return 0 if allowed else 1


def post_receive(home: str) -> int:
    """Record the updates that git made to the refs."""
    place = FilesStore(home)

    def record_updates() -> tuple[bool, list[str]]:
        with Repository.open(".") as repository, PushReceiver(repository, place) as receiver:
            receiver.settle_refs(_current_moment())
        return True, []

    hook_time_limit.run_with_time_limit(record_updates, place.load_settings().timeout_seconds)
    return 0


def _print_lines(lines: Sequence[str]) -> None:
    """Print lines for the pusher."""
    for line in lines:
        sys.stderr.write(printing.make_printable(line) + "\n")


def _current_moment() -> str:
    return moments.format_moment(datetime.datetime.now(datetime.UTC))
