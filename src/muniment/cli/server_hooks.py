"""The hooks that git runs at a server, each in a child with a time limit. Everybody who pushes waits for them.

This module imports next to nothing. `push_hooks`, with all that a push needs, is imported in the child: pages of memory
that are filled before a fork are copied after it, which took a tenth of the time of a hook.
"""

import os
import sys
from collections.abc import Sequence

from muniment.cli import hook_time_limit
from muniment.cli.hook_time_limit import SetLimit
from muniment.cli.quick_imports import QuickImports

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
    except Exception as error:  # noqa: BLE001 -- the edge of the process: it never means yes
        sys.stderr.write(f"muniment: denied  Muniment failed ({type(error).__name__})\n")
        sys.stderr.write("Next:\n  This is a defect: please report it.\n")
        return _FAILED


def pre_receive(home: str, *, report_only: bool) -> int:
    """Evaluate the push that git is receiving. Returns 0 if it may pass."""
    given, surroundings = sys.stdin.buffer.read(), dict(os.environ)

    def evaluate_push(set_limit: SetLimit) -> tuple[bool, list[str]]:
        with QuickImports():
            from muniment.cli import push_hooks
        return push_hooks.evaluate_push(home, given, surroundings, set_limit, enforced=not report_only)

    return _run_and_print(evaluate_push)


def post_receive(home: str) -> int:
    """Record the updates that git made to the refs. Returns 0 if they are recorded."""

    def record_updates(set_limit: SetLimit) -> tuple[bool, list[str]]:
        with QuickImports():
            from muniment.cli import push_hooks
        return push_hooks.record_updates(home, set_limit)

    return _run_and_print(record_updates)


def _run_and_print(work: hook_time_limit.Work) -> int:
    done, lines = hook_time_limit.run_with_time_limit(work)
    for line in lines:
        sys.stderr.write(f"{line}\n")
    return 0 if done else 1
