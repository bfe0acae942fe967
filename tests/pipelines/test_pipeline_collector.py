"""Pipeline facts from a repository: complete, or Unknown with a reason."""

from pathlib import Path
from typing import Any

import pytest

from muniment.facts.maybe import Known, Maybe, Unknown
from muniment.git.repository import Repository
from muniment.pipelines import collect, pipeline_files
from tests.support.repos import Repo

WORKFLOW = "on: push\npermissions: {}\njobs: {a: {runs-on: x, steps: [{run: make}]}}\n"


def read(folder: Path, tree: dict[str, str], names: tuple[str, ...] = collect.PIPELINE_FACTS) -> dict[str, Maybe[Any]]:
    repo = Repo(folder / "repo")
    head = repo.commit(tree)
    with Repository.open(str(repo.path)) as repository:
        return collect.read_pipeline_facts(repository, head, names)


def test_repository_without_pipelines_has_known_empty_facts(tmp_path: Path) -> None:
    found = read(tmp_path, {"a": "1\n"})
    assert found["pipeline_files"] == Known(())
    assert found["forge_settings"] == Known(collect.NO_FORGE)
    assert found["hardening"].value.files == ()  # type: ignore[union-attr]


def test_forge_workflow_files_make_settings_unknown_without_forge(tmp_path: Path) -> None:
    found = read(tmp_path, {".github/workflows/a.yml": WORKFLOW, ".ci/run": "make\n"})
    assert [one.path for one in found["pipeline_files"].value] == [".ci/run", ".github/workflows/a.yml"]  # type: ignore[union-attr]
    assert isinstance(found["forge_settings"], Unknown)
    assert found["hardening"].value.files == (".github/workflows/a.yml",)  # type: ignore[union-attr]


def test_does_not_read_unrequested_facts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline_files, "list_pipeline_files", None)
    assert read(tmp_path, {"a": "1\n"}, ("environments",)) == {}


def test_unlistable_files_make_facts_unknown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline_files, "MOST_PIPELINE_FILES", 0)
    found = read(tmp_path, {".ci/run": "make\n"})
    assert all(isinstance(value, Unknown) for value in found.values())
    assert set(found) == set(collect.PIPELINE_FACTS)
