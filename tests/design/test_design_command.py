"""`muniment design` drafts, evaluates, draws and compares a repository."""

import json
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from muniment.cli.design import command
from muniment.errors import DesignError, UsageError

APP = """
from flask import Flask
from flask_login import login_required
app = Flask(__name__)
@app.get("/orders")
@login_required
def orders(): pass
@app.get("/")
def index(): pass
"""


def run(*arguments: str) -> Result:
    return CliRunner().invoke(command, arguments, catch_exceptions=False, standalone_mode=False)


def git(folder: Path, *arguments: str) -> None:
    identity = ("-c", "user.name=Ada", "-c", "user.email=ada@example.org")
    subprocess.run(["git", "-C", str(folder), *identity, *arguments], check=True, capture_output=True)


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    (tmp_path / "app.py").write_text(APP)
    assert run("init", "--repo", str(tmp_path), "--owner", "security@example.org").return_value == 0
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "begin")
    return tmp_path


def test_a_draft_is_not_written_over_a_design(shop: Path) -> None:
    with pytest.raises(UsageError, match="exists"):
        run("init", "--repo", str(shop), "--owner", "x")


def test_check_names_the_route_without_a_guard(shop: Path) -> None:
    result = run("check", "--repo", str(shop))
    assert result.return_value == 1
    assert "The route GET / has no guard and is not listed as public.  app.py:8" in result.output
    assert "orders" not in result.output


def test_check_gives_every_finding_as_json(shop: Path) -> None:
    results = json.loads(run("check", "--repo", str(shop), "--format", "json").output)
    assert [each["principle"] for each in results][-1] == "complete-mediation"
    assert [each["identity"] for each in results[-1]["findings"]] == ["unguarded-route:GET /:handler app.index"]


def test_diff_finds_the_guard_that_a_change_removes(shop: Path) -> None:
    assert run("diff", "HEAD", "--repo", str(shop)).return_value == 0
    (shop / "app.py").write_text(APP.replace("@login_required\n", ""))
    result = run("diff", "HEAD", "--repo", str(shop))
    assert result.return_value == 1
    assert "The route GET /orders loses the guard flask_login.login_required" in result.output
    git(shop, "commit", "-qam", "open")
    assert run("diff", "HEAD~1", "--head", "HEAD", "--repo", str(shop), "--format", "json").return_value == 1


def test_diff_finds_a_guard_whose_definition_changes(shop: Path) -> None:
    guard = "from flask import abort\ndef staff(view):\n    def inner():\n        if not user.is_staff:\n"
    guard += "            abort(403)\n        return view()\n    return inner\n"
    app = APP.replace("@login_required", "@staff").replace("import Flask", "import Flask\nfrom guard import staff")
    (shop / "guard.py").write_text(guard)
    (shop / "app.py").write_text(app)
    git(shop, "add", ".")
    git(shop, "commit", "-qm", "own guard")
    (shop / "guard.py").write_text(guard.replace("not user.is_staff", "not user.is_known"))
    result = run("diff", "HEAD", "--repo", str(shop))
    assert result.return_value == 1
    assert "The guard guard.staff changed" in result.output


def test_draw_writes_a_picture(shop: Path) -> None:
    assert run("draw", "--repo", str(shop), "--out", str(shop / "a.svg")).return_value == 0
    assert (shop / "a.svg").read_text().startswith("<svg")


def test_threats_and_schema_are_printed(shop: Path) -> None:
    assert "Somebody pretends to be visitor." in run("threats", "--repo", str(shop)).output
    assert json.loads(run("schema").output)["$ref"] == "#/$defs/DesignModel"


def test_a_missing_design_says_how_to_draft_one(tmp_path: Path) -> None:
    with pytest.raises(DesignError) as caught:
        run("check", "--repo", str(tmp_path))
    assert "muniment design init --owner" in caught.value.remedy


def test_designs_of_two_repositories_are_joined(shop: Path, tmp_path: Path) -> None:
    other = tmp_path / "payments"
    other.mkdir()
    (other / "design.toml").write_text('schema = 1\nproduct = "shop"\nowner = "x"\n[[component]]\nid = "api"\n')
    output = run("threats", "--repo", str(shop), "--also", str(other)).output
    assert "payments/api" in output


def test_sync_writes_what_the_design_lacks_and_nothing_twice(shop: Path) -> None:
    path = shop / "design.toml"
    (shop / "app.py").write_text(
        APP + '@app.get("/more")\n@rights.needs_admin\ndef more(): pass\n@app.get("/open")\ndef is_open(): pass\n'
        "from flask_sqlalchemy import SQLAlchemy\ndb = SQLAlchemy()\nclass Order(db.Model):\n    price = 1\n"
    )
    path.write_text(path.read_text() + '[[component]]\nid = "database"\nkind = "store"\n')
    before = path.read_text()
    result = run("sync", "--repo", str(shop))
    assert result.return_value == 0
    assert path.read_text().startswith(before.rstrip("\n"))
    assert "+ resource Order" in result.output
    assert 'properties = ["price"]' in path.read_text()
    assert '# route = "/open"' in path.read_text()
    once = path.read_text()
    assert "lacks nothing" in run("sync", "--repo", str(shop)).output
    assert path.read_text() == once


def test_check_gives_the_lines_that_settle_a_finding(shop: Path) -> None:
    output = run("check", "--repo", str(shop)).output
    for line in ("[[public]]", 'route = "/"', 'method = "GET"', 'reason = ""'):
        assert line in output


def test_files_that_are_too_large_or_endless_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("muniment.design.open_threat_model.LARGEST_THREAT_MODEL", 10)
    large = tmp_path / "large.json"
    large.write_bytes(b" " * 11)
    with pytest.raises(DesignError, match="more than 10 bytes"):
        run("import", str(large), "--repo", str(tmp_path), "--owner", "me")
    with pytest.raises(UsageError, match="is a device"):
        run("import", "/dev/zero", "--repo", str(tmp_path), "--owner", "me")
