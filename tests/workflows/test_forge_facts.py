"""Facts from a forge are read only if a clause needs them; missing facts are Unknown."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec import structs

from muniment.decision.bound_policies import read_bound_policy
from muniment.facts import kinds
from muniment.facts.maybe import Known, Unknown
from muniment.facts.people import People
from muniment.facts.pipeline import BranchPipelineRules as Guards
from muniment.facts.pipeline import BypassPath, PipelineFile
from muniment.forges.branch_rules import BranchRules, RequiredStatus
from muniment.forges.shapes import Check
from muniment.forges.statuses import Status, StatusState
from muniment.git.git_collector import GitCollector
from muniment.git.repository import Repository
from muniment.policy.built_in_policy import format_built_in_policy
from muniment.workflows.forge_facts import read_forge_facts, read_test_runs
from tests.support.forges.memory import BEFORE, OURS, REPO, MemoryForge
from tests.support.repos import Repo

NOW, MAIN = "2026-11-24T09:00:00.000000Z", "refs/heads/main"
ASKED = ("branch_rules", "forge_settings")
PACK = format_built_in_policy("sec@example.test", "shop")
CLOSED = BranchRules(
    MAIN,
    protected=True,
    mergers=(OURS.login,),
    pushers=(),
    bypass=(),
    deletable=False,
    required_statuses=(RequiredStatus("lint"),),
)


def biting(*controls: str) -> str:
    """The built-in policy with these clauses enforced at merge."""
    text = PACK
    for name in controls:
        before = f'control = "{name}"\nenforce = []'
        assert before in text
        text = text.replace(before, f'control = "{name}"\nenforce = ["merge"]')
    return text


@pytest.fixture(name="repo")
def _repo(tmp_path: Path) -> Repo:
    made = Repo(tmp_path / "repo")
    made.commit({".gitea/workflows/test.yml": "on: push\njobs: {}\n"})
    return made


@pytest.fixture(name="git")
def _git(repo: Repo) -> Iterator[Repository]:
    with Repository.open(str(repo.path)) as git:
        yield git


def test_forge_is_queried_only_for_facts_that_are_needed(repo: Repo, git: Repository) -> None:
    memory = MemoryForge()
    where = (memory.forge(), REPO, git, MAIN, repo.tip("main"))
    assert read_forge_facts(*where, read_bound_policy(PACK, "p"), (), NOW) == {}
    assert memory.calls == []
    policy = read_bound_policy(biting("pipeline-required"), "p")
    found = read_forge_facts(*where, policy, ("branch_rules",), NOW)
    assert (list(found), memory.calls) == (["branch_rules"], ["rules"])


def test_rules_settings_and_files_name_their_sources(repo: Repo, git: Repository) -> None:
    memory = MemoryForge()
    memory.rules = CLOSED
    policy = read_bound_policy(biting("tests-passed"), "p")
    names = (*ASKED, "pipeline_files")
    found = read_forge_facts(memory.forge(), REPO, git, MAIN, repo.tip("main"), policy, names, NOW)
    assert found["branch_rules"].value == Known(Guards(MAIN, "gitea", ("tests",), Known(())))
    assert found["forge_settings"].value == Known(memory.settings)
    assert {name: fact.source for name, fact in found.items()} == {
        "branch_rules": "gitea",
        "forge_settings": "gitea",
        "pipeline_files": "repository",
    }
    (file,) = found["pipeline_files"].value.value
    assert isinstance(file, PipelineFile)
    memory.rules = structs.replace(CLOSED, bypass=("administrators",))
    (rules,) = read_forge_facts(memory.forge(), REPO, git, MAIN, repo.tip("main"), policy, ASKED[:1], NOW).values()
    assert rules.value.value.bypass_paths == Known((BypassPath("administrators", "the rules do not bind them"),))


@pytest.mark.parametrize(("call", "name"), [("rules", "branch_rules"), ("settings", "forge_settings")])
def test_failing_forge_call_makes_only_its_fact_unknown(call: str, name: str, repo: Repo, git: Repository) -> None:
    memory = MemoryForge()
    memory.failing = {call: [BEFORE]}
    found = read_forge_facts(
        memory.forge(), REPO, git, MAIN, repo.tip("main"), read_bound_policy(PACK, "p"), ASKED, NOW
    )
    assert {each: isinstance(fact.value, Unknown) for each, fact in found.items()} == {
        each: each == name for each in ASKED
    }


def test_forge_checks_become_test_runs_of_landed_commit(repo: Repo, git: Repository) -> None:
    head = repo.commit({"a.py": "x = 1\n"})
    memory = MemoryForge()
    memory.posted.append((head, Status("tests", StatusState.ALLOWED, "", ""), OURS))
    collector = GitCollector(git, Known(People((), ())), NOW)
    revision = collector.make_landed_revision("shop", MAIN, head)

    def read() -> object:
        return read_test_runs(memory.forge(), REPO, collector, revision, NOW)[kinds.TEST_RUNS.name].value

    runs = read()
    assert isinstance(runs, Known)
    assert [(run.pipeline, run.runner, run.passed) for run in runs.value.head] == [
        ("tests", "app:gitea/muniment", Known(True))
    ]
    memory.failing = {"statuses": [BEFORE]}
    assert isinstance(read(), Unknown)
    assert Check("tests", "success", OURS, "", "", "t") in memory.forge().reader.list_statuses(REPO, head)
    nobody = GitCollector(git, Unknown("no people are written"), NOW)
    assert isinstance(read_test_runs(memory.forge(), REPO, nobody, revision, NOW)["test_runs"].value, Unknown)
