"""muniment update with new versions: what it proposes, what --apply writes, and what it refuses to write over."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from muniment.cli.update import command
from muniment.errors import UsageError
from tests.support.advisory_exports import fixed_in, pack_export, write_advisory
from tests.support.registries import FakePythonIndex
from tests.support.repos import Repo
from tests.support.resolvers import TOOL_FOLDERS
from tests.updates.test_uv_updates import index, lock_early, write_project

__all__ = ["index"]
ADVISORY = write_advisory("A-1", "sqlparse", events=fixed_in("0.3.1"))


@pytest.fixture
def repo(tmp_path: Path, index: FakePythonIndex, monkeypatch: pytest.MonkeyPatch) -> Repo:
    monkeypatch.setattr("muniment.cli.context.current_moment", lambda: "2026-01-10T00:00:00.000000Z")
    monkeypatch.setattr("muniment.workflows.report_updates.RegistryAccess", lambda: index)
    made = Repo(tmp_path / "shop")
    files = write_project("django")
    made.commit({"pyproject.toml": files["pyproject.toml"], "uv.lock": lock_early(index, files)})
    made.git("checkout", "-q", "-f", "main")
    made.git("config", "user.name", "Ada")
    made.git("config", "user.email", "ada@example.test")
    return made


def run(repo: Repo, *options: str, advisories: tuple[dict[str, Any], ...] = (ADVISORY,)) -> tuple[int, str]:
    export = repo.path.parent / "all.zip"
    export.write_bytes(pack_export(*advisories))
    tools = [word for folder in TOOL_FOLDERS if Path(folder).is_dir() for word in ("--tools", folder)]
    done = CliRunner().invoke(
        command,
        ["--repo", str(repo.path), "--advisories", str(export), *tools, *options],
        standalone_mode=False,
        catch_exceptions=False,
    )
    return done.return_value, done.output


def test_without_apply_it_says_what_would_change_and_writes_nothing(repo: Repo) -> None:
    code, out = run(repo)
    assert code == 1
    assert "· uv.lock can be updated, by uv" in out
    assert "sqlparse 0.3.0 to 0.3.1: clears A-1" in out
    assert "3 other packages are unchanged byte for byte; its header is unchanged." in out
    assert "Next: muniment update --apply" in out
    assert repo.git("status", "--porcelain") == ""


def test_apply_writes_the_lock_and_ends_with_0(repo: Repo) -> None:
    code, out = run(repo, "--apply")
    assert code == 0
    assert "✓ uv.lock updated (working tree), by uv" in out
    assert repo.git("status", "--porcelain") == " M uv.lock"
    diff = [
        line for line in repo.git("diff", "-U0").splitlines() if line[:1] in "+-" and line[:3] not in ("+++", "---")
    ]
    assert all("0.3.0" in line or "0.3.1" in line for line in diff)


def test_apply_on_a_branch_makes_one_commit_and_leaves_the_files(repo: Repo) -> None:
    code, out = run(repo, "--apply", "--branch", "security")
    assert code == 0
    assert repo.git("status", "--porcelain") == ""
    assert repo.git("diff", "--name-only", "main", "security") == "uv.lock"
    assert repo.git("log", "--format=%an <%ae> %P", "-1", "security").endswith(repo.git("rev-parse", "main"))
    message = repo.git("log", "--format=%B", "-1", "security")
    assert message.startswith("Update sqlparse to 0.3.1\n\nKnown vulnerabilities that this clears:\n\n- A-1\n")
    assert "Signed-off-by" not in message
    with pytest.raises(UsageError, match="exists already"):
        run(repo, "--apply", "--branch", "security")
    assert out.endswith(f"commit {repo.git('rev-parse', 'security')}), by uv\n") or "branch security" in out


def test_the_commit_follows_the_titles_and_the_sign_off_of_the_history(repo: Repo) -> None:
    for number in range(4):
        repo.commit(
            {f"file{number}": "x"}, message=f"feat(shop): add {number}\n\nSigned-off-by: Ada <ada@example.test>"
        )
    repo.git("checkout", "-q", "-f", "main")
    run(repo, "--apply", "--branch", "security")
    message = repo.git("log", "--format=%B", "-1", "security")
    assert message.startswith("fix(deps): update sqlparse to 0.3.1\n")
    assert message.rstrip().endswith("Signed-off-by: Ada <ada@example.test>")


def test_a_lock_that_differs_from_the_commit_is_not_written_over(repo: Repo) -> None:
    path = repo.path / "uv.lock"
    path.write_bytes(path.read_bytes() + b"# mine\n")
    with pytest.raises(UsageError, match="not as the commit has it"):
        run(repo, "--apply")
    assert path.read_bytes().endswith(b"# mine\n")


def test_a_link_in_the_place_of_a_lock_is_not_written_through(repo: Repo, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    path = repo.path / "uv.lock"
    outside.write_bytes(path.read_bytes())
    path.unlink()
    path.symlink_to(outside)
    before = outside.read_bytes()
    with pytest.raises(UsageError, match="or is a link"):
        run(repo, "--apply")
    assert outside.read_bytes() == before


def test_a_lock_that_is_a_link_in_the_repository_is_unknown(repo: Repo, tmp_path: Path) -> None:
    path = repo.path / "uv.lock"
    content = path.read_bytes()
    (repo.path / "real").write_bytes(content)
    path.unlink()
    path.symlink_to("real")
    repo.git("add", "-A")
    repo.git("-c", "user.name=A", "-c", "user.email=a@b", "commit", "-qm", "link")
    code, out = run(repo, "--apply")
    assert code == 1
    assert "uv.lock: it is a link" in out
    assert (repo.path / "real").read_bytes() == content


def test_only_the_named_package_is_updated(repo: Repo) -> None:
    other = write_advisory("A-2", "asgiref", events=fixed_in("3.1"))
    code, out = run(repo, "--apply", "--package", "asgiref", advisories=(ADVISORY, other))
    assert code == 1
    assert "asgiref 3.0 to 3.1" in out
    assert "sqlparse 0.3.0 to" not in out


def test_stale_advisories_still_update_and_the_exit_code_is_not_0(repo: Repo) -> None:
    stale = write_advisory("A-1", "sqlparse", events=fixed_in("0.3.1"), modified="2025-01-01T00:00:00Z")
    code, out = run(repo, "--apply", advisories=(stale,))
    assert code == 1
    assert "✓ uv.lock updated" in out
    assert "its newest advisory is of 2025-01-01" in out


def test_programs_get_moves_refusals_and_the_proof_and_no_content(repo: Repo) -> None:
    repo.commit({"app/poetry.lock": POETRY})
    code, out = run(repo, "--format", "json")
    found = json.loads(out)
    assert code == 1
    (update,) = found["updates"]
    assert update["path"] == "uv.lock"
    assert update["moves"] == [{"name": "sqlparse", "before": ["0.3.0"], "after": ["0.3.1"], "advisories": ["A-1"]}]
    assert (update["same"], update["smallest"], "content" in update) == (3, True, False)
    (refusal,) = found["refusals"]
    assert refusal["path"] == "app/poetry.lock"
    assert found["written"] == ""


POETRY = """
[[package]]
name = "sqlparse"
version = "0.3.0"
groups = ["main"]
files = []
[metadata]
lock-version = "2.1"
"""
