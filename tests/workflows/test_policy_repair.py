"""What replaces a clause that this version cannot evaluate: two approvals, for a change of the policy file alone."""

from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from muniment.decision.binding import BoundPolicy
from muniment.decision.bound_policies import bind_policy_in_force, read_policy_in_force
from muniment.decision.decision import Outcome
from muniment.forges.shapes import Vendor
from muniment.git.repository import Repository
from muniment.policy.built_in_policy import format_built_in_policy
from muniment.workflows.change_evaluation import Proposal
from muniment.workflows.git_evaluation import evaluate_git_proposal
from muniment.workflows.rule_sources import Rules, combine_policies
from tests.support.changes import MAIN, NOW, PEOPLE
from tests.support.forges import ours
from tests.support.forges.acting_fakes import GitHubActing
from tests.support.forges.fake_github import FakeGitHub
from tests.support.forges.forge_under_test import ForgeUnderTest, now
from tests.support.repos import Repo

HEADER = format_built_in_policy("sec@example.test", "shop").split("[[clause]]", maxsplit=1)[0]
CLAUSE = (
    '[[clause]]\nid = "{id}"\nname = "A clause"\nsection = "secure-design"\ntext = "Text."\n'
    'control = "{control}"\nenforce = ["merge"]\n'
)
SMALL = HEADER + CLAUSE.format(id="small", control="small-changes")
BROKEN = SMALL + CLAUSE.format(id="later", control="control-of-another-version")
POLICY = ".muniment/policy.toml"


def make_rules(branch: str, home: str = "") -> Rules:
    own = read_policy_in_force(branch, POLICY)
    floor = read_policy_in_force(home, "home") if home else None
    return Rules(combine_policies(floor, own)[0], PEOPLE, (), (), (), own, "", home_policy=floor)


def evaluate(folder: Path, files: dict[str, str], rules: Rules) -> tuple[Outcome, dict[str, str]]:
    """Outcome of a change with these files, and the first reason of each clause that it does not meet."""
    repo = Repo(folder / "repo")
    base = repo.commit({POLICY: BROKEN, "a.py": "1\n"}, on="main")
    head = repo.commit(files, on="topic", parents=["main"], author="Ada <ada@example.test>")
    with Repository.open(str(repo.path)) as git:
        found = evaluate_git_proposal(git, rules, Proposal("shop", MAIN, base, head), NOW, lambda _: {})
    failing = {one.clause: one.reasons[0].code for one in found.decision.results if not one.is_acceptable}
    return found.decision.outcome, failing


@pytest.mark.parametrize(
    ("files", "failing"),
    [
        ({POLICY: SMALL}, {"policy-repair": "too-few-approvals"}),
        ({POLICY: SMALL, "a.py": "2\n"}, {"later": "clause-not-evaluable"}),
        ({"a.py": "2\n"}, {"later": "clause-not-evaluable"}),
        ({POLICY: BROKEN + "# as broken\n"}, {"later": "clause-not-evaluable"}),
        ({POLICY: "schema = 2\n"}, {"later": "clause-not-evaluable"}),
    ],
)
def test_only_a_repair_is_evaluated_otherwise(tmp_path: Path, files: dict[str, str], failing: dict[str, str]) -> None:
    assert evaluate(tmp_path, files, make_rules(BROKEN)) == (Outcome.DENY, failing)


def test_clauses_of_the_home_apply_to_a_repair_and_one_of_its_own_is_not_repaired_by_a_branch(tmp_path: Path) -> None:
    home = HEADER + CLAUSE.format(id="later", control="independent-review") + "with.reviewers = 3\n"
    home += CLAUSE.format(id="policy-repair", control="small-changes")
    _, failing = evaluate(tmp_path, {POLICY: SMALL}, make_rules(BROKEN, home))
    assert failing == {"later": "too-few-approvals", "policy-repair-x": "too-few-approvals"}
    (tmp_path / "second").mkdir()
    _, failing = evaluate(tmp_path / "second", {POLICY: SMALL}, make_rules(BROKEN, BROKEN))
    assert failing == {"later": "clause-not-evaluable"}


def test_repair_clause_is_stored_as_part_of_the_policy_of_its_decision(tmp_path: Path) -> None:
    rules = make_rules(BROKEN)
    repo = Repo(tmp_path / "repo")
    base = repo.commit({POLICY: BROKEN}, on="main")
    head = repo.commit({POLICY: SMALL}, on="topic", parents=["main"])
    with Repository.open(str(repo.path)) as git:
        found = evaluate_git_proposal(git, rules, Proposal("shop", MAIN, base, head), NOW, lambda _: {})
    stored: Any = structs.asdict(found.policy.policy)
    assert found.decision.policy == bind_policy_in_force(type(found.policy.policy)(**stored)).policy.digest
    assert isinstance(found.policy, BoundPolicy)
    assert found.policy.clause_problems == {}


def test_repair_at_a_forge_needs_two_others(tmp_path: Path) -> None:
    with FakeGitHub(tmp_path / "forge") as fake:
        forge = ours.github(fake, seconds=15, now=now)
        tested = ForgeUnderTest(GitHubActing(fake), Vendor.GITHUB, tmp_path, forge=forge)
        tested.texts = structs.replace(tested.texts, policy_text=SMALL)
        fake.world.push("ada", "main", {POLICY: BROKEN})
        fake.world.push("ada", "topic", {POLICY: SMALL})
        number = fake.world.open("ada", "topic")
        for count, reviewer in enumerate(("", "bob", "carol")):
            if reviewer:
                fake.world.review(reviewer, number, "approved")
            fake.written()
            outcome = tested.evaluate(number).decision.outcome
            assert outcome is (Outcome.ALLOW if count == 2 else Outcome.DENY)
