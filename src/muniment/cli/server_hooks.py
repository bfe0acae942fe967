"""The hooks that git runs at a server. They import no more than a push needs: everybody who pushes waits for them."""

import datetime
import os
import sys
from collections.abc import Sequence

from muniment.cli import guard, printing, push_text
from muniment.errors import MunimentError, UsageError
from muniment.facts import moments
from muniment.git import receiving
from muniment.git.repository import Repository
from muniment.store.files import FilesStore
from muniment.workflows.pusher import identify
from muniment.workflows.receive_push import Gate

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
        _tell(guard.denied(error.message, error.remedy))
        return error.exit_code
    except Exception as error:  # noqa: BLE001 -- the edge of the process: it never means yes
        _tell(guard.denied(f"Muniment failed ({type(error).__name__})", "This is a defect: please report it."))
        return _FAILED


def pre_receive(home: str, *, report_only: bool) -> int:
    """Judge the push that git is receiving; 0 if it may pass."""
    place, surroundings = FilesStore(home), dict(os.environ)
    if surroundings.get("GIT_NAMESPACE"):
        raise UsageError(
            "the server uses git namespaces, which the server hook cannot evaluate", "Serve each as a repository."
        )
    given = sys.stdin.buffer.read()

    def work() -> tuple[bool, list[str]]:
        with Repository.open(".", receiving.quarantine(surroundings)) as repository, Gate(repository, place) as gate:
            updates = receiving.read_updates(given)
            who = identify(place.settings().pusher_variable, surroundings)
            received = gate.receive(updates, who, _now(), enforced=not report_only)
            return received.let_through, push_text.of_push(received)

    allowed, lines = guard.guarded(work, place.settings().timeout_seconds)
    _tell(lines)
    return 0 if allowed else 1


def post_receive(home: str) -> int:
    """Record what became of the refs."""
    place = FilesStore(home)

    def work() -> tuple[bool, list[str]]:
        with Repository.open(".") as repository, Gate(repository, place) as gate:
            gate.settle(_now())
        return True, []

    guard.guarded(work, place.settings().timeout_seconds)
    return 0


def _tell(lines: Sequence[str]) -> None:
    """Show lines to whoever pushes."""
    for line in lines:
        sys.stderr.write(printing.plain(line) + "\n")


def _now() -> str:
    return moments.text(datetime.datetime.now(datetime.UTC))
