"""Deleting or rewinding a protected ref, where no clause keeps history: real pushes to a repository with the hook."""

import re
from pathlib import Path

import pytest

from muniment.cli.running import run
from muniment.policy.pack import pack_text
from tests.support.gated import APPROVALS, Gated, Pushed

ALL_APPROVALS = f"{APPROVALS}*:{APPROVALS}*"
RELEASE = "refs/heads/release/1"


def policy() -> str:
    """The built-in one without the clause for kept history, with protected tags."""
    text = pack_text("sec@example.test", "shop").replace("[[clause]]", '[tags]\nprotected = ["v*"]\n\n[[clause]]', 1)
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
    """Statements of two others, which the next push of ALL_APPROVALS brings. Sue has the security role."""
    for person in people:
        where = ["--repo", str(gated.repo.path), "--repository", "shop", "--key", str(gated.keys[person])]
        assert run(["approve", *more, *where, "--answer", "why-large=it is not used any more"]) == 0


def removed(gated: Gated, ref: str = RELEASE, person: str = "dan") -> Pushed:
    return gated.push(person, ALL_APPROVALS, f":{ref}")


BOTH = pytest.mark.parametrize("ref", [RELEASE, "refs/tags/v1"])


@BOTH
def test_one_developer_deletes_no_protected_branch_or_tag(gated: Gated, ref: str) -> None:
    tip = gated.tip(ref)
    assert gated.push("dan", f":{ref}").code == 1
    approve(gated, "--delete", ref, people=("bob",))
    assert "1 of 2 required approvals" in removed(gated, ref).said
    assert gated.tip(ref) == tip


@BOTH
def test_what_two_others_approved_to_delete_is_deleted_once(gated: Gated, ref: str) -> None:
    approve(gated, "--delete", ref)
    pushed = removed(gated, ref)
    assert pushed.code == 0, pushed.text
    assert gated.tip(ref) == ""
    assert gated.push("ada", f"{gated.base}:{ref}").code == 0
    assert "bob does not count: the branch already contained this revision" in removed(gated, ref).said


def test_whoever_pushes_a_deletion_is_none_of_its_approvers(gated: Gated) -> None:
    approve(gated, "--delete", RELEASE)
    assert "bob does not count: they contributed to the change" in removed(gated, person="bob").said


def test_an_approval_of_a_deletion_is_for_one_ref_at_one_tip(gated: Gated) -> None:
    gated.repo.branch("release/2", gated.base)
    gated.push("ada", "release/2")
    approve(gated, "--delete", "refs/heads/release/2")
    assert removed(gated).code == 1
    approve(gated, "--delete", RELEASE)
    head = gated.change()
    gated.approve("bob", head, onto="release/1")
    gated.approve("carol", head, onto="release/1")
    assert gated.push("dan", ALL_APPROVALS, f"{head}:{RELEASE}").code == 0
    assert removed(gated).code == 1
    assert gated.tip(RELEASE) == head


def test_an_approval_of_a_change_approves_no_deletion_of_its_head(gated: Gated) -> None:
    for person in ("bob", "sue"):
        gated.approve(person, gated.base, onto="release/1")
    assert "bob does not count: it approves something else" in removed(gated).said


@pytest.fixture
def grown(gated: Gated) -> str:
    """A head that the release branch took over its first one."""
    head = gated.change()
    gated.approve("bob", head, onto="release/1")
    gated.approve("carol", head, onto="release/1")
    assert gated.push("dan", ALL_APPROVALS, f"{head}:{RELEASE}").code == 0
    gated.repo.branch("release/1", head)
    return head


def rewound(gated: Gated, person: str = "dan") -> Pushed:
    return gated.push(person, ALL_APPROVALS, f"+{gated.base}:{RELEASE}")


def test_one_developer_rewinds_no_protected_branch(gated: Gated, grown: str) -> None:
    assert rewound(gated).code == 1
    approve(gated, gated.base, "--rewind", "--onto", "release/1", people=("bob",))
    assert rewound(gated).code == 1
    assert gated.tip(RELEASE) == grown


def test_what_two_others_approved_to_rewind_is_rewound_and_lands_again_by_new_approvals_only(
    gated: Gated, grown: str
) -> None:
    approve(gated, gated.base, "--rewind", "--onto", "release/1")
    assert "bob does not count: they contributed to the change" in rewound(gated, "bob").said
    pushed = rewound(gated)
    assert pushed.code == 0, pushed.text
    assert (
        "bob does not count: the branch already contained this revision" in gated.push("dan", f"{grown}:{RELEASE}").said
    )
    assert gated.tip(RELEASE) == gated.base


def test_an_approval_of_a_rewind_is_for_the_tip_that_it_replaces(gated: Gated, grown: str) -> None:
    approve(gated, gated.base, "--rewind", "--onto", "release/1")
    later = gated.repo.commit({"lib.py": "x = 3\n"}, on="topic", author="Ada <ada@example.test>")
    gated.approve("bob", later, onto="release/1")
    gated.approve("carol", later, onto="release/1")
    assert gated.push("dan", ALL_APPROVALS, f"{later}:{RELEASE}").code == 0
    assert "bob does not count: the branch was elsewhere then" in rewound(gated).said
    assert gated.tip(RELEASE) == later != grown


def test_a_protected_tag_moves_only_as_two_others_approved(gated: Gated) -> None:
    head = gated.change()
    gated.push("ada", "topic")
    moved = (f"+{head}:refs/tags/v1",)
    assert gated.push("dan", *moved).code == 1
    approve(gated, head, "--rewind", "--onto", "refs/tags/v1")
    assert gated.push("dan", ALL_APPROVALS, *moved).code == 0
    assert gated.tip("refs/tags/v1") == head


def test_a_deletion_of_what_protects_the_product_needs_the_security_role(gated: Gated) -> None:
    head = gated.repo.commit(
        {"auth/login.py": "x = 1\n"}, on="sensitive", parents=["main"], author="Ada <ada@example.test>"
    )
    gated.server.git("fetch", "-q", str(gated.repo.path), f"+{head}:{RELEASE}")
    gated.repo.branch("release/1", head)
    approve(gated, "--delete", RELEASE, people=("bob", "carol"))
    assert "security" in removed(gated).said
    assert gated.tip(RELEASE) == head


def test_where_a_clause_keeps_history_no_approval_deletes_or_rewinds(tmp_path: Path, keys: dict[str, Path]) -> None:
    gated = Gated(tmp_path, keys)
    gated.repo.branch("release/1", gated.base)
    gated.push("ada", "release/1")
    approve(gated, "--delete", RELEASE)
    assert "would be deleted" in removed(gated).said
    assert gated.tip(RELEASE) == gated.base


def test_the_installation_the_doctor_and_the_check_say_that_no_clause_keeps_history(
    gated: Gated, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["--home", str(gated.home), "--repo", str(gated.server.path)]
    for command in (
        ["hook", "install", *asked],
        ["doctor", *asked],
        ["policy", "check", str(gated.home / "policy.toml")],
    ):
        capsys.readouterr()
        run(command)
        assert "no clause protects history" in " ".join(capsys.readouterr().out.split())
