"""Deletion and rewind of protected refs if no clause protects history: real pushes to a repository with the hook."""

import re
from pathlib import Path

import pytest

from muniment.cli.command_line import run_command_line
from muniment.policy.built_in_policy import format_built_in_policy
from tests.support.gated import APPROVALS, Gated, Pushed

ALL_APPROVALS = f"{APPROVALS}*:{APPROVALS}*"
RELEASE = "refs/heads/release/1"


def policy() -> str:
    """Built-in policy without the clause on protected history, with protected tags."""
    text = format_built_in_policy("sec@example.test", "shop").replace(
        "[[clause]]", '[tags]\nprotected = ["v*"]\n\n[[clause]]', 1
    )
    kept = re.search(r'\[\[clause\]\]\nid = "history\.protected".*?(?=\n\[\[|\Z)', text, re.DOTALL)
    assert kept is not None
    return text.replace(kept[0], "")


@pytest.fixture
def gated(tmp_path: Path, keys: dict[str, Path]) -> Gated:
    found = Gated(tmp_path, keys, policy=policy())
    found.repo.branch("release/1", found.base)
    found.repo.branch("refs/tags/v1", found.base)
    assert found.push("ada", "release/1", "v1").code == 0
    return found


def approve(gated: Gated, *more: str, people: tuple[str, ...] = ("bob", "sue")) -> None:
    """Sign statements of two others, which the next push of ALL_APPROVALS sends. Sue has the security role."""
    for person in people:
        where = ["--repo", str(gated.repo.path), "--repository", "shop", "--key", str(gated.keys[person])]
        assert run_command_line(["approve", *more, *where, "--answer", "why-large=it is not used any more"]) == 0


def push_deletion(gated: Gated, ref: str = RELEASE, person: str = "dan") -> Pushed:
    return gated.push(person, ALL_APPROVALS, f":{ref}")


BOTH = pytest.mark.parametrize("ref", [RELEASE, "refs/tags/v1"])


@BOTH
def test_one_developer_cannot_delete_a_protected_branch_or_tag(gated: Gated, ref: str) -> None:
    tip = gated.tip(ref)
    assert gated.push("dan", f":{ref}").code == 1
    approve(gated, "--delete", ref, people=("bob",))
    assert "1 of 2 required approvals" in push_deletion(gated, ref).said
    assert gated.tip(ref) == tip


@BOTH
def test_deletion_approved_by_two_others_is_accepted_once(gated: Gated, ref: str) -> None:
    approve(gated, "--delete", ref)
    pushed = push_deletion(gated, ref)
    assert pushed.code == 0, pushed.text
    assert gated.tip(ref) == ""
    assert gated.push("ada", f"{gated.base}:{ref}").code == 0
    assert "bob does not count: the branch already contained this revision" in push_deletion(gated, ref).said


def test_pusher_of_a_deletion_does_not_count_as_its_approver(gated: Gated) -> None:
    approve(gated, "--delete", RELEASE)
    assert "bob does not count: they contributed to the change" in push_deletion(gated, person="bob").said


def test_deletion_approval_is_for_one_ref_at_one_tip(gated: Gated) -> None:
    gated.repo.branch("release/2", gated.base)
    gated.push("ada", "release/2")
    approve(gated, "--delete", "refs/heads/release/2")
    assert push_deletion(gated).code == 1
    approve(gated, "--delete", RELEASE)
    head = gated.change()
    gated.approve("bob", head, onto="release/1")
    gated.approve("carol", head, onto="release/1")
    assert gated.push("dan", ALL_APPROVALS, f"{head}:{RELEASE}").code == 0
    assert push_deletion(gated).code == 1
    assert gated.tip(RELEASE) == head


def test_approval_of_a_change_does_not_approve_deletion_of_its_head(gated: Gated) -> None:
    for person in ("bob", "sue"):
        gated.approve(person, gated.base, onto="release/1")
    assert "bob does not count: it approves something else" in push_deletion(gated).said


@pytest.fixture
def grown(gated: Gated) -> str:
    """Head by which the release branch advanced from its first one."""
    head = gated.change()
    gated.approve("bob", head, onto="release/1")
    gated.approve("carol", head, onto="release/1")
    assert gated.push("dan", ALL_APPROVALS, f"{head}:{RELEASE}").code == 0
    gated.repo.branch("release/1", head)
    return head


def push_rewind(gated: Gated, person: str = "dan") -> Pushed:
    return gated.push(person, ALL_APPROVALS, f"+{gated.base}:{RELEASE}")


def test_one_developer_cannot_rewind_a_protected_branch(gated: Gated, grown: str) -> None:
    assert push_rewind(gated).code == 1
    approve(gated, gated.base, "--rewind", "--onto", "release/1", people=("bob",))
    assert push_rewind(gated).code == 1
    assert gated.tip(RELEASE) == grown


def test_approved_rewind_is_accepted_and_its_commits_need_new_approvals(gated: Gated, grown: str) -> None:
    approve(gated, gated.base, "--rewind", "--onto", "release/1")
    assert "bob does not count: they contributed to the change" in push_rewind(gated, "bob").said
    pushed = push_rewind(gated)
    assert pushed.code == 0, pushed.text
    assert (
        "bob does not count: the branch already contained this revision" in gated.push("dan", f"{grown}:{RELEASE}").said
    )
    assert gated.tip(RELEASE) == gated.base


def test_rewind_approval_is_for_the_replaced_tip(gated: Gated, grown: str) -> None:
    approve(gated, gated.base, "--rewind", "--onto", "release/1")
    later = gated.repo.commit({"lib.py": "x = 3\n"}, on="topic", author="Ada <ada@example.test>")
    gated.approve("bob", later, onto="release/1")
    gated.approve("carol", later, onto="release/1")
    assert gated.push("dan", ALL_APPROVALS, f"{later}:{RELEASE}").code == 0
    assert "bob does not count: the branch was elsewhere then" in push_rewind(gated).said
    assert gated.tip(RELEASE) == later != grown


def test_protected_tag_moves_only_with_approval_of_two_others(gated: Gated) -> None:
    head = gated.change()
    gated.push("ada", "topic")
    moved = (f"+{head}:refs/tags/v1",)
    assert gated.push("dan", *moved).code == 1
    approve(gated, head, "--rewind", "--onto", "refs/tags/v1")
    assert gated.push("dan", ALL_APPROVALS, *moved).code == 0
    assert gated.tip("refs/tags/v1") == head


def test_deletion_of_product_protection_requires_the_security_role(gated: Gated) -> None:
    head = gated.repo.commit(
        {"auth/login.py": "x = 1\n"}, on="sensitive", parents=["main"], author="Ada <ada@example.test>"
    )
    gated.server.git("fetch", "-q", str(gated.repo.path), f"+{head}:{RELEASE}")
    gated.repo.branch("release/1", head)
    approve(gated, "--delete", RELEASE, people=("bob", "carol"))
    assert "security" in push_deletion(gated).said
    assert gated.tip(RELEASE) == head


def test_history_clause_denies_deletion_and_rewind_despite_approvals(tmp_path: Path, keys: dict[str, Path]) -> None:
    gated = Gated(tmp_path, keys)
    gated.repo.branch("release/1", gated.base)
    gated.push("ada", "release/1")
    approve(gated, "--delete", RELEASE)
    assert "would be deleted" in push_deletion(gated).said
    assert gated.tip(RELEASE) == gated.base


def test_installation_doctor_and_check_report_that_no_clause_protects_history(
    gated: Gated, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["--home", str(gated.home), "--repo", str(gated.server.path)]
    for command in (
        ["hook", "install", *asked],
        ["doctor", *asked],
        ["policy", "check", str(gated.home / "policy.toml")],
    ):
        capsys.readouterr()
        run_command_line(command)
        assert "no clause protects history" in " ".join(capsys.readouterr().out.split())
