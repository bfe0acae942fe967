"""python -m bench [--repo PATH]...: the speeds that we hold, each next to its peer.

Replay is timed on each PATH, or on this checkout; its bound is meant for a large one.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from msgspec import structs

from bench import design, gate, ledger, run
from bench.measure import Row, command, least_cpu, medians, table
from muniment.decision.bound_policies import read_bound_policy
from muniment.decision.evaluation import evaluate_policy
from muniment.facts import canonical
from muniment.facts.facts import Facts
from muniment.facts.maybe import Known
from muniment.facts.people import People
from muniment.policy.built_in_policy import empty_people_text, format_built_in_policy
from muniment.policy.model import EnforcementPoint
from tests.support.changes import NOW, PEOPLE, REVISION, approval, commit, facts, file, oid, person, values

PYTHON = sys.executable
SMALL, LARGE = 1_000, 100_000  # commits
EVERYONE = 50  # people


def main() -> None:
    """Measure everything and print the table."""
    root = str(Path(__file__).parent.parent)
    parser = argparse.ArgumentParser(prog="python -m bench", description="The speeds that we hold.")
    parser.add_argument("--repo", action="append", metavar="PATH", help="Time replay on it. Default: this checkout.")
    repositories: list[str] = parser.parse_args().repo or [root]
    rows = [_decision(), _version()]
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        rows += _check(Path(folder))
        rows.append(gate.row(Path(folder) / "large", Path(folder)))
    rows += ledger.rows()
    rows += run.rows()
    rows.append(design.measure_design())
    rows.append(design.measure_design_change())
    rows += [_replay(repository) for repository in repositories]
    sys.stdout.write(table(rows) + "\n")


def _decision() -> Row:
    persons = (*PEOPLE.persons, *(person(f"person{n}") for n in range(len(PEOPLE.persons), EVERYONE)))
    line = tuple(commit(n, oid(n - 1)) for n in range(10, 0, -1))
    given = facts(
        values(
            revision=Known(structs.replace(REVISION, head=line[0].id)),
            commits=Known(line),
            files=Known(tuple(file(f"src/{n}.py") for n in range(10))),
            approvals=Known((approval("bob", line[0]), approval("sue", line[0]))),
            people=Known(People(persons, PEOPLE.machines)),
        )
    )
    policy = read_bound_policy(format_built_in_policy("a@example.test", "shop"), "built-in")
    assert evaluate_policy(policy, given, EnforcementPoint.MERGE, NOW).outcome == "allow"
    text = canonical.encode({name: fact.value for name, fact in given.items().items()})
    contenders: dict[str, Callable[[Facts], object]] = {
        "ours": lambda fresh: evaluate_policy(policy, fresh, EnforcementPoint.MERGE, NOW),
        "peer": lambda _: json.loads(text),
    }
    found = least_cpu(contenders, lambda: _copy(given), 300, 20)
    ratio = f"{found['ours'] * 1e6:.0f} µs CPU, {found['ours'] / found['peer']:.2f} of the peer"
    what = f"a decision, 10 commits, {EVERYONE} people"
    return Row(what, "evaluate_policy(policy, facts)", "json.loads(the same facts)", ratio, "<= 100 µs CPU")


def _copy(facts: Facts) -> Facts:
    """Copy facts with the same values and digest, without values that were derived from the former ones.

    The values themselves keep nothing but for People, of which a process has one for many decisions.
    """
    copied = Facts(facts.items())
    assert copied.digest == facts.digest
    return copied


def _version() -> Row:
    found = medians(
        {
            "ours": command(PYTHON, "-m", "muniment", "--version"),
            "entry": command(str(Path(PYTHON).parent / "muniment"), "--version"),
            "peer": command(PYTHON, "-c", "pass"),
        },
        21,
    )
    return Row("start", "muniment --version", "python -c pass", f"{found['entry'] / found['peer']:.2f} x", "<= 3 x")


def _check(folder: Path) -> list[Row]:
    small, large = _repository(folder / "small", SMALL), _repository(folder / "large", LARGE)
    muniment = str(Path(PYTHON).parent / "muniment")

    def check(repository: Path) -> tuple[str, ...]:
        return (muniment, "check", "--repo", str(repository), "--onto", "main", "--head", "topic")

    imports = "import muniment.cli.check, muniment.cli.command_line"
    log = ("git", "-C", str(large), "log", "--raw", "main..topic")
    found = medians(
        {
            "small": command(*check(small), codes=(1,)),
            "large": command(*check(large), codes=(1,)),
            "log": command(*log),
            "imports": command(PYTHON, "-c", imports),
        },
        15,
    )
    peer = found["log"] + found["imports"]
    return [
        Row(
            "check, 10 commits",
            f"muniment check, {LARGE:,} commits",
            f"the same, {SMALL:,} commits",
            f"{found['large'] / found['small']:.2f} x",
            "<= 1.5 x",
        ),
        Row(
            "check, 10 commits",
            f"muniment check ({found['large'] * 1e3:.0f} ms)",
            f'git log --raw main..topic, and python -c "{imports}" ({peer * 1e3:.0f} ms)',
            f"{found['large'] / peer:.2f} x",
            "<= 3 x",
        ),
    ]


def _repository(path: Path, commits: int) -> Path:
    """A repository with so many commits on main, and 10 more on topic."""
    subprocess.run(["git", "init", "-q", "-b", "main", "--bare", str(path)], check=True)
    documents = {
        ".muniment/policy.toml": format_built_in_policy("a@example.test", "shop"),
        ".muniment/people.toml": empty_people_text(),
    }
    stream = ["".join(_commit(n, "main", documents if n == 0 else {}) for n in range(commits))]
    stream += ["reset refs/heads/topic\nfrom refs/heads/main\n\n"]
    stream += [_commit(commits + n, "topic", {}) for n in range(10)]
    subprocess.run(["git", "-C", str(path), "fast-import", "--quiet"], input="".join(stream).encode(), check=True)
    return path


def _commit(number: int, branch: str, documents: dict[str, str]) -> str:
    files = {**documents, f"d{number % 100}/f{number % 1000}.txt": f"{number}\n"}
    listed = "".join(f"M 644 inline {name}\ndata {len(text.encode())}\n{text}\n" for name, text in files.items())
    return (
        f"commit refs/heads/{branch}\ncommitter Ada <ada@example.test> {1_600_000_000 + number} +0000\n"
        f"data 2\nx\n{listed}\n"
    )


def _replay(repository: str) -> Row:
    start = time.perf_counter()
    done = subprocess.run(
        [*_one_core(), PYTHON, "-m", "muniment", "replay", "--repo", repository, "--format", "json"],
        capture_output=True,
        check=True,
    )
    taken = time.perf_counter() - start
    changes = json.loads(done.stdout)["changes"]
    return Row(
        f"replay of {changes:,} changes",
        "muniment replay, one core",
        "none",
        f"{changes / taken:,.0f} a second",
        ">= 300",
    )


def _one_core() -> list[str]:
    return ["taskset", "-c", "0"]


if __name__ == "__main__":
    main()
