"""Proposals of updates: which packages go together, the branch that stays the same, the commit, and a safe text."""

from pathlib import Path

import pytest

from muniment.git.repository import Repository
from muniment.updates.advisories import Advisory
from muniment.updates.advisory_index import AdvisoryIndex
from muniment.updates.lock_updates import LockUpdate, PackageMove, StayingPackage
from muniment.updates.severities import AdvisorySeverity
from muniment.updates.uv_locks import parse_uv_lock
from muniment.workflows.update_proposals import (
    VulnerablePackages,
    group_vulnerable,
    make_proposal,
    name_branch,
    write_change_text,
)
from tests.support.advisory_exports import NOW, fixed_in, read_advisory
from tests.support.repos import Repo
from tests.workflows.test_change_dependencies import make_lock

HIGH, LOW = AdvisorySeverity.HIGH, AdvisorySeverity.LOW
MAIN = "refs/heads/main"
MOVE = PackageMove("django", ("4.1",), ("4.2",), ("PYSEC-1",))


def rated(name: str, package: str, severity: str) -> Advisory:
    return read_advisory(name, package, events=fixed_in("9"), database_specific={"severity": severity})


def test_a_severe_vulnerability_has_a_proposal_of_its_own_and_the_others_have_one() -> None:
    content = make_lock(django="4.1", flask="2", click="8", mail="1", safe="1").encode()
    advisories = [
        rated("A-1", "mail", "LOW"),
        rated("A-2", "click", "MODERATE"),
        rated("A-3", "flask", "HIGH"),
        rated("A-4", "flask", "LOW"),
        rated("A-5", "django", "CRITICAL"),
        read_advisory("A-6", "safe"),  # it names no version
    ]
    groups = group_vulnerable(parse_uv_lock("uv.lock", content, {}), AdvisoryIndex(advisories))
    assert groups == (
        VulnerablePackages(("django",), AdvisorySeverity.CRITICAL),
        VulnerablePackages(("flask",), HIGH),
        VulnerablePackages(("click", "mail"), AdvisorySeverity.MEDIUM),
    )


def test_the_branch_is_the_same_for_the_same_lock_and_package_and_safe_as_a_ref() -> None:
    first = name_branch(MAIN, "uv.lock", VulnerablePackages(("@Scope/..Name",), HIGH))
    assert first.startswith("refs/heads/muniment/update-scope-name-")
    assert name_branch(MAIN, "uv.lock", VulnerablePackages(("@Scope/..Name",), AdvisorySeverity.CRITICAL)) == first
    assert name_branch(MAIN, "web/uv.lock", VulnerablePackages(("@Scope/..Name",), HIGH)) != first
    assert name_branch("refs/heads/1.x", "uv.lock", VulnerablePackages(("@Scope/..Name",), HIGH)) != first
    minor = name_branch(MAIN, "uv.lock", VulnerablePackages(("a", "b"), LOW))
    assert minor == name_branch(MAIN, "uv.lock", VulnerablePackages(("b", "c"), LOW))


@pytest.mark.parametrize(
    ("history", "title"),
    [("fix: begin\n\nSigned-off-by: Ada <ada@example.test>\n", "fix(deps): update"), ("Begin\n", "Update")],
)
def test_the_commit_follows_the_history_and_changes_the_lock_alone(tmp_path: Path, history: str, title: str) -> None:
    repo = Repo(tmp_path / "repo")
    tip = repo.commit({"web/uv.lock": make_lock(django="4.1"), "web/a.py": "x\n"}, message=history)
    update = LockUpdate("web/uv.lock", (MOVE,), (), b"new\n", 3, True, (), "uv")
    with Repository.open(str(repo.path)) as git:
        made = make_proposal(git, tip, "refs/heads/b", update, "muniment <m@example.test>", NOW, ["Clause: x."])
        stored = git.objects.read_git_object(made.commit)
        changed = git.run_git(
            "diff-tree", "-r", "-z", "--raw", "--no-abbrev", "--no-renames", values=(tip, made.commit)
        )
    assert stored is not None
    text = stored.data.decode()
    assert made.title == f"{title} django to 4.2"
    assert f"\n\n{made.title}\n" in text
    assert ("Signed-off-by: muniment <m@example.test>" in text) is title.startswith("fix")
    assert changed.count(b"\0") == 2
    assert b"web/uv.lock" in changed


def test_names_of_a_lock_mention_and_link_nobody() -> None:
    hostile = PackageMove("[x](https://evil.example) @ada <b>", ("1",), ("2",), ("A-1", "<script>"))
    staying = StayingPackage("@bob/x", "1", ("A-2",), "no *safe* version", "Wait.")
    text = write_change_text(LockUpdate("a`b/uv.lock", (hostile,), (staying,), b"", 1, True, (), "uv"), ["Due @eve"])
    for bad in ("](https://evil", " @ada", "<b>", "<script>", " @bob", "@eve", "*safe*", "a`b"):
        assert bad not in text.replace("\\[", "").replace("\\`", "\\'").replace("\\*", "\\+"), bad
    assert "[A-1](https://osv.dev/vulnerability/A-1)" in text
