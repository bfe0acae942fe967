"""Deletion and rewind of protected refs if no clause protects history: real pushes to a repository with the hook."""

import re
from pathlib import Path

import pytest

from muniment.cli.command_line import run_command_line
from muniment.policy.built_in_policy import format_built_in_policy
from tests.support.hooked_remote import APPROVALS, HookedRemote, PushOutcome

ALL_APPROVALS = f"{APPROVALS}*:{APPROVALS}*"
RELEASE = "refs/heads/release/1"


def policy() -> str:
    """Built-in policy without the clause on protected history, with protected tags."""
    text = format_built_in_policy("sec@example.test", "shop").replace(
        "[[clause]]", '[tags]\nprotected = ["v*"]\n\n[[clause]]', 1
    )
    match = re.search(r'\[\[clause\]\]\nid = "history\.protected".*?(?=\n\[\[|\Z)', text, re.DOTALL)
    assert match is not None
    return text.replace(match[0], "")


@pytest.fixture
def remote(tmp_path: Path, keys: dict[str, Path]) -> HookedRemote:
    found = HookedRemote(tmp_path, keys, policy=policy())
    found.repo.branch("release/1", found.base)
    found.repo.branch("refs/tags/v1", found.base)
    assert found.push("ada", "release/1", "v1").code == 0
    return found


def approve(remote: HookedRemote, *more: str, people: tuple[str, ...] = ("bob", "sue")) -> None:
    """Sign statements of two others, which the next push of ALL_APPROVALS sends. Sue has the security role."""
    for person in people:
        where = ["--repo", str(remote.repo.path), "--repository", "shop", "--key", str(remote.keys[person])]
        assert run_command_line(["approve", *more, *where, "--answer", "why-large=it is not used any more"]) == 0


def push_deletion(remote: HookedRemote, ref: str = RELEASE, person: str = "dan") -> PushOutcome:
    return remote.push(person, ALL_APPROVALS, f":{ref}")


BOTH = pytest.mark.parametrize("ref", [RELEASE, "refs/tags/v1"])


@BOTH
def test_one_developer_cannot_delete_a_protected_branch_or_tag(remote: HookedRemote, ref: str) -> None:
    tip = remote.tip(ref)
    assert remote.push("dan", f":{ref}").code == 1
    approve(remote, "--delete", ref, people=("bob",))
    assert "needs approvals of its own: 1 of 2 required (bob)" in push_deletion(remote, ref).line
    assert remote.tip(ref) == tip


@BOTH
def test_deletion_approved_by_two_others_is_accepted_once(remote: HookedRemote, ref: str) -> None:
    approve(remote, "--delete", ref)
    pushed = push_deletion(remote, ref)
    assert pushed.code == 0, pushed.text
    assert remote.tip(ref) == ""
    assert remote.push("ada", f"{remote.base}:{ref}").code == 0
    assert "bob does not count: the branch already contained this revision" in push_deletion(remote, ref).line


def test_pusher_of_a_deletion_does_not_count_as_its_approver(remote: HookedRemote) -> None:
    approve(remote, "--delete", RELEASE)
    assert "bob does not count: they contributed to the change" in push_deletion(remote, person="bob").line


def test_deletion_approval_is_for_one_ref_at_one_tip(remote: HookedRemote) -> None:
    remote.repo.branch("release/2", remote.base)
    remote.push("ada", "release/2")
    approve(remote, "--delete", "refs/heads/release/2")
    assert push_deletion(remote).code == 1
    approve(remote, "--delete", RELEASE)
    head = remote.commit()
    remote.approve("bob", head, onto="release/1")
    remote.approve("carol", head, onto="release/1")
    assert remote.push("dan", ALL_APPROVALS, f"{head}:{RELEASE}").code == 0
    assert push_deletion(remote).code == 1
    assert remote.tip(RELEASE) == head


def test_approval_of_a_change_does_not_approve_deletion_of_its_head(remote: HookedRemote) -> None:
    for person in ("bob", "sue"):
        remote.approve(person, remote.base, onto="release/1")
    assert "bob does not count: it approves something else" in push_deletion(remote).line


@pytest.fixture
def grown(remote: HookedRemote) -> str:
    """Head by which the release branch advanced from its first one."""
    head = remote.commit()
    remote.approve("bob", head, onto="release/1")
    remote.approve("carol", head, onto="release/1")
    assert remote.push("dan", ALL_APPROVALS, f"{head}:{RELEASE}").code == 0
    remote.repo.branch("release/1", head)
    return head


def push_rewind(remote: HookedRemote, person: str = "dan") -> PushOutcome:
    return remote.push(person, ALL_APPROVALS, f"+{remote.base}:{RELEASE}")


def test_one_developer_cannot_rewind_a_protected_branch(remote: HookedRemote, grown: str) -> None:
    assert push_rewind(remote).code == 1
    approve(remote, remote.base, "--rewind", "--onto", "release/1", people=("bob",))
    assert push_rewind(remote).code == 1
    assert remote.tip(RELEASE) == grown


def test_approved_rewind_is_accepted_and_its_commits_need_new_approvals(remote: HookedRemote, grown: str) -> None:
    approve(remote, remote.base, "--rewind", "--onto", "release/1")
    assert "bob does not count: they contributed to the change" in push_rewind(remote, "bob").line
    pushed = push_rewind(remote)
    assert pushed.code == 0, pushed.text
    assert (
        "bob does not count: the branch already contained this revision"
        in remote.push("dan", f"{grown}:{RELEASE}").line
    )
    assert remote.tip(RELEASE) == remote.base


def test_rewind_approval_is_for_the_replaced_tip(remote: HookedRemote, grown: str) -> None:
    approve(remote, remote.base, "--rewind", "--onto", "release/1")
    later = remote.repo.commit({"lib.py": "x = 3\n"}, on="topic", author="Ada <ada@example.test>")
    remote.approve("bob", later, onto="release/1")
    remote.approve("carol", later, onto="release/1")
    assert remote.push("dan", ALL_APPROVALS, f"{later}:{RELEASE}").code == 0
    assert "bob does not count: the branch was elsewhere then" in push_rewind(remote).line
    assert remote.tip(RELEASE) == later != grown


def test_protected_tag_moves_only_with_approval_of_two_others(remote: HookedRemote) -> None:
    head = remote.commit()
    remote.push("ada", "topic")
    moved = (f"+{head}:refs/tags/v1",)
    assert remote.push("dan", *moved).code == 1
    approve(remote, head, "--rewind", "--onto", "refs/tags/v1")
    assert remote.push("dan", ALL_APPROVALS, *moved).code == 0
    assert remote.tip("refs/tags/v1") == head


def test_deletion_of_product_protection_requires_the_security_role(remote: HookedRemote) -> None:
    head = remote.repo.commit(
        {"auth/login.py": "x = 1\n"}, on="sensitive", parents=["main"], author="Ada <ada@example.test>"
    )
    remote.server.git("fetch", "-q", str(remote.repo.path), f"+{head}:{RELEASE}")
    remote.repo.branch("release/1", head)
    approve(remote, "--delete", RELEASE, people=("bob", "carol"))
    assert "security" in push_deletion(remote).line
    assert remote.tip(RELEASE) == head


def test_history_clause_denies_deletion_and_rewind_despite_approvals(tmp_path: Path, keys: dict[str, Path]) -> None:
    remote = HookedRemote(tmp_path, keys)
    remote.repo.branch("release/1", remote.base)
    remote.push("ada", "release/1")
    approve(remote, "--delete", RELEASE)
    assert "would be deleted" in push_deletion(remote).line
    assert remote.tip(RELEASE) == remote.base


def test_installation_doctor_and_check_report_that_no_clause_protects_history(
    remote: HookedRemote, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["--home", str(remote.home), "--repo", str(remote.server.path)]
    for command in (
        ["hook", "install", *asked],
        ["doctor", *asked],
        ["policy", "check", str(remote.home / "policy.toml")],
    ):
        capsys.readouterr()
        run_command_line(command)
        assert "no clause protects history" in " ".join(capsys.readouterr().out.split())


def test_denied_deletion_names_no_command_that_would_show_something_else(remote: HookedRemote) -> None:
    """`muniment check` evaluates what is checked out, never a deletion."""
    for branch in ("main", "release/7", "release/8"):
        approve(remote, remote.base, "--onto", f"refs/heads/{branch}", people=("bob", "sue", "carol"))
    pushed = push_deletion(remote)
    assert "more lines" in pushed.line
    assert "muniment check" not in pushed.line
