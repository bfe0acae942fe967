"""Facts from a repository and its server hook; rules are Unknown where a forge may also enforce."""

import sys
from pathlib import Path
from typing import Any

import pytest

from muniment.decision.bound_policies import read_bound_policy
from muniment.facts.code_facts import CodeSecret, CodeSecrets, UnscannedFile
from muniment.facts.dependency_facts import FrameworkFile, FrameworkUse, LockContent, LockFile
from muniment.facts.maybe import Known, Maybe, Unknown
from muniment.facts.pipeline import BranchPipelineRules, BypassPath
from muniment.git.repository import Repository
from muniment.policy.built_in_policy import format_built_in_policy
from muniment.workflows.repository_facts import PROTECTION_UNKNOWN, HookProtection, read_repository_facts
from muniment.workflows.secret_scan import scan_commit_for_secrets
from tests.support.repos import Repo

NOW, MAIN = "2026-11-24T09:00:00.000000Z", "refs/heads/main"
PACK = format_built_in_policy("sec@example.test", "shop")
NAMES = (
    *("branch_rules", "pipeline_files", "dependency_locks", "frameworks", "hardening", "forge_settings"),
    "code_secrets",
)


def enforce_tests_at_merge(more: str = "") -> str:
    """The built-in policy with the clause on tests enforced at merge."""
    before = 'control = "tests-passed"\nenforce = []'
    return PACK.replace(before, f'control = "tests-passed"\nenforce = ["merge"]\n{more}')


def collect_repository_facts(
    folder: Path, policy: str, guard: Maybe[HookProtection], tip: str = ""
) -> dict[str, Maybe[Any]]:
    repo = Repo(folder / "repo")
    head = repo.commit({".ci/run": "make\n", "requirements.txt": "django==4.2 --hash=sha256:aa\n"})
    with Repository.open(str(repo.path)) as repository:
        facts = read_repository_facts(repository, MAIN, tip or head, read_bound_policy(policy, "p"), NAMES, NOW, guard)
    assert {fact.read_at for fact in facts.values()} == {NOW}
    return {name: fact.value for name, fact in facts.items()}


@pytest.mark.parametrize(
    ("policy", "required"),
    [
        (PACK, ()),
        (enforce_tests_at_merge(), ("tests",)),
        (enforce_tests_at_merge('branches = ["release/*"]\n'), ()),
        (enforce_tests_at_merge('paths = ["src/**"]\n'), ()),
        (enforce_tests_at_merge("monitoring_until = 2026-11-24\n"), ()),
        (enforce_tests_at_merge("monitoring_until = 2026-11-23\n"), ("tests",)),
    ],
)
def test_server_hook_requires_pipelines_of_clauses_enforced_at_merge(
    policy: str, required: tuple[str, ...], tmp_path: Path
) -> None:
    found = collect_repository_facts(tmp_path, policy, Known(HookProtection(enforced=True)))
    assert found["branch_rules"] == Known(BranchPipelineRules(MAIN, "server-hook", required, Known(())))


def test_monitoring_server_hook_enforces_nothing(tmp_path: Path) -> None:
    found = collect_repository_facts(
        tmp_path, enforce_tests_at_merge(), Known(HookProtection(False, Known((BypassPath("Somebody", "it moved"),))))
    )
    assert found["branch_rules"] == Known(
        BranchPipelineRules(MAIN, "", ("tests",), Known((BypassPath("Somebody", "it moved"),)))
    )


def test_branch_rules_are_unknown_without_declared_enforcement(tmp_path: Path) -> None:
    found = collect_repository_facts(tmp_path, PACK, PROTECTION_UNKNOWN)
    assert found["code_secrets"] == Known(CodeSecrets(2, (), ()))
    assert isinstance(found["branch_rules"], Unknown)
    assert isinstance(found["forge_settings"], Unknown)
    assert isinstance(found["pipeline_files"], Known)
    assert found["frameworks"] == Known((FrameworkFile("requirements.txt", Known((FrameworkUse("Django", "4.2"),))),))
    assert found["dependency_locks"] == Known((LockFile("requirements.txt", Known(LockContent(1, (), ()))),))


def test_secrets_in_the_code_are_read_at_the_tip(tmp_path: Path) -> None:
    repo = Repo(tmp_path / "repo")
    token = "gh" + "p_" + "q7Rk2Zt9Xw4Lm8Bv3Nc6Hd1Jf5Gs0PyTaUeK"
    tip = repo.commit({"a.py": f"x = 1\ntoken = '{token}'\n", "b.zip": b"PK\x03\x04 damaged", "c.txt": "text"})
    with Repository.open(str(repo.path)) as git:
        found = scan_commit_for_secrets(git, tip)
    unread = (UnscannedFile("b.zip", "the archive is damaged"),)
    assert found == Known(CodeSecrets(2, (CodeSecret("a.py", 2, "token-in-code"),), unread))


def test_missing_commit_makes_its_files_unknown(tmp_path: Path) -> None:
    found = collect_repository_facts(tmp_path, PACK, PROTECTION_UNKNOWN, tip="f" * 40)
    assert {name for name, value in found.items() if isinstance(value, Unknown)} == set(NAMES)


def test_pipeline_files_are_unknown_without_pipeline_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "muniment.pipelines.collect", None)
    monkeypatch.delattr("muniment.pipelines.collect", raising=False)
    monkeypatch.setitem(sys.modules, "muniment.workflows.secret_scan", None)
    monkeypatch.delattr("muniment.workflows.secret_scan", raising=False)
    monkeypatch.setitem(sys.modules, "muniment.updates.lock_facts", None)
    monkeypatch.delattr("muniment.updates.lock_facts", raising=False)
    found = collect_repository_facts(tmp_path, PACK, PROTECTION_UNKNOWN)
    assert isinstance(found["pipeline_files"], Unknown)
    assert "muniment[pipeline]" in found["pipeline_files"].reason
    assert isinstance(found["dependency_locks"], Unknown)
    assert "muniment[updates]" in found["dependency_locks"].reason
