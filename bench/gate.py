"""Time that the server hook adds to a push: a change of 10 commits in a repository of 100,000.

The bound of 4 x is not met. On 2026-12-01, with 2 cores and a load of 6, of 15 interleaved pushes each: 5.4 x by the
clock and by CPU (of the hook alone, 8 ms CPU less since its child imports what it needs after the fork). Of 170 ms
CPU, git takes 18, starting Python 14, imports about 75, and the evaluation with its two records about 45. The imports
are 260 modules, of which no large one is left: 20 controls that a push does not evaluate cost 5 ms, pathlib 3, errors
and enumerations 5, msgspec and what it imports 10. Waiting for the disk costs eight syncs in a row, before seventeen.
"""

import os
import subprocess
import sys
from itertools import count
from pathlib import Path

from bench.measure import Row, command, median_costs
from muniment.cli.command_line import run_command_line
from muniment.policy.built_in_policy import empty_people_text, format_built_in_policy
from muniment.store.new_home import make_home


def row(repository: Path, folder: Path) -> Row:
    """A push of a new protected branch to a copy of `repository` with our hook, with another hook, and without."""
    os.environ["MUNIMENT_PUSHER"] = "ada"
    os.environ["GIT_CONFIG_GLOBAL"] = os.devnull
    remote, plain, started = folder / "hooked.git", folder / "plain.git", folder / "started.git"
    for copy in (remote, plain, started):
        _git("clone", "-q", "--bare", "--single-branch", "-b", "main", str(repository), str(copy))
    make_home(
        f"{folder}/home",
        {"policy.toml": format_built_in_policy("a@example.test", "shop"), "people.toml": empty_people_text()},
        "bench",
    )
    assert (
        run_command_line(["hook", "install", "--home", f"{folder}/home", "--repo", str(remote), "--report-only"]) == 0
    )
    hook = started / "hooks" / "pre-receive"
    hook.write_text(f"#!/bin/sh\nexec {sys.executable} -I -c pass\n", encoding="utf-8")
    hook.chmod(0o755)
    numbers = count()
    found = median_costs(
        {
            "hooked": lambda: _push(repository, remote, next(numbers)),
            "started": lambda: _push(repository, started, next(numbers)),
            "plain": lambda: _push(repository, plain, next(numbers)),
        },
        15,
    )
    ours, peer, none = found["hooked"], found["started"], found["plain"]
    return Row(
        "a push of 10 commits, 100,000 behind",
        f"git push, with the server hook ({ours.wall * 1e3:.0f} ms, {ours.cpu * 1e3:.0f} ms CPU)",
        f"the same, with a hook that only starts Python ({peer.wall * 1e3:.0f} ms, {peer.cpu * 1e3:.0f} ms CPU)",
        f"{ours.wall / peer.wall:.2f} x, CPU {ours.cpu / peer.cpu:.2f} x, + {(ours.wall - none.wall) * 1e3:.0f} ms",
        "4 x",
    )


def _push(repository: Path, to: Path, number: int) -> None:
    command("git", "-C", str(repository), "push", "-q", str(to), f"topic:refs/heads/release/{number}")()


def _git(*arguments: str) -> None:
    subprocess.run(["git", *arguments], check=True)
