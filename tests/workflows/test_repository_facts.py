"""What a repository and its gate tell of a product; where a forge may stand before it, its rules are not known."""

import sys
from pathlib import Path
from typing import Any

import pytest

from muniment.decision.policies import read_bound_policy
from muniment.facts.maybe import Known, Maybe, Unknown
from muniment.facts.pipeline import BranchRules, BypassPath
from muniment.git.repository import Repository
from muniment.policy.pack import pack_text
from muniment.workflows.repository_facts import NOBODY_SAID, Guard, repository_facts
from tests.support.repos import Repo

NOW, MAIN = "2026-11-24T09:00:00.000000Z", "refs/heads/main"
PACK = pack_text("sec@example.test", "shop")
NAMES = ("branch_rules", "pipeline_files", "hardening", "forge_settings")


def biting(more: str = "") -> str:
    """The built-in policy with tests that bite."""
    before = 'control = "tests-passed"\nenforce = []'
    return PACK.replace(before, f'control = "tests-passed"\nenforce = ["merge"]\n{more}')


def told(folder: Path, policy: str, guard: Maybe[Guard], tip: str = "") -> dict[str, Maybe[Any]]:
    repo = Repo(folder / "repo")
    head = repo.commit({".ci/run": "make\n"})
    with Repository.open(str(repo.path)) as repository:
        facts = repository_facts(repository, MAIN, tip or head, read_bound_policy(policy, "p"), NAMES, NOW, guard)
    assert {fact.read_at for fact in facts.values()} == {NOW}
    return {name: fact.value for name, fact in facts.items()}


@pytest.mark.parametrize(
    ("policy", "required"),
    [
        (PACK, ()),
        (biting(), ("tests",)),
        (biting('branches = ["release/*"]\n'), ()),
        (biting('paths = ["src/**"]\n'), ()),
        (biting("monitoring_until = 2026-11-24\n"), ()),
        (biting("monitoring_until = 2026-11-23\n"), ("tests",)),
    ],
)
def test_a_gate_requires_what_the_policy_lets_nothing_in_without(
    policy: str, required: tuple[str, ...], tmp_path: Path
) -> None:
    found = told(tmp_path, policy, Known(Guard(enforced=True)))
    assert found["branch_rules"] == Known(BranchRules(MAIN, "gate", required, Known(())))


def test_a_gate_that_only_reports_guards_nothing(tmp_path: Path) -> None:
    found = told(tmp_path, biting(), Known(Guard(False, Known((BypassPath("Somebody", "it moved"),)))))
    assert found["branch_rules"] == Known(
        BranchRules(MAIN, "", ("tests",), Known((BypassPath("Somebody", "it moved"),)))
    )


def test_where_nobody_said_what_guards_the_branch_a_forge_may(tmp_path: Path) -> None:
    found = told(tmp_path, PACK, NOBODY_SAID)
    assert isinstance(found["branch_rules"], Unknown)
    assert isinstance(found["forge_settings"], Unknown)
    assert isinstance(found["pipeline_files"], Known)


def test_a_commit_that_is_not_there_makes_its_files_unknown(tmp_path: Path) -> None:
    found = told(tmp_path, PACK, NOBODY_SAID, tip="f" * 40)
    assert {name for name, value in found.items() if isinstance(value, Unknown)} == set(NAMES)


def test_without_the_parts_that_read_them_files_are_unknown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "muniment.pipelines.collect", None)
    monkeypatch.delattr("muniment.pipelines.collect", raising=False)
    found = told(tmp_path, PACK, NOBODY_SAID)
    assert isinstance(found["pipeline_files"], Unknown)
    assert "muniment[pipeline]" in found["pipeline_files"].reason
