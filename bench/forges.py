"""python -m bench.forges: from an event of a forge to the decision there, and what many repositories cost.

Fakes of forges over HTTP with real git behind them, the PostgreSQL that comes with Muniment, one worker process that
does four things at once; all of it, the forge included, on this machine.
"""

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from bench import burst, connected_forges, probe
from bench.measure import Row, table

CHANGES, SECONDS, GREEN = 50, 10, 500
REPOSITORIES, LIMIT = 1_000, 5_000  # an installation's requests an hour at GitHub, at least


def main() -> None:
    """Measure everything and print the table."""
    parser = argparse.ArgumentParser(prog="python -m bench.forges", description=__doc__)
    parser.add_argument("--changes", type=int, default=CHANGES, metavar="N", help="Open changes.")
    parser.add_argument("--seconds", type=int, default=SECONDS, metavar="N", help="How long the burst lasts.")
    parser.add_argument("--green", type=int, default=GREEN, metavar="N", help="Green changes that are probed.")
    parser.add_argument("--history", type=int, default=10_000, metavar="N", help="Commits of the larger repository.")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        for rows in _rows(Path(folder), given):
            sys.stdout.write(table(rows) + "\n")
            sys.stdout.flush()


def _rows(folder: Path, given: argparse.Namespace) -> Any:
    from muniment.server.running import database_settings
    from muniment.server.running.installation_folder import make_installation_folder

    make_installation_folder(folder)
    os.environ |= {"MUNIMENT_HOME": str(folder), "MUNIMENT_ROLE": "owner", "MUNIMENT_URL": "http://localhost:8000"}
    os.environ["DJANGO_SETTINGS_MODULE"] = "muniment.server.settings"
    with database_settings.embedded_server(folder):
        import django

        django.setup()
        from muniment.server.running import preparation
        from tests.support.service import as_role

        preparation.migrate_schema()
        with as_role("operator"):  # the sequencer accepts a policy of no other process
            preparation.apply_first_policy()
        yield [_going_through()]
        yield _sizes(folder, given.history)
        yield _vendors(folder)
        for place in connected_forges.PLACES:
            yield burst.rows(place, folder / f"burst-{place.name}", given.changes, given.seconds)
        yield probe.rows(folder, given.green)


# Going through many repositories


class _Counted:
    """A reader that answers as GitHub does: what is unchanged costs nothing of its limit."""

    def __init__(self, memory: Any) -> None:
        self._reader, self._seen = memory.forge().reader, set[tuple[Any, ...]]()
        self.asked = self.counted = 0

    def __getattr__(self, name: str) -> Any:
        answer = getattr(self._reader, name)

        def asked(repository: Any, *more: Any) -> Any:
            self.asked += 1
            key = (name, repository.id, *map(str, more))
            self.counted += key not in self._seen
            self._seen.add(key)
            return answer(repository, *more)

        return asked


def _going_through() -> Row:
    from muniment.forges.shapes import Account, ChangeState, ForgeRepository
    from muniment.workflows import forge_reconciliation
    from tests.support.forges.memory import MemoryChangeStore, MemoryForge, change

    memory, change_store = MemoryForge(), MemoryChangeStore()
    memory.put(change(1, "1" * 40))
    reader = _Counted(memory)

    def go_through() -> tuple[int, int]:
        before = (reader.asked, reader.counted)
        for number in range(REPOSITORIES):
            repo = ForgeRepository(str(number), f"o/r{number}", "refs/heads/main", "", "")
            forge_reconciliation.find_missed_changes(reader, repo, {})
            reader.list_branches(repo)
            reader.read_branch_rules(repo, "refs/heads/main")
            posted = reader.list_statuses(repo, "1" * 40)
            forge_reconciliation.compare_posted_statuses(
                posted, "1" * 40, ["muniment/main"], change_store, Account("1", "us")
            )
        return reader.asked - before[0], reader.counted - before[1]

    assert memory.changes[1].state is ChangeState.OPEN
    cold, warm = go_through(), go_through()
    return Row(
        f"going through {REPOSITORIES} repositories, one change open in each",
        f"first: {cold[0]} requests, {cold[1]} count; again: {warm[0]} requests, {warm[1]} count",
        f"a tenth of GitHub's {LIMIT} an hour",
        f"{warm[1]} of {LIMIT // 10}; the first one takes {cold[1] / (LIMIT / 10):.0f} hours at that pace",
        f"again: {LIMIT // 10}",
    )


# One decision, in a small repository and a large one


def _sizes(folder: Path, history: int) -> list[Row]:
    found = {}
    for size in (10, history):
        with connected_forges.at(connected_forges.AtGitea, folder / f"size-{size}", size) as place:
            number = place.open("topic")
            place.setup.evaluate(number)  # the copy is made
            taken, before = [], 0
            for _ in range(7):
                before, start = len(place.fake.calls), time.perf_counter()
                place.setup.evaluate(number)
                taken.append(time.perf_counter() - start)
            found[size] = (statistics.median(taken), place.fake.calls[before:].count("git"))
    (small, _), (large, git) = found[10], found[history]
    return [
        Row(
            f"one decision, read anew, {history} commits behind (Gitea)",
            f"{large * 1e3:.0f} ms, {git} calls of git",
            f"the same, 10 commits behind ({small * 1e3:.0f} ms)",
            f"{large / small:.2f} x",
            "1.5 x",
        ),
    ]


def _vendors(folder: Path) -> list[Row]:
    """Requests to GitHub and GitLab for one evaluation after a delivery, with warm caches."""
    from muniment.forges.statuses import Status, StatusState
    from tests.support.forges import ours
    from tests.support.forges.fake_github import FakeGitHub
    from tests.support.forges.fake_gitlab import FakeGitLab

    rows: list[Row] = []
    for name, made, connected in (("GitHub", FakeGitHub, ours.github), ("GitLab", FakeGitLab, ours.gitlab)):
        (folder / name).mkdir()
        with made(folder / name) as fake:
            fake.world.push("ada", "topic", {"a.py": "1\n"})
            number = fake.world.open("ada", "topic")
            fake.written()
            forge = connected(fake)
            repository = forge.reader.read_repository("shop/api").repository
            for reviewer in ("bob", "carol"):
                fake.world.review(reviewer, number, "approved")
            delivered_at = forge.reader.read_change(repository, number).updated
            # "Pending" is posted only where green stands. Two requests read: a second one confirms that the first was
            # no older state, since the moment that a delivery names is the web's word.
            for was, posted, bound in (
                ("red", (StatusState.DENIED,), "3"),
                ("green", (StatusState.PENDING, StatusState.DENIED), "4"),
            ):
                before = 0
                for _ in range(2):
                    before = len(fake.calls)
                    head = forge.reader.read_full_change(repository, number, delivered_at).change.head
                    for saying in posted:
                        status = Status("muniment/main", saying, "x", "https://m.test")
                        forge.publisher.publish_status(repository, head, status)
                calls = Counter(fake.calls[before:])
                text = ", ".join(f"{key} {count}" for key, count in sorted(calls.items()))
                what = f"{name}: calls to the forge for a decision, warm, two reviewers, {was} before"
                rows.append(Row(what, str(calls.total()), text, "", bound))
    return rows


if __name__ == "__main__":
    main()
