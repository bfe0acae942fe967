"""Time that the server hook adds to a push: a change of 10 commits in a repository of 100,000."""

import os
import subprocess
import sys
from itertools import count
from pathlib import Path

from bench.measure import Row, command, medians
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
    found = medians(
        {
            "hooked": lambda: _push(repository, remote, next(numbers)),
            "started": lambda: _push(repository, started, next(numbers)),
            "plain": lambda: _push(repository, plain, next(numbers)),
        },
        15,
    )
    return Row(
        "a push of 10 commits, 100,000 behind",
        f"git push, with our server hook ({found['hooked'] * 1e3:.0f} ms)",
        f"the same, with a hook that only starts Python ({found['started'] * 1e3:.0f} ms)",
        f"{found['hooked'] / found['started']:.2f} x, + {(found['remote'] - found['plain']) * 1e3:.0f} ms over none",
        "4 x",
    )


def _push(repository: Path, to: Path, number: int) -> None:
    command("git", "-C", str(repository), "push", "-q", str(to), f"topic:refs/heads/release/{number}")()


def _git(*arguments: str) -> None:
    subprocess.run(["git", *arguments], check=True)
