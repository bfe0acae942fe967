"""Mutation tests: every condition is altered in each way, and an alteration that no test notices is reported."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from dev.mutation import __main__ as command
from dev.mutation.changes import find_base, load_digests
from dev.mutation.mutants import find_mutants
from dev.mutation.records import describe, key_of, load_survivors
from dev.mutation.trials import Outcome, Trial
from dev.rules import ROOT

MODULE = """
import functools


def price(count: int, member: bool) -> int:
    if count > 10 and not member:
        return 2
    return 1 if member else 3


class Basket:
    @functools.cache
    def full(self, *things: int) -> bool:
        limit = 3
        return any(thing >= limit for thing in things)
"""
TESTS = """
import shop

def test_price():
    assert shop.price(11, False) == 2
    assert shop.price(11, True) == 1
    assert shop.price(1, False) == 3

def test_full():
    assert shop.Basket().full(3)
    assert not shop.Basket().full(2)
"""
REMEMBERING = """
import functools

@functools.lru_cache
def is_large(count):
    return count > 1

class Crate:
    @functools.cached_property
    def full(self):
        return 5 > 1

CRATE = Crate()

class Lazy:
    def __getattribute__(self, name):
        raise RuntimeError("it is not set up")

LAZY = [Lazy()]
"""
TRY = """
import sys
from pathlib import Path
from dev.mutation import trials
from dev.mutation import __main__ as command
from dev.mutation.changes import find_base, load_digests
from dev.mutation.mutants import find_mutants
trials.GRACE, trials.ENOUGH = float(sys.argv[3]), float(sys.argv[4])
root = Path(sys.argv[1])
for trial in trials.run_trials(root, find_mutants(root / "shop.py", root), [str(root)], float(sys.argv[2]), 2):
    print("|".join((trial.mutant.before, trial.mutant.after, trial.outcome.value)))
"""


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    (tmp_path / "shop.py").write_text(MODULE)
    (tmp_path / "test_shop.py").write_text(TESTS)
    (tmp_path / "pytest.toml").write_text("[pytest]\n")
    profile = 'from hypothesis import settings\n\nsettings.register_profile("mutation", database=None)\n'
    (tmp_path / "conftest.py").write_text(profile)
    return tmp_path


def run_trials_of(
    shop: Path, seconds: float = 600, grace: float = 20, enough: float = 15
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", TRY, str(shop), str(seconds), str(grace), str(enough)],
        cwd=ROOT,
        env={"PYTHONPATH": f"{ROOT}:{shop}", "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=False,
    )


def test_each_condition_is_altered_in_each_way(shop: Path) -> None:
    assert [(one.function, one.before, one.after) for one in find_mutants(shop / "shop.py", shop)] == [
        ("price", "count > 10", "True or count > 10"),
        ("price", "count > 10", "False and count > 10"),
        ("price", "count > 10", "count >= 10"),
        ("price", "member", "True or member"),
        ("price", "member", "False and member"),
        ("price", "member", "True or member"),
        ("price", "member", "False and member"),
        (
            "Basket.full",
            "any((thing >= limit for thing in things))",
            "True or any((thing >= limit for thing in things))",
        ),
        (
            "Basket.full",
            "any((thing >= limit for thing in things))",
            "False and any((thing >= limit for thing in things))",
        ),
        ("Basket.full", "any((thing >= limit for thing in things))", "all((thing >= limit for thing in things))"),
        ("Basket.full", "thing >= limit", "True or thing >= limit"),
        ("Basket.full", "thing >= limit", "False and thing >= limit"),
        ("Basket.full", "thing >= limit", "thing > limit"),
    ]


def test_mutant_that_no_test_notices_is_reported(shop: Path) -> None:
    done = run_trials_of(shop)
    survived = [line for line in done.stdout.splitlines() if line.endswith("|survived")]
    assert survived == [
        "count > 10|count >= 10|survived",
        "any((thing >= limit for thing in things))|all((thing >= limit for thing in things))|survived",
    ], done.stdout + done.stderr
    assert done.stdout.count("|killed") == 11


def test_endless_mutant_counts_as_noticed(shop: Path) -> None:
    (shop / "shop.py").write_text("def count(number):\n    while number > 0:\n        number -= 1\n    return number\n")
    (shop / "test_shop.py").write_text("import shop\n\ndef test_count():\n    assert shop.count(2) == 0\n")
    done = run_trials_of(shop, grace=1)
    assert "number > 0|True or number > 0|killed" in done.stdout


def test_untried_mutant_is_not_counted_as_noticed(shop: Path) -> None:
    assert run_trials_of(shop, seconds=-1).stdout.count("|there was no time") == 13


def test_mutant_over_the_time_limit_is_not_counted_as_noticed(shop: Path) -> None:
    (shop / "shop.py").write_text("def count(number):\n    while number > 0:\n        number -= 1\n    return number\n")
    (shop / "test_shop.py").write_text("import shop\n\ndef test_count():\n    assert shop.count(2) == 0\n")
    assert "number > 0|True or number > 0|there was no time" in run_trials_of(shop, seconds=8).stdout


def test_cached_values_hide_no_mutant(shop: Path) -> None:
    (shop / "shop.py").write_text(REMEMBERING)
    (shop / "test_shop.py").write_text(
        "import shop\n\ndef test_it():\n    assert shop.is_large(2) and shop.CRATE.full\n"
    )
    done = run_trials_of(shop)
    assert "count > 1|False and count > 1|killed" in done.stdout
    assert "5 > 1|False and 5 > 1|killed" in done.stdout


def test_slow_tests_run_only_for_mutants_that_survived_the_others(shop: Path) -> None:
    slow = "\nimport time\n\ndef test_slowly():\n    time.sleep(0.5)\n    assert shop.price(10, False) == 3\n"
    (shop / "test_shop.py").write_text(TESTS + slow)
    assert "count > 10|count >= 10|killed" in run_trials_of(shop, enough=0.4).stdout


def test_failing_test_suite_prevents_trials(shop: Path) -> None:
    (shop / "test_shop.py").write_text(TESTS + "\ndef test_wrong():\n    assert not shop.price(1, True)\n")
    done = run_trials_of(shop)
    assert "test_wrong" in done.stdout
    assert done.stdout.count("|it could not be tried") == 13


def test_uncollectable_test_prevents_trials(shop: Path) -> None:
    (shop / "test_other.py").write_text("import nothing_of_that_name\n")
    done = run_trials_of(shop)
    assert "tests have to pass before anything is changed" in done.stdout
    assert done.stdout.count("|it could not be tried") == 13


def test_function_in_a_moved_file_is_unchanged(shop: Path) -> None:
    before = {one.digest for one in find_mutants(shop / "shop.py", shop)}
    (shop / "cart.py").write_text("LIMIT = 1\n" + MODULE)
    assert {one.digest for one in find_mutants(shop / "cart.py", shop)} == before
    (shop / "cart.py").write_text(MODULE.replace("count > 10", "count > 11"))
    assert len({one.digest for one in find_mutants(shop / "cart.py", shop)} & before) == 1


def test_survivor_is_listed_in_printed_form_with_a_reason(shop: Path, tmp_path: Path) -> None:
    mutant = find_mutants(shop / "shop.py", shop)[5]
    listed = tmp_path / "survivors.toml"
    listed.write_text(describe(mutant))
    with pytest.raises(ValueError, match="reason"):
        load_survivors(listed)
    listed.write_text(describe(mutant).replace('reason = ""', 'reason = "Both mean the same."'))
    assert load_survivors(listed) == {key_of(mutant): "Both mean the same."}


def test_every_listed_survivor_is_a_mutant_of_its_file() -> None:
    listed = load_survivors()
    found = {key_of(one) for file in {one.file for one in listed} for one in find_mutants(ROOT / file, ROOT)}
    assert set(listed) <= found


def git(folder: Path, *arguments: str) -> str:
    own = ("-c", "user.name=Ada", "-c", "user.email=ada@example.test")
    done = subprocess.run(["git", "-C", str(folder), *own, *arguments], capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    git(tmp_path, "init", "-q", "-b", "main")
    (tmp_path / "pure").mkdir()
    (tmp_path / "pure" / "shop.py").write_text(MODULE)
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "first")
    return tmp_path


def test_only_new_and_changed_functions_are_mutated(repository: Path) -> None:
    git(repository, "mv", "pure/shop.py", "pure/cart.py")
    changed = (repository / "pure" / "cart.py").read_text().replace("count > 10", "count > 11")
    (repository / "pure" / "cart.py").write_text(changed)
    git(repository, "commit", "-qam", "second")
    before = load_digests(repository, find_base(repository), ["pure"])
    found = find_mutants(repository / "pure" / "cart.py", repository)
    assert {one.function for one in found if one.digest not in before} == {"price"}
    assert load_digests(repository, "HEAD~1", ["other"]) == frozenset()


def test_base_of_a_branch_is_its_fork_point(repository: Path) -> None:
    first = git(repository, "rev-parse", "HEAD")
    git(repository, "checkout", "-q", "-b", "topic")
    for number in (1, 2):
        git(repository, "commit", "-q", "--allow-empty", "-m", f"topic {number}")
    assert find_base(repository) == first
    git(repository, "branch", "-D", "main")
    assert find_base(repository) == git(repository, "rev-parse", "HEAD~1")


@pytest.mark.parametrize(
    ("options", "checked_out", "base"),
    [
        ((), "main", "origin/main~1"),
        ((), "origin/topic", "origin/main"),
        (("--branch", "topic"), "topic", "origin/main"),
        ((), "main~1", "origin/main~2"),
        (("--depth", "1", "--no-single-branch"), "main", ""),
    ],
    ids=["main", "a detached topic", "a topic", "an older commit of main", "a shallow clone"],
)
def test_base_is_found_in_a_clone(
    repository: Path, tmp_path_factory: pytest.TempPathFactory, options: tuple[str, ...], checked_out: str, base: str
) -> None:
    for number in (1, 2):
        git(repository, "commit", "-q", "--allow-empty", "-m", f"main {number}")
    git(repository, "checkout", "-q", "-b", "topic")
    for number in (1, 2):
        git(repository, "commit", "-q", "--allow-empty", "-m", f"topic {number}")
    git(repository, "checkout", "-q", "main")
    clone = tmp_path_factory.mktemp("clone")
    git(clone, "clone", "-q", *options, f"file://{repository}", ".")
    git(clone, "checkout", "-q", "--detach", checked_out)
    assert find_base(clone) == (git(clone, "rev-parse", base) if base else "")
    git(clone, "remote", "remove", "origin")
    assert find_base(clone) in ("", *git(clone, "rev-list", "HEAD").split()[1:])


def test_unreadable_base_does_not_fail_the_run(
    repository: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    git(repository, "commit", "-q", "--allow-empty", "-m", "second")
    monkeypatch.setattr(command, "ROOT", repository)
    monkeypatch.setattr(command, "_modules", list)
    missing = git(repository, "rev-parse", "HEAD~1^{tree}")
    (repository / ".git" / "objects" / missing[:2] / missing[2:]).unlink()
    assert command.main(["--changed"]) == 0
    assert "nothing is tried" in capsys.readouterr().out


def test_first_commit_has_no_trials(
    repository: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert find_base(repository) == ""
    monkeypatch.setattr(command, "ROOT", repository)
    monkeypatch.setattr(command, "_modules", list)
    assert command.main(["--changed"]) == 0
    assert "nothing is tried" in capsys.readouterr().out


@pytest.mark.parametrize(("untried", "code"), [(False, 1), (True, 0)])
def test_survivors_of_a_landing_fail_if_time_sufficed_for_all(
    repository: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], untried: bool, code: int
) -> None:
    (repository / "pure" / "new.py").write_text(MODULE.replace("10", "11"))
    git(repository, "add", ".")
    git(repository, "commit", "-qm", "second")
    survivor, *others = find_mutants(repository / "pure" / "new.py", repository)
    trials = [Trial(survivor, Outcome.SURVIVED), *([Trial(others[0], Outcome.UNTRIED)] if untried else [])]
    monkeypatch.setattr(command, "ROOT", repository)
    monkeypatch.setattr(command, "_modules", lambda: [repository / "pure" / "new.py"])
    monkeypatch.setattr(command, "_run", lambda mutants, seconds: trials)
    monkeypatch.setattr("dev.mutation.records.save_tried", lambda digests: None)
    assert command.main(["--changed"]) == code
    output = capsys.readouterr().out
    assert f"no test notices {survivor.place()}" in output
    assert ("there was no time to try all of" in output) is untried
