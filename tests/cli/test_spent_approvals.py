"""An approval of a head is spent once the branch takes that head: real pushes to a bare repository with the hook."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from muniment.cli.running import run
from muniment.ledger import entries
from tests.support.gated import APPROVALS, Gated, Pushed

ALL_APPROVALS = f"{APPROVALS}*:{APPROVALS}*"
ADA, DAN = "Ada <ada@example.test>", "Dan <dan@example.test>"
GOOD, BAD = "x = 2\n", "x = 666\n"


@pytest.fixture
def gated(tmp_path: Path, keys: dict[str, Path]) -> Gated:
    return Gated(tmp_path, keys)


def approve(gated: Gated, head: str, *people: str, onto: str = "main") -> None:
    """Statements of two others, which the next push of ALL_APPROVALS brings."""
    for person in people or ("bob", "carol"):
        gated.approve(person, head, onto=onto)


def proposed(gated: Gated, text: str = BAD, name: str = "topic") -> str:
    """A head on a branch of its own that two others approved; nothing of it is pushed yet."""
    head = gated.change(name, text=text)
    approve(gated, head)
    return head


def amended(gated: Gated, head: str, text: str, name: str = "topic") -> str:
    """The next head of the same change, in the place of the one before."""
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


def land(gated: Gated, head: str, way: Callable[[Gated, str], str]) -> str:
    """Push what `way` makes of a head to main, with the statements and branches that are not there yet."""
    made = way(gated, head)
    branches = [f"+{name}" for name in ("topic", "other") if gated.repo.tip(name)]
    pushed = gated.push("dan", *branches, ALL_APPROVALS, "main")
    assert pushed.code == 0, pushed.text
    assert gated.tip() == made
    return made


def elsewhere(gated: Gated) -> None:
    """Main moves on, so that the change is no longer made on its tip."""
    other = gated.repo.commit({"other.py": "y = 1\n"}, on="moved", parents=["main"], author=ADA)
    approve(gated, other)
    land(gated, other, fast_forward)


def reverted(gated: Gated) -> str:
    """Main says again what it said before, by a change of its own that two others approved."""
    back = gated.repo.commit({"lib.py": "x = 1\n"}, on="revert", parents=["main"], author=ADA)
    approve(gated, back)
    return land(gated, back, fast_forward)


def refused(gated: Gated, *refspecs: str) -> Pushed:
    before = gated.tip()
    pushed = gated.push("dan", *(refspecs or ("main",)))
    assert pushed.code == 1, pushed.text
    assert gated.tip() == before
    return pushed


@pytest.mark.parametrize(("landed", "again"), [(squash, merge), (rebase, squash), (squash, rebase)])
def test_old_approvals_do_not_land_a_reverted_change_again(
    gated: Gated, landed: Callable[[Gated, str], str], again: Callable[[Gated, str], str]
) -> None:
    head = proposed(gated)
    elsewhere(gated)
    land(gated, head, landed)
    reverted(gated)
    again(gated, head)
    assert "bob does not count: the branch already contained this revision" in refused(gated).said


@pytest.mark.parametrize("again", WAYS)
def test_approvals_of_an_amended_earlier_head_do_not_land_it_after_the_later_one_was_reverted(
    gated: Gated, again: Callable[[Gated, str], str]
) -> None:
    earlier = proposed(gated, BAD)
    later = amended(gated, earlier, GOOD)
    land(gated, later, squash)
    reverted(gated)
    again(gated, earlier)
    assert "bob does not count: the branch already contained this revision" in refused(gated).said


@pytest.mark.parametrize("landed", [fast_forward, *WAYS])
def test_approvals_of_a_change_do_not_land_the_revert_of_its_revert(
    gated: Gated, landed: Callable[[Gated, str], str]
) -> None:
    head = proposed(gated)
    taken = land(gated, head, landed)
    reverted(gated)
    gated.repo.commit(on="main", tree=gated.repo.tree_of(taken), author=DAN)
    refused(gated)


def test_a_head_that_is_approved_anew_lands_again(gated: Gated) -> None:
    head = proposed(gated)
    land(gated, head, squash)
    reverted(gated)
    squash(gated, head)
    approve(gated, head, "bob")
    assert gated.push("bob", ALL_APPROVALS).code == 0
    assert "1 of 2 required approvals (bob)" in refused(gated).said
    approve(gated, head, "carol")
    assert gated.push("carol", ALL_APPROVALS).code == 0
    assert gated.push("dan", "main").code == 0


def test_a_statement_in_the_same_push_is_newer_than_what_landed(gated: Gated) -> None:
    head = proposed(gated)
    land(gated, head, squash)
    reverted(gated)
    again = squash(gated, head)
    gated.approve("bob", head)
    gated.approve("carol", head)
    assert gated.push("dan", ALL_APPROVALS, "main").code == 0
    assert gated.tip() == again


def test_a_statement_that_a_denied_push_brought_is_as_old_as_that_push(gated: Gated) -> None:
    head = gated.change(text=BAD)
    approve(gated, head, "bob", "sue")
    assert gated.push("bob", "topic", ALL_APPROVALS).code == 0
    gated.approve("carol", head)
    other = gated.change("worse", text="x = 3\n")
    assert gated.push("carol", f"{APPROVALS}{head}/carol", f"{other}:refs/heads/main").code == 1
    land(gated, head, squash)
    reverted(gated)
    again = squash(gated, head)
    pushed = gated.push("carol", f"{APPROVALS}{head}/carol", "main")
    assert pushed.code == 1
    assert "carol does not count: the branch already contained this revision" in pushed.said
    assert gated.tip() != again


def test_rewinding_the_branch_restores_no_approval(gated: Gated) -> None:
    head = proposed(gated)
    land(gated, head, fast_forward)
    gated.server.git("update-ref", "refs/heads/main", gated.base)
    assert (
        "bob does not count: the branch already contained this revision"
        in refused(gated, f"{head}:refs/heads/main").said
    )
    approve(gated, head)
    assert gated.push("dan", ALL_APPROVALS, f"{head}:refs/heads/main").code == 0


@pytest.mark.parametrize("way", [fast_forward, *WAYS])
def test_a_bypass_spends_too(gated: Gated, way: Callable[[Gated, str], str]) -> None:
    head = proposed(gated)
    if way is not fast_forward:
        elsewhere(gated)
    before = gated.tip()
    made = way(gated, head)
    gated.push("dan", "+topic", ALL_APPROVALS, f"{made}:refs/heads/free")
    gated.server.git("update-ref", "refs/heads/main", made)
    gated.push("ada", f"{before}:refs/heads/else")
    gated.server.git("update-ref", "refs/heads/main", before)
    assert "bob does not count: the branch already contained this revision" in refused(gated).said


def test_a_bypass_spends_no_approval_of_another_change(gated: Gated) -> None:
    other = proposed(gated, name="other")
    head = gated.repo.commit({"app.py": "line\n"}, on="topic", parents=["main"], author=ADA)
    gated.push("ada", "topic", "other", ALL_APPROVALS)
    gated.server.git("update-ref", "refs/heads/main", head)
    gated.repo.branch("main", head)
    squash(gated, other)
    assert gated.push("dan", "main").code == 0


def test_approvals_are_spent_for_one_branch_only(gated: Gated) -> None:
    assert gated.push("ada", "main:refs/heads/release/1").code == 0
    gated.repo.branch("release/1", "main")
    head = proposed(gated)
    land(gated, head, fast_forward)
    for person in ("bob", "carol"):
        gated.approve(person, head, onto="release/1")
    assert gated.push("bob", ALL_APPROVALS).code == 0
    gated.server.git("update-ref", "refs/heads/main", gated.base)
    assert gated.push("dan", f"{head}:refs/heads/release/1").code == 0
    refused(gated, f"{head}:refs/heads/main")


def stacked(gated: Gated, count: int) -> list[str]:
    """Heads one on the other, each approved by two others."""
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


def test_a_stack_that_landed_in_part_keeps_the_approvals_of_the_rest(gated: Gated) -> None:
    heads = stacked(gated, 5)
    land(gated, heads[2], fast_forward)
    assert gated.push("dan", f"{heads[4]}:refs/heads/main").code == 0


def test_a_stack_that_landed_in_part_spends_the_approvals_of_that_part(gated: Gated) -> None:
    heads = stacked(gated, 5)
    land(gated, heads[2], squash)
    back = gated.repo.commit(on="revert", tree=gated.repo.tree_of(gated.base), parents=["main"], author=ADA)
    approve(gated, back)
    land(gated, back, fast_forward)
    start = gated.tip()
    for head in heads[1:3]:
        gated.repo.branch("main", start)
        squash(gated, head)
        assert "bob does not count: the branch already contained this revision" in refused(gated).said
    gated.repo.branch("main", start)
    squash(gated, heads[4])
    assert gated.push("dan", "main").code == 0


def test_an_allowed_push_that_git_fails_to_carry_out_may_be_pushed_again(gated: Gated) -> None:
    head = proposed(gated)
    lock = gated.server.path / "refs" / "heads" / "main.lock"
    lock.write_text("")
    failed = gated.push("dan", ALL_APPROVALS, f"{head}:refs/heads/main")
    assert failed.code == 1
    assert "allowed" in failed.said
    assert gated.tip() == gated.base
    lock.unlink()
    assert gated.push("dan", f"{head}:refs/heads/main").code == 0
    outcomes = [entry.outcome for entry in gated.entries() if isinstance(entry, entries.DecisionRecord)]
    assert outcomes == ["allow", "allow"]


def test_a_killed_post_receive_spends_all_the_same(gated: Gated) -> None:
    (gated.server.path / "hooks" / "post-receive").unlink()
    head = proposed(gated)
    land(gated, head, squash)
    reverted(gated)
    squash(gated, head)
    assert "bob does not count: the branch already contained this revision" in refused(gated).said


def test_an_approval_from_before_the_hook_is_spent_by_nobody_knows_what(tmp_path: Path, keys: dict[str, Path]) -> None:
    gated = Gated(tmp_path, keys)
    head = gated.change()
    for person in ("bob", "carol"):
        gated.approve(person, head)
    gated.server.git("fetch", "-q", str(gated.repo.path), "topic:topic", ALL_APPROVALS)
    denied = gated.push("ada", f"{head}:refs/heads/main")
    assert denied.code == 1
    assert "bob does not count: the branch already contained this revision" in denied.said


def decisions(gated: Gated) -> list[entries.DecisionRecord]:
    return [entry for entry in gated.entries() if isinstance(entry, entries.DecisionRecord)]


def test_a_list_of_heads_that_does_not_match_its_record_denies(gated: Gated) -> None:
    head = proposed(gated)
    land(gated, head, squash)
    digest = decisions(gated)[-1].included_heads.removeprefix("sha256:")
    (gated.home / "objects" / digest[:2] / digest[2:]).write_bytes(b"spoilt")
    for file in (gated.home / "cache").iterdir():
        file.unlink()
    other = proposed(gated, GOOD, "other")
    squash(gated, other)
    assert "does not match its name" in refused(gated).said
    assert os.listdir(gated.home / "cache")


def test_a_lost_cache_knows_again_what_is_spent(gated: Gated) -> None:
    head = proposed(gated)
    land(gated, head, squash)
    reverted(gated)
    for file in (gated.home / "cache").iterdir():
        file.unlink()
    squash(gated, head)
    assert "bob does not count: the branch already contained this revision" in refused(gated).said


def test_a_decision_replays_with_the_heads_that_it_includes(gated: Gated, capsys: pytest.CaptureFixture[str]) -> None:
    head = proposed(gated)
    land(gated, head, squash)
    assert all(entry.included_heads for entry in decisions(gated))
    capsys.readouterr()
    numbers = [at for at, entry in enumerate(gated.entries()) if isinstance(entry, entries.DecisionRecord)]
    for number in numbers:
        assert run(["replay", "--entry", str(number), "--home", str(gated.home)]) == 0
    assert "differs" not in capsys.readouterr().out


def test_a_check_without_the_ledger_says_that_it_cannot_know_what_is_spent(
    gated: Gated, capsys: pytest.CaptureFixture[str]
) -> None:
    head = proposed(gated)
    capsys.readouterr()
    laptop = subprocess.run(
        ["cp", "-r", gated.home / "policy.toml", gated.home / "people.toml", gated.repo.path / ".git"]
    )
    assert laptop.returncode == 0
    asked = ["check", "--repo", str(gated.repo.path), "--home", str(gated.repo.path / ".git"), "--head", head]
    run(asked)
    assert "only the ledger knows whether approvals are spent" in " ".join(capsys.readouterr().out.split())


def test_a_check_with_the_ledger_knows_what_is_spent(gated: Gated, capsys: pytest.CaptureFixture[str]) -> None:
    head = proposed(gated)
    land(gated, head, squash)
    reverted(gated)
    squash(gated, head)
    gated.push("dan", "main:free")
    capsys.readouterr()
    made = gated.repo.tip("main")
    asked = ["check", "--repo", gated.url, "--home", str(gated.home), "--onto", "main", "--head", made]
    assert run(asked) == 1
    out = " ".join(capsys.readouterr().out.split())
    assert "bob does not count: the branch already contained this revision" in out
    assert "only the ledger knows" not in out


def test_a_statement_that_is_stored_in_another_commit_is_as_old_as_it_was(gated: Gated) -> None:
    head = proposed(gated)
    land(gated, head, squash)
    reverted(gated)
    squash(gated, head)
    for person in ("bob", "carol"):
        ref = f"{APPROVALS}{head}/{person}"
        tree = gated.repo.tree_of(ref)
        gated.server.git("update-ref", "-d", ref)  # as if the ref were a new one, at which nothing lies
        gated.repo.branch(ref, gated.repo.commit(on="", tree=tree, parents=[], message="another\n"))
    assert (
        "bob does not count: the branch already contained this revision" in refused(gated, ALL_APPROVALS, "main").said
    )
