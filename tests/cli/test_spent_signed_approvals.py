"""Approvals of a head are spent once the branch takes that head: real pushes to a bare repository with the hook."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from muniment.cli.command_line import run_command_line
from muniment.ledger import record_kinds
from tests.support.hooked_remote import APPROVALS, HookedRemote, PushOutcome

ALL_APPROVALS = f"{APPROVALS}*:{APPROVALS}*"
ADA, DAN = "Ada <ada@example.test>", "Dan <dan@example.test>"
GOOD, BAD = "x = 2\n", "x = 666\n"


@pytest.fixture
def remote(tmp_path: Path, keys: dict[str, Path]) -> HookedRemote:
    return HookedRemote(tmp_path, keys)


def approve(remote: HookedRemote, head: str, *people: str, onto: str = "main") -> None:
    """Sign statements of two others, which the next push of ALL_APPROVALS sends."""
    for person in people or ("bob", "carol"):
        remote.approve(person, head, onto=onto)


def create_approved_head(remote: HookedRemote, text: str = BAD, name: str = "topic") -> str:
    """Head on its own branch that two others approved; nothing of it is pushed yet."""
    head = remote.commit(name, text=text)
    approve(remote, head)
    return head


def amend_head(remote: HookedRemote, head: str, text: str, name: str = "topic") -> str:
    """Next head of the same change, in place of the earlier one."""
    remote.push("ada", f"+{name}", ALL_APPROVALS)
    made = remote.repo.commit({"lib.py": text}, on=name, parents=[f"{head}~1"], author=ADA)
    approve(remote, made)
    return made


def fast_forward(remote: HookedRemote, head: str) -> str:
    remote.repo.branch("main", head)
    return head


def merge(remote: HookedRemote, head: str) -> str:
    return remote.repo.merge(head, on="main", author=DAN)


def squash(remote: HookedRemote, head: str) -> str:
    return remote.repo.commit(on="main", tree=remote.repo.merged_tree("main", head), author=DAN)


def rebase(remote: HookedRemote, head: str) -> str:
    tree = remote.repo.merged_tree("main", head)
    return remote.repo.commit(on="main", tree=tree, author=ADA, committer=DAN)


WAYS = [merge, squash, rebase]


def land_head(remote: HookedRemote, head: str, way: Callable[[HookedRemote, str], str]) -> str:
    """Push the result of `way` for a head to main, with the statements and branches that are not there yet."""
    made = way(remote, head)
    branches = [f"+{name}" for name in ("topic", "other") if remote.repo.tip(name)]
    pushed = remote.push("dan", *branches, ALL_APPROVALS, "main")
    assert pushed.code == 0, pushed.text
    assert remote.tip() == made
    return made


def advance_main(remote: HookedRemote) -> None:
    """Advance main, so that the change is no longer based on its tip."""
    other = remote.repo.commit({"other.py": "y = 1\n"}, on="moved", parents=["main"], author=ADA)
    approve(remote, other)
    land_head(remote, other, fast_forward)


def revert_main(remote: HookedRemote) -> str:
    """Restore the earlier content of main by a change of its own that two others approved."""
    back = remote.repo.commit({"lib.py": "x = 1\n"}, on="revert", parents=["main"], author=ADA)
    approve(remote, back)
    return land_head(remote, back, fast_forward)


def assert_refused(remote: HookedRemote, *refspecs: str) -> PushOutcome:
    before = remote.tip()
    pushed = remote.push("dan", *(refspecs or ("main",)))
    assert pushed.code == 1, pushed.text
    assert remote.tip() == before
    return pushed


@pytest.mark.parametrize(("landed", "again"), [(squash, merge), (rebase, squash), (squash, rebase)])
def test_old_approvals_cannot_merge_a_reverted_change_again(
    remote: HookedRemote, landed: Callable[[HookedRemote, str], str], again: Callable[[HookedRemote, str], str]
) -> None:
    head = create_approved_head(remote)
    advance_main(remote)
    land_head(remote, head, landed)
    revert_main(remote)
    again(remote, head)
    assert "bob does not count: the branch already contained this revision" in assert_refused(remote).line


@pytest.mark.parametrize("again", WAYS)
def test_approvals_of_an_amended_head_cannot_merge_it_after_a_revert(
    remote: HookedRemote, again: Callable[[HookedRemote, str], str]
) -> None:
    earlier = create_approved_head(remote, BAD)
    later = amend_head(remote, earlier, GOOD)
    land_head(remote, later, squash)
    revert_main(remote)
    again(remote, earlier)
    assert "bob does not count: the branch already contained this revision" in assert_refused(remote).line


@pytest.mark.parametrize("landed", [fast_forward, *WAYS])
def test_approvals_of_a_change_cannot_merge_the_revert_of_its_revert(
    remote: HookedRemote, landed: Callable[[HookedRemote, str], str]
) -> None:
    head = create_approved_head(remote)
    taken = land_head(remote, head, landed)
    revert_main(remote)
    remote.repo.commit(on="main", tree=remote.repo.tree_of(taken), author=DAN)
    assert_refused(remote)


def test_head_with_new_approvals_is_accepted_again(remote: HookedRemote) -> None:
    head = create_approved_head(remote)
    land_head(remote, head, squash)
    revert_main(remote)
    squash(remote, head)
    approve(remote, head, "bob")
    assert remote.push("bob", ALL_APPROVALS).code == 0
    assert "1 of 2 required approvals (bob)" in assert_refused(remote).line
    approve(remote, head, "carol")
    assert remote.push("carol", ALL_APPROVALS).code == 0
    assert remote.push("dan", "main").code == 0


def test_statement_in_the_same_push_is_newer_than_the_merged_head(remote: HookedRemote) -> None:
    head = create_approved_head(remote)
    land_head(remote, head, squash)
    revert_main(remote)
    again = squash(remote, head)
    remote.approve("bob", head)
    remote.approve("carol", head)
    assert remote.push("dan", ALL_APPROVALS, "main").code == 0
    assert remote.tip() == again


def test_statement_of_a_denied_push_is_as_old_as_that_push(remote: HookedRemote) -> None:
    head = remote.commit(text=BAD)
    approve(remote, head, "bob", "sue")
    assert remote.push("bob", "topic", ALL_APPROVALS).code == 0
    remote.approve("carol", head)
    other = remote.commit("worse", text="x = 3\n")
    assert remote.push("carol", f"{APPROVALS}{head}/carol", f"{other}:refs/heads/main").code == 1
    land_head(remote, head, squash)
    revert_main(remote)
    again = squash(remote, head)
    pushed = remote.push("carol", f"{APPROVALS}{head}/carol", "main")
    assert pushed.code == 1
    assert "carol does not count: the branch already contained this revision" in pushed.line
    assert remote.tip() != again


def test_rewinding_the_branch_restores_no_approval(remote: HookedRemote) -> None:
    head = create_approved_head(remote)
    land_head(remote, head, fast_forward)
    remote.server.git("update-ref", "refs/heads/main", remote.base)
    assert (
        "bob does not count: the branch already contained this revision"
        in assert_refused(remote, f"{head}:refs/heads/main").line
    )
    approve(remote, head)
    assert remote.push("dan", ALL_APPROVALS, f"{head}:refs/heads/main").code == 0


@pytest.mark.parametrize("way", [fast_forward, *WAYS])
def test_bypass_spends_approvals(remote: HookedRemote, way: Callable[[HookedRemote, str], str]) -> None:
    head = create_approved_head(remote)
    if way is not fast_forward:
        advance_main(remote)
    before = remote.tip()
    made = way(remote, head)
    remote.push("dan", "+topic", ALL_APPROVALS, f"{made}:refs/heads/free")
    remote.server.git("update-ref", "refs/heads/main", made)
    remote.push("ada", f"{before}:refs/heads/else")
    remote.server.git("update-ref", "refs/heads/main", before)
    assert "bob does not count: the branch already contained this revision" in assert_refused(remote).line


def test_bypass_spends_no_approval_of_another_change(remote: HookedRemote) -> None:
    other = create_approved_head(remote, name="other")
    head = remote.repo.commit({"app.py": "line\n"}, on="topic", parents=["main"], author=ADA)
    remote.push("ada", "topic", "other", ALL_APPROVALS)
    remote.server.git("update-ref", "refs/heads/main", head)
    remote.repo.branch("main", head)
    squash(remote, other)
    assert remote.push("dan", "main").code == 0


def test_approvals_are_spent_for_one_branch_only(remote: HookedRemote) -> None:
    assert remote.push("ada", "main:refs/heads/release/1").code == 0
    remote.repo.branch("release/1", "main")
    head = create_approved_head(remote)
    land_head(remote, head, fast_forward)
    for person in ("bob", "carol"):
        remote.approve(person, head, onto="release/1")
    assert remote.push("bob", ALL_APPROVALS).code == 0
    remote.server.git("update-ref", "refs/heads/main", remote.base)
    assert remote.push("dan", f"{head}:refs/heads/release/1").code == 0
    assert_refused(remote, f"{head}:refs/heads/main")


def stack_heads(remote: HookedRemote, count: int) -> list[str]:
    """Heads, each on top of the one before and approved by two others."""
    heads: list[str] = []
    for number in range(count):
        heads.append(
            remote.repo.commit(
                {f"part{number}.py": "z = 1\n"}, on="topic", parents=[heads[-1] if heads else "main"], author=ADA
            )
        )
    for head in heads:
        approve(remote, head)
    assert remote.push("ada", "topic", ALL_APPROVALS).code == 0
    return heads


def test_partly_merged_stack_keeps_the_approvals_of_the_rest(remote: HookedRemote) -> None:
    heads = stack_heads(remote, 5)
    land_head(remote, heads[2], fast_forward)
    assert remote.push("dan", f"{heads[4]}:refs/heads/main").code == 0


def test_partly_merged_stack_spends_the_approvals_of_the_merged_part(remote: HookedRemote) -> None:
    heads = stack_heads(remote, 5)
    land_head(remote, heads[2], squash)
    back = remote.repo.commit(on="revert", tree=remote.repo.tree_of(remote.base), parents=["main"], author=ADA)
    approve(remote, back)
    land_head(remote, back, fast_forward)
    start = remote.tip()
    for head in heads[1:3]:
        remote.repo.branch("main", start)
        squash(remote, head)
        assert "bob does not count: the branch already contained this revision" in assert_refused(remote).line
    remote.repo.branch("main", start)
    squash(remote, heads[4])
    assert remote.push("dan", "main").code == 0


def test_allowed_push_that_git_failed_to_execute_may_be_repeated(remote: HookedRemote) -> None:
    head = create_approved_head(remote)
    lock = remote.server.path / "refs" / "heads" / "main.lock"
    lock.write_text("")
    failed = remote.push("dan", ALL_APPROVALS, f"{head}:refs/heads/main")
    assert failed.code == 1
    assert "allowed" in failed.line
    assert remote.tip() == remote.base
    lock.unlink()
    assert remote.push("dan", f"{head}:refs/heads/main").code == 0
    outcomes = [entry.outcome for entry in remote.read_records() if isinstance(entry, record_kinds.DecisionRecord)]
    assert outcomes == ["allow", "allow"]


def test_killed_post_receive_hook_still_spends_approvals(remote: HookedRemote) -> None:
    (remote.server.path / "hooks" / "post-receive").unlink()
    head = create_approved_head(remote)
    land_head(remote, head, squash)
    revert_main(remote)
    squash(remote, head)
    assert "bob does not count: the branch already contained this revision" in assert_refused(remote).line


def test_approval_that_arrived_without_the_hook_is_spent(tmp_path: Path, keys: dict[str, Path]) -> None:
    remote = HookedRemote(tmp_path, keys)
    head = remote.commit()
    for person in ("bob", "carol"):
        remote.approve(person, head)
    remote.server.git("fetch", "-q", str(remote.repo.path), "topic:topic", ALL_APPROVALS)
    denied = remote.push("ada", f"{head}:refs/heads/main")
    assert denied.code == 1
    assert "bob does not count: the branch already contained this revision" in denied.line


def list_decisions(remote: HookedRemote) -> list[record_kinds.DecisionRecord]:
    return [entry for entry in remote.read_records() if isinstance(entry, record_kinds.DecisionRecord)]


def test_list_of_heads_that_differs_from_its_record_denies(remote: HookedRemote) -> None:
    head = create_approved_head(remote)
    land_head(remote, head, squash)
    digest = list_decisions(remote)[-1].included_heads.removeprefix("sha256:")
    (remote.home / "objects" / digest[:2] / digest[2:]).write_bytes(b"spoilt")
    for file in (remote.home / "cache").iterdir():
        file.unlink()
    other = create_approved_head(remote, GOOD, "other")
    squash(remote, other)
    assert "does not match its name" in assert_refused(remote).line
    assert os.listdir(remote.home / "cache")


def test_rebuilt_cache_knows_spent_approvals(remote: HookedRemote) -> None:
    head = create_approved_head(remote)
    land_head(remote, head, squash)
    revert_main(remote)
    for file in (remote.home / "cache").iterdir():
        file.unlink()
    squash(remote, head)
    assert "bob does not count: the branch already contained this revision" in assert_refused(remote).line


def test_replayed_decision_uses_its_included_heads(remote: HookedRemote, capsys: pytest.CaptureFixture[str]) -> None:
    head = create_approved_head(remote)
    land_head(remote, head, squash)
    assert all(entry.included_heads for entry in list_decisions(remote))
    capsys.readouterr()
    numbers = [at for at, entry in enumerate(remote.read_records()) if isinstance(entry, record_kinds.DecisionRecord)]
    for number in numbers:
        assert run_command_line(["replay", "--entry", str(number), "--home", str(remote.home)]) == 0
    assert "differs" not in capsys.readouterr().out


def test_check_without_the_ledger_reports_spent_approvals_as_unknown(
    remote: HookedRemote, capsys: pytest.CaptureFixture[str]
) -> None:
    head = create_approved_head(remote)
    capsys.readouterr()
    laptop = subprocess.run(
        ["cp", "-r", remote.home / "policy.toml", remote.home / "people.toml", remote.repo.path / ".git"]
    )
    assert laptop.returncode == 0
    asked = ["check", "--repo", str(remote.repo.path), "--home", str(remote.repo.path / ".git"), "--head", head]
    run_command_line(asked)
    assert "only the ledger knows whether approvals are spent" in " ".join(capsys.readouterr().out.split())


def test_check_with_the_ledger_knows_spent_approvals(remote: HookedRemote, capsys: pytest.CaptureFixture[str]) -> None:
    head = create_approved_head(remote)
    land_head(remote, head, squash)
    revert_main(remote)
    squash(remote, head)
    remote.push("dan", "main:free")
    capsys.readouterr()
    made = remote.repo.tip("main")
    asked = ["check", "--repo", remote.url, "--home", str(remote.home), "--onto", "main", "--head", made]
    assert run_command_line(asked) == 1
    out = " ".join(capsys.readouterr().out.split())
    assert "bob does not count: the branch already contained this revision" in out
    assert "only the ledger knows" not in out


def test_statement_copied_to_another_commit_keeps_its_age(remote: HookedRemote) -> None:
    head = create_approved_head(remote)
    land_head(remote, head, squash)
    revert_main(remote)
    squash(remote, head)
    for person in ("bob", "carol"):
        ref = f"{APPROVALS}{head}/{person}"
        tree = remote.repo.tree_of(ref)
        remote.server.git("update-ref", "-d", ref)  # as if the ref were a new one, at which nothing lies
        remote.repo.branch(ref, remote.repo.commit(on="", tree=tree, parents=[], message="another\n"))
    assert (
        "bob does not count: the branch already contained this revision"
        in assert_refused(remote, ALL_APPROVALS, "main").line
    )
