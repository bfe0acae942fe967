"""What the gate adds to a push: a change of 10 commits in a repository of 100,000."""

import os
import subprocess
from itertools import count
from pathlib import Path

from bench.measure import Row, command, medians
from muniment.cli.running import run
from muniment.home.starting import start
from muniment.policy.pack import pack_text, people_text


def row(repository: Path, folder: Path) -> Row:
    """A push of a new protected branch to a copy of `repository` with the gate, and to one without."""
    os.environ["MUNIMENT_PUSHER"] = "ada"
    os.environ["GIT_CONFIG_GLOBAL"] = os.devnull
    gated, plain = folder / "gated.git", folder / "plain.git"
    for copy in (gated, plain):
        _git("clone", "-q", "--bare", "--single-branch", "-b", "main", str(repository), str(copy))
    start(f"{folder}/home", {"policy.toml": pack_text("a@example.test", "shop"), "people.toml": people_text()}, "bench")
    assert run(["hook", "install", "--home", f"{folder}/home", "--repo", str(gated), "--report-only"]) == 0
    numbers = count()
    found = medians(
        {
            "gated": lambda: _push(repository, gated, next(numbers)),
            "plain": lambda: _push(repository, plain, next(numbers)),
        },
        15,
    )
    return Row(
        "a push of 10 commits, 100,000 behind",
        f"git push, with the gate ({found['gated'] * 1e3:.0f} ms)",
        f"git push topic:refs/heads/release/N, without ({found['plain'] * 1e3:.0f} ms)",
        f"{found['gated'] / found['plain']:.2f} x, + {(found['gated'] - found['plain']) * 1e3:.0f} ms",
        "",
    )


def _push(repository: Path, to: Path, number: int) -> None:
    command("git", "-C", str(repository), "push", "-q", str(to), f"topic:refs/heads/release/{number}")()


def _git(*arguments: str) -> None:
    subprocess.run(["git", *arguments], check=True)
