"""muniment update: what it reports, and that it ends with 0 only if all is known and nothing is vulnerable."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from muniment.cli.update import command
from tests.support.advisory_exports import fixed_in, pack_export, write_advisory
from tests.support.repos import Repo

FRESH = {"modified": "2026-01-09T00:00:00Z"}
LOCK = "version = 1\n" + "".join(
    f"[[package]]\nname = '{name}'\nversion = '{version}'\nsource = {source}\n{more}\n"
    for name, version, source, more in (
        ("shop", "1", "{ editable = '.' }", "dependencies = [{ name = 'django' }]"),
        ("django", "4.1", "{ registry = 'https://pypi.org/simple' }", "dependencies = [{ name = 'sqlparse' }]"),
        ("sqlparse", "0.3", "{ registry = 'https://pypi.org/simple' }", ""),
    )
)


@pytest.fixture
def repo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repo:
    monkeypatch.setattr("muniment.cli.context.current_moment", lambda: "2026-01-10T00:00:00.000000Z")
    made = Repo(tmp_path / "shop")
    made.commit({"uv.lock": LOCK})
    return made


def run(repo: Repo, *documents: dict[str, Any], content: bytes | None = None) -> tuple[int, dict[str, Any]]:
    export = repo.path.parent / "all.zip"
    export.write_bytes(pack_export(*documents) if content is None else content)
    done = CliRunner().invoke(
        command,
        ["--repo", str(repo.path), "--advisories", str(export), "--report-only", "--format", "json"],
        standalone_mode=False,
        catch_exceptions=False,
    )
    return done.return_value, json.loads(done.output)


def test_a_vulnerable_transitive_dependency_is_reported_with_its_path_and_safe_version(repo: Repo) -> None:
    advisory = write_advisory("PYSEC-1", "sqlparse", events=fixed_in("0.3.1"), aliases=["CVE-1"])
    code, report = run(repo, advisory)
    assert code == 1
    assert report["result"] == "vulnerable"
    (found,) = report["vulnerable"]
    assert found["package"] == "pkg:pypi/sqlparse@0.3"
    assert found["path"] == ["shop", "django", "sqlparse"]
    assert found["advisories"] == ["PYSEC-1", "CVE-1"]
    assert (found["severity"], found["severity_origin"], found["days"]) == ("high", "assumed", 14)
    assert found["safe_version"] == "0.3.1"


def test_all_known_and_nothing_vulnerable_ends_with_0(repo: Repo) -> None:
    code, report = run(repo, write_advisory("PYSEC-1", "flask", events=fixed_in("1")))
    assert (code, report["result"], report["dependencies"]) == (0, "no-known-vulnerability", 2)


@pytest.mark.parametrize(
    ("documents", "content", "reason"),
    [
        ((), b"PK", "the export of advisories is damaged, or cut off"),
        (
            (write_advisory("A-1", "flask", modified="2020-01-01T00:00:00Z"),),
            None,
            "its newest advisory is of 2020",
        ),
        ((write_advisory("A-1", "qs", ecosystem="npm"),), None, "no advisories for this ecosystem were read"),
        ((write_advisory("A-1", "django"),), None, "A-1 does not say whether it affects django 4.1"),
    ],
)
def test_advisories_that_say_nothing_are_unknown_and_never_green(
    repo: Repo, documents: tuple[dict[str, Any], ...], content: bytes | None, reason: str
) -> None:
    code, report = run(repo, *documents, content=content)
    assert (code, report["result"]) == (1, "unknown")
    assert any(part["reason"].startswith(reason) for part in report["unknown"])


def test_stale_advisories_still_find_vulnerabilities(repo: Repo) -> None:
    code, report = run(repo, write_advisory("A-1", events=fixed_in("4.2"), modified="2020-01-01T00:00:00Z"))
    assert (code, report["result"], len(report["unknown"])) == (1, "vulnerable", 1)


@pytest.mark.parametrize("name", ["poetry.lock", "package.json", "pom.xml"])
def test_a_file_that_is_not_read_wholly_is_unknown(repo: Repo, name: str) -> None:
    content = {
        "poetry.lock": "[",
        "package.json": '{"dependencies": {"qs": "1"}}',
        "pom.xml": "<project><artifactId>shop</artifactId></project>",
    }[name]
    repo.commit({f"app/{name}": content})
    code, report = run(repo, write_advisory("A-1", "flask", events=fixed_in("1")))
    assert (code, report["result"]) == (1, "unknown")
    assert [part["subject"] for part in report["unknown"]] == [f"app/{name}"]


def test_a_repository_without_locks_says_how_many_it_read(tmp_path: Path, repo: Repo) -> None:
    repo.commit({"uv.lock": None, "Dockerfile": "FROM python:3.12\n"})
    code, report = run(repo, write_advisory("A-1", "flask", events=fixed_in("1")))
    assert (code, report["result"], report["locks"]) == (0, "no-known-vulnerability", 1)
    assert report["unpinned"] == [{"lock": "Dockerfile", "package": "python", "version": "3.12"}]


def test_the_text_names_the_next_step_and_hides_what_a_terminal_obeys(repo: Repo) -> None:
    repo.commit({"a\x1b[31m/poetry.lock": "["})
    export = repo.path.parent / "all.zip"
    malware = write_advisory("MAL-1", "sqlparse", versions=["0.3"])
    export.write_bytes(pack_export(malware, write_advisory("A-1", events=fixed_in("4.2"))))
    done = CliRunner().invoke(
        command, ["--repo", str(repo.path), "--advisories", str(export), "--report-only"], standalone_mode=False
    )
    assert done.return_value == 1
    assert "Update to 4.2 or newer." in done.output
    assert "Remove this package" in done.output
    assert done.output.index("MAL-1") < done.output.index("A-1")
    assert "\x1b[31m/poetry" not in done.output
    assert "2 dependencies in 1 lock file: 2 vulnerable, 1 unknown" in done.output
