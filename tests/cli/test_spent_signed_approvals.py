"""Approvals of a head are spent once the branch takes that head: real pushes to a bare repository with the hook."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from muniment.cli.command_line import run_command_line
from muniment.ledger import record_kinds
from tests.support.gated import APPROVALS, Gated, Pushed

ALL_APPROVALS = f"{APPROVALS}*:{APPROVALS}*"
ADA, DAN = "Ada <ada@example.test>", "Dan <dan@example.test>"
GOOD, BAD = "x = 2\n", "x = 666\n"


@pytest.fixture
def gated(tmp_path: Path, keys: dict[str, Path]) -> Gated:
    return Gated(tmp_path, keys)


def approve(gated: Gated, head: str, *people: str, onto: str = "main") -> None:
    """Sign statements of two others, which the next push of ALL_APPROVALS sends."""
    for person in people or ("bob", "carol"):
        gated.approve(person, head, onto=onto)


def create_approved_head(gated: Gated, text: str = BAD, name: str = "topic") -> str:
    """Head on its own branch that two others approved; nothing of it is pushed yet."""
    head = gated.change(name, text=text)
    approve(gated, head)
    return head


def amend_head(gated: Gated, head: str, text: str, name: str = "topic") -> str:
    """Next head of the same change, in place of the earlier one."""
    gated.push("ada", f"+{name}", ALL_APPROVALS)
    made = gated.repo.commit({"lib.py": text}, on=name, parents=[f"{head}~1"], author=ADA)
    approve(gated, made)
    return made


def fast_forward(gated: Gated, head: str) -> str:
    gated.repo.branch("main", head)
    return head


def merge(gated: Gated, head: str) -> str:
    return gated.repo.merge(head, on="main", author=DAN)


def squash(gated: Gated, head: str) -> str:
    return gated.repo.commit(on="main", tree=gated.repo.merged_tree("main", head), author=DAN)


def rebase(gated: Gated, head: str) -> str:
    tree = gated.repo.merged_tree("main", head)
    return gated.repo.commit(on="main", tree=tree, author=ADA, committer=DAN)


WAYS = [merge, squash, rebase]


def land_head(gated: Gated, head: str, way: Callable[[Gated, str], str]) -> str:
    """Push the result of `way` for a head to main, with the statements and branches that are not there yet."""
    made = way(gated, head)
    branches = [f"+{name}" for name in ("topic", "other") if gated.repo.tip(name)]
    pushed = gated.push("dan", *branches, ALL_APPROVALS, "main")
    assert pushed.code == 0, pushed.text
    assert gated.tip() == made
    return made


def advance_main(gated: Gated) -> None:
    """Advance main, so that the change is no longer based on its tip."""
    other = gated.repo.commit({"other.py": "y = 1\n"}, on="moved", parents=["main"], author=ADA)
    approve(gated, other)
    land_head(gated, other, fast_forward)


def revert_main(gated: Gated) -> str:
    """Restore the earlier content of main by a change of its own that two others approved."""
    back = gated.repo.commit({"lib.py": "x = 1\n"}, on="revert", parents=["main"], author=ADA)
    approve(gated, back)
    return land_head(gated, back, fast_forward)


def assert_refused(gated: Gated, *refspecs: str) -> Pushed:
    before = gated.tip()
    pushed = gated.push("dan", *(refspecs or ("main",)))
    assert pushed.code == 1, pushed.text
    assert gated.tip() == before
    return pushed


@pytest.mark.parametrize(("landed", "again"), [(squash, merge), (rebase, squash), (squash, rebase)])
def test_old_approvals_cannot_merge_a_reverted_change_again(
    gated: Gated, landed: Callable[[Gated, str], str], again: Callable[[Gated, str], str]
) -> None:
    head = create_approved_head(gated)
    advance_main(gated)
    land_head(gated, head, landed)
    revert_main(gated)
    again(gated, head)
    assert "bob does not count: the branch already contained this revision" in assert_refused(gated).said


@pytest.mark.parametrize("again", WAYS)
def test_approvals_of_an_amended_head_cannot_merge_it_after_a_revert(
    gated: Gated, again: Callable[[Gated, str], str]
) -> None:
    earlier = create_approved_head(gated, BAD)
    later = amend_head(gated, earlier, GOOD)
    land_head(gated, later, squash)
    revert_main(gated)
    again(gated, earlier)
    assert "bob does not count: the branch already contained this revision" in assert_refused(gated).said


@pytest.mark.parametrize("landed", [fast_forward, *WAYS])
def test_approvals_of_a_change_cannot_merge_the_revert_of_its_revert(
    gated: Gated, landed: Callable[[Gated, str], str]
) -> None:
    head = create_approved_head(gated)
    taken = land_head(gated, head, landed)
    revert_main(gated)
    gated.repo.commit(on="main", tree=gated.repo.tree_of(taken), author=DAN)
    assert_refused(gated)


def test_head_with_new_approvals_is_accepted_again(gated: Gated) -> None:
    head = create_approved_head(gated)
    land_head(gated, head, squash)
    revert_main(gated)
    squash(gated, head)
    approve(gated, head, "bob")
    assert gated.push("bob", ALL_APPROVALS).code == 0
    assert "1 of 2 required approvals (bob)" in assert_refused(gated).said
    approve(gated, head, "carol")
    assert gated.push("carol", ALL_APPROVALS).code == 0
    assert gated.push("dan", "main").code == 0


def test_statement_in_the_same_push_is_newer_than_the_merged_head(gated: Gated) -> None:
    head = create_approved_head(gated)
    land_head(gated, head, squash)
    revert_main(gated)
    again = squash(gated, head)
    gated.approve("bob", head)
    gated.approve("carol", head)
    assert gated.push("dan", ALL_APPROVALS, "main").code == 0
    assert gated.tip() == again


def test_statement_of_a_denied_push_is_as_old_as_that_push(gated: Gated) -> None:
    head = gated.change(text=BAD)
    approve(gated, head, "bob", "sue")
    assert gated.push("bob", "topic", ALL_APPROVALS).code == 0
    gated.approve("carol", head)
    other = gated.change("worse", text="x = 3\n")
    assert gated.push("carol", f"{APPROVALS}{head}/carol", f"{other}:refs/heads/main").code == 1
    land_head(gated, head, squash)
    revert_main(gated)
    again = squash(gated, head)
    pushed = gated.push("carol", f"{APPROVALS}{head}/carol", "main")
    assert pushed.code == 1
    assert "carol does not count: the branch already contained this revision" in pushed.said
    assert gated.tip() != again


def test_rewinding_the_branch_restores_no_approval(gated: Gated) -> None:
    head = create_approved_head(gated)
    land_head(gated, head, fast_forward)
    gated.server.git("update-ref", "refs/heads/main", gated.base)
    assert (
        "bob does not count: the branch already contained this revision"
        in assert_refused(gated, f"{head}:refs/heads/main").said
    )
    approve(gated, head)
    assert gated.push("dan", ALL_APPROVALS, f"{head}:refs/heads/main").code == 0


@pytest.mark.parametrize("way", [fast_forward, *WAYS])
def test_bypass_spends_approvals(gated: Gated, way: Callable[[Gated, str], str]) -> None:
    head = create_approved_head(gated)
    if way is not fast_forward:
        advance_main(gated)
    before = gated.tip()
    made = way(gated, head)
    gated.push("dan", "+topic", ALL_APPROVALS, f"{made}:refs/heads/free")
    gated.server.git("update-ref", "refs/heads/main", made)
    gated.push("ada", f"{before}:refs/heads/else")
    gated.server.git("update-ref", "refs/heads/main", before)
    assert "bob does not count: the branch already contained this revision" in assert_refused(gated).said


def test_bypass_spends_no_approval_of_another_change(gated: Gated) -> None:
    other = create_approved_head(gated, name="other")
    head = gated.repo.commit({"app.py": "line\n"}, on="topic", parents=["main"], author=ADA)
    gated.push("ada", "topic", "other", ALL_APPROVALS)
    gated.server.git("update-ref", "refs/heads/main", head)
    gated.repo.branch("main", head)
    squash(gated, other)
    assert gated.push("dan", "main").code == 0


def test_approvals_are_spent_for_one_branch_only(gated: Gated) -> None:
    assert gated.push("ada", "main:refs/heads/release/1").code == 0
    gated.repo.branch("release/1", "main")
    head = create_approved_head(gated)
    land_head(gated, head, fast_forward)
    for person in ("bob", "carol"):
        gated.approve(person, head, onto="release/1")
    assert gated.push("bob", ALL_APPROVALS).code == 0
    gated.server.git("update-ref", "refs/heads/main", gated.base)
    assert gated.push("dan", f"{head}:refs/heads/release/1").code == 0
    assert_refused(gated, f"{head}:refs/heads/main")


def stack_heads(gated: Gated, count: int) -> list[str]:
    """Heads, each on top of the one before and approved by two others."""
    heads: list[str] = []
    for number in range(count):
        heads.append(
            gated.repo.commit(
                {f"part{number}.py": "z = 1\n"}, on="topic", parents=[heads[-1] if heads else "main"], author=ADA
            )
        )
    for head in heads:
        approve(gated, head)
    assert gated.push("ada", "topic", ALL_APPROVALS).code == 0
    return heads


def test_partly_merged_stack_keeps_the_approvals_of_the_rest(gated: Gated) -> None:
    heads = stack_heads(gated, 5)
    land_head(gated, heads[2], fast_forward)
    assert gated.push("dan", f"{heads[4]}:refs/heads/main").code == 0


def test_partly_merged_stack_spends_the_approvals_of_the_merged_part(gated: Gated) -> None:
    heads = stack_heads(gated, 5)
    land_head(gated, heads[2], squash)
    back = gated.repo.commit(on="revert", tree=gated.repo.tree_of(gated.base), parents=["main"], author=ADA)
    approve(gated, back)
    land_head(gated, back, fast_forward)
    start = gated.tip()
    for head in heads[1:3]:
        gated.repo.branch("main", start)
        squash(gated, head)
        assert "bob does not count: the branch already contained this revision" in assert_refused(gated).said
    gated.repo.branch("main", start)
    squash(gated, heads[4])
    assert gated.push("dan", "main").code == 0


def test_allowed_push_that_git_failed_to_execute_may_be_repeated(gated: Gated) -> None:
    head = create_approved_head(gated)
    lock = gated.server.path / "refs" / "heads" / "main.lock"
    lock.write_text("")
    failed = gated.push("dan", ALL_APPROVALS, f"{head}:refs/heads/main")
    assert failed.code == 1
    assert "allowed" in failed.said
    assert gated.tip() == gated.base
    lock.unlink()
    assert gated.push("dan", f"{head}:refs/heads/main").code == 0
    outcomes = [entry.outcome for entry in gated.entries() if isinstance(entry, record_kinds.DecisionRecord)]
    assert outcomes == ["allow", "allow"]


def test_killed_post_receive_hook_still_spends_approvals(gated: Gated) -> None:
    (gated.server.path / "hooks" / "post-receive").unlink()
    head = create_approved_head(gated)
    land_head(gated, head, squash)
    revert_main(gated)
    squash(gated, head)
    assert "bob does not count: the branch already contained this revision" in assert_refused(gated).said


def test_approval_that_arrived_without_the_hook_is_spent(tmp_path: Path, keys: dict[str, Path]) -> None:
    gated = Gated(tmp_path, keys)
    head = gated.change()
    for person in ("bob", "carol"):
        gated.approve(person, head)
    gated.server.git("fetch", "-q", str(gated.repo.path), "topic:topic", ALL_APPROVALS)
    denied = gated.push("ada", f"{head}:refs/heads/main")
    assert denied.code == 1
    assert "bob does not count: the branch already contained this revision" in denied.said


def list_decisions(gated: Gated) -> list[record_kinds.DecisionRecord]:
    return [entry for entry in gated.entries() if isinstance(entry, record_kinds.DecisionRecord)]


def test_list_of_heads_that_differs_from_its_record_denies(gated: Gated) -> None:
    head = create_approved_head(gated)
    land_head(gated, head, squash)
    digest = list_decisions(gated)[-1].included_heads.removeprefix("sha256:")
    (gated.home / "objects" / digest[:2] / digest[2:]).write_bytes(b"spoilt")
    for file in (gated.home / "cache").iterdir():
        file.unlink()
    other = create_approved_head(gated, GOOD, "other")
    squash(gated, other)
    assert "does not match its name" in assert_refused(gated).said
    assert os.listdir(gated.home / "cache")


def test_rebuilt_cache_knows_spent_approvals(gated: Gated) -> None:
    head = create_approved_head(gated)
    land_head(gated, head, squash)
    revert_main(gated)
    for file in (gated.home / "cache").iterdir():
        file.unlink()
    squash(gated, head)
    assert "bob does not count: the branch already contained this revision" in assert_refused(gated).said


def test_replayed_decision_uses_its_included_heads(gated: Gated, capsys: pytest.CaptureFixture[str]) -> None:
    head = create_approved_head(gated)
    land_head(gated, head, squash)
    assert all(entry.included_heads for entry in list_decisions(gated))
    capsys.readouterr()
    numbers = [at for at, entry in enumerate(gated.entries()) if isinstance(entry, record_kinds.DecisionRecord)]
    for number in numbers:
        assert run_command_line(["replay", "--entry", str(number), "--home", str(gated.home)]) == 0
    assert "differs" not in capsys.readouterr().out


def test_check_without_the_ledger_reports_spent_approvals_as_unknown(
    gated: Gated, capsys: pytest.CaptureFixture[str]
) -> None:
    head = create_approved_head(gated)
    capsys.readouterr()
    laptop = subprocess.run(
        ["cp", "-r", gated.home / "policy.toml", gated.home / "people.toml", gated.repo.path / ".git"]
    )
    assert laptop.returncode == 0
    asked = ["check", "--repo", str(gated.repo.path), "--home", str(gated.repo.path / ".git"), "--head", head]
    run_command_line(asked)
    assert "only the ledger knows whether approvals are spent" in " ".join(capsys.readouterr().out.split())


def test_check_with_the_ledger_knows_spent_approvals(gated: Gated, capsys: pytest.CaptureFixture[str]) -> None:
    head = create_approved_head(gated)
    land_head(gated, head, squash)
    revert_main(gated)
    squash(gated, head)
    gated.push("dan", "main:free")
    capsys.readouterr()
    made = gated.repo.tip("main")
    asked = ["check", "--repo", gated.url, "--home", str(gated.home), "--onto", "main", "--head", made]
    assert run_command_line(asked) == 1
    out = " ".join(capsys.readouterr().out.split())
    assert "bob does not count: the branch already contained this revision" in out
    assert "only the ledger knows" not in out


def test_statement_copied_to_another_commit_keeps_its_age(gated: Gated) -> None:
    head = create_approved_head(gated)
    land_head(gated, head, squash)
    revert_main(gated)
    squash(gated, head)
    for person in ("bob", "carol"):
        ref = f"{APPROVALS}{head}/{person}"
        tree = gated.repo.tree_of(ref)
        gated.server.git("update-ref", "-d", ref)  # as if the ref were a new one, at which nothing lies
        gated.repo.branch(ref, gated.repo.commit(on="", tree=tree, parents=[], message="another\n"))
    assert (
        "bob does not count: the branch already contained this revision"
        in assert_refused(gated, ALL_APPROVALS, "main").said
    )
