"""Design of a commit and of a change as facts, evaluated in a confined child."""

from pathlib import Path

import pytest

from muniment.facts.change import Revision, UpdateKind
from muniment.facts.design_facts import DesignEvaluation
from muniment.facts.maybe import Known, Maybe, Unknown
from muniment.git.repository import Repository
from muniment.programs.confinement import NO_CHILD
from muniment.programs.process import ProcessResult
from muniment.workflows import design_evaluation
from muniment.workflows.design_evaluation import evaluate_change_design, evaluate_commit_design
from tests.support.repos import Repo

NOW = "2026-11-24T09:00:00.000000Z"
DESIGN = """schema = 1
product = "shop"
owner = "sec@example.test"
[[application]]
framework = "flask"
[[actor]]
id = "visitor"
[[component]]
id = "web"
[[component]]
id = "database"
kind = "store"
[[guard]]
id = "login"
mechanisms = ["sign-in"]
on_failure = "deny"
[[flow]]
from = "visitor"
to = "web"
guards = ["login"]
[[flow]]
from = "web"
to = "database"
[[resource]]
id = "orders"
component = "database"
"""
APP = """from flask import Flask
from flask_login import login_required
app = Flask(__name__)

@app.get("/orders")
@login_required
def orders():
    return ""
"""
MORE = APP + '\n@app.get("/more")\n@login_required\ndef more():\n    return ""\n'
OPEN = APP + '\n@app.get("/open")\ndef is_open():\n    return ""\n'


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    made = Repo(tmp_path / "repo")
    made.commit({"design.toml": DESIGN, "app.py": APP}, on="main")
    made.branch("topic", "main")
    return made


def evaluate_change(repo: Repo, base: str = "main", head: str = "topic") -> Maybe[DesignEvaluation]:
    with Repository.open(str(repo.path)) as git:
        ids = git.resolve_commit(base), git.resolve_commit(head) if head else ""
        revision = Revision("shop", "refs/heads/main", *ids, Known(UpdateKind.FAST_FORWARD))
        return evaluate_change_design(git, revision, NOW)


def read_change(repo: Repo, base: str = "main", head: str = "topic") -> DesignEvaluation:
    found = evaluate_change(repo, base, head)
    assert isinstance(found, Known), found
    return found.value


def read_commit(repo: Repo, commit: str = "main") -> DesignEvaluation:
    with Repository.open(str(repo.path)) as git:
        found = evaluate_commit_design(git, "shop", git.resolve_commit(commit), NOW)
    assert isinstance(found, Known), found
    return found.value


def list_codes(found: DesignEvaluation, principle: str) -> list[str]:
    return [problem.code for state in found.states if state.principle == principle for problem in state.problems]


def test_a_commit_has_the_results_of_model_and_code_with_their_basis(repo: Repo) -> None:
    found = read_commit(repo)
    assert found.is_present
    assert [(state.principle, state.basis) for state in found.states][2] == ("complete-mediation", "shown on the model")
    assert found.states[-1].basis == "parsed from the code"
    assert found.states[-1].examined == 1
    assert list_codes(found, "complete-mediation") == []
    assert list_codes(found, "multiple-security-layers") == ["single-layer"]
    [problem] = found.states[3].problems
    assert problem.path == ("visitor", "web", "database", "orders")


def test_a_change_has_only_the_problems_that_it_brings(repo: Repo) -> None:
    repo.commit({"app.py": OPEN}, on="topic")
    found = read_change(repo)
    assert list_codes(found, "complete-mediation") == ["unguarded-route"]
    assert list_codes(found, "multiple-security-layers") == []
    assert found.states[3].earlier == 1
    assert found.change is not None
    assert (found.change.added, found.change.removed, found.change.weaker) == ((), (), ())


def test_a_view_under_a_guard_alters_no_design(repo: Repo) -> None:
    repo.commit({"app.py": MORE, "readme.txt": "x"}, on="topic")
    found = read_change(repo)
    assert [state.count for state in found.states] == [0] * 7
    assert found.change is not None
    assert (found.change.added, found.change.removed, found.change.weaker) == ((), (), ())


def test_a_lost_guard_lets_people_through_and_is_named(repo: Repo) -> None:
    repo.commit({"app.py": APP.replace("@login_required\n", "")}, on="topic")
    found = read_change(repo)
    assert found.change is not None
    [weaker] = found.change.weaker
    assert weaker.code == "lost-route-guard"
    assert "lets people through whom it refused" in weaker.message


def test_entries_that_a_change_adds_removes_and_alters_are_named(repo: Repo) -> None:
    altered = DESIGN.replace('mechanisms = ["sign-in"]', 'mechanisms = ["sign-in", "second-factor"]')
    repo.commit({"design.toml": altered + '[[component]]\nid = "mailer"\n'}, on="topic")
    found = read_change(repo)
    assert found.change is not None
    assert found.change.added == ("component mailer", "guard login")


def test_a_first_design_is_all_new_and_a_removed_one_is_missing(repo: Repo, tmp_path: Path) -> None:
    other = Repo(tmp_path / "other")
    other.commit({"app.py": APP}, on="main")
    other.branch("topic", "main")
    assert not read_change(other).is_present
    assert read_commit(other) == DesignEvaluation(False)
    other.commit({"design.toml": DESIGN}, on="topic")
    first = read_change(other)
    assert first.change is not None
    assert "guard login" in first.change.added
    assert list_codes(first, "multiple-security-layers") == ["single-layer"]
    repo.commit({"design.toml": None}, on="topic")
    gone = read_change(repo)
    assert not gone.is_present
    assert gone.change is not None
    assert gone.change.removed == ("design.toml",)


def test_a_design_that_is_wrong_is_a_problem_that_names_the_line(repo: Repo) -> None:
    repo.commit({"design.toml": DESIGN + 'colour = "red"\n'}, on="topic")
    found = read_change(repo)
    assert "design.toml:" in found.problem
    assert "the key is unknown" in found.problem
    assert not found.states


def test_code_that_the_parser_refuses_is_unknown(repo: Repo) -> None:
    repo.commit({"other.py": "from flask import Flask\napp = Flask(\n"}, on="topic")
    assert list_codes(read_change(repo), "complete-mediation") == ["unread-source"]


def test_a_branch_that_is_deleted_brings_nothing(repo: Repo) -> None:
    assert read_change(repo, head="").is_removed


@pytest.mark.parametrize(
    ("done", "why"),
    [
        (ProcessResult(NO_CHILD, b"", b""), "no way to read a design"),
        (ProcessResult(-9, b"", b""), "ended with -9"),
        (ProcessResult(0, b"nonsense", b""), "cannot be understood"),
    ],
)
def test_a_child_that_gives_no_answer_leaves_the_design_unknown(
    repo: Repo, monkeypatch: pytest.MonkeyPatch, done: ProcessResult, why: str
) -> None:
    from muniment.design import isolation

    repo.commit({"app.py": OPEN + f"# {why}\n"}, on="topic")
    monkeypatch.setattr(isolation, "run_program", lambda *_, **__: done)
    found = evaluate_change(repo)
    assert isinstance(found, Unknown)
    assert why in found.reason


def test_the_same_files_are_evaluated_once(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    repo.commit({"app.py": OPEN + "# once\n"}, on="topic")
    first = read_change(repo)
    monkeypatch.setattr(design_evaluation, "evaluate_isolated", lambda _: pytest.fail("it was evaluated"))
    repo.commit({"notes.txt": "x"}, on="topic")
    assert read_change(repo) == first
