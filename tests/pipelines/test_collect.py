"""Facts from a repository: whole, or not known and why."""

from pathlib import Path
from typing import Any

import pytest

from muniment.facts.maybe import Known, Maybe, Unknown
from muniment.git.repository import Repository
from muniment.pipelines import collect, files
from tests.support.repos import Repo

WORKFLOW = "on: push\npermissions: {}\njobs: {a: {runs-on: x, steps: [{run: make}]}}\n"


def read(folder: Path, tree: dict[str, str], names: tuple[str, ...] = collect.NAMES) -> dict[str, Maybe[Any]]:
    repo = Repo(folder / "repo")
    head = repo.commit(tree)
    with Repository.open(str(repo.path)) as repository:
        return collect.read(repository, head, names)


def test_a_repository_without_pipelines_keeps_nothing(tmp_path: Path) -> None:
    found = read(tmp_path, {"a": "1\n"})
    assert found["pipeline_files"] == Known(())
    assert found["forge_settings"] == Known(collect.NO_FORGE)
    assert found["hardening"].value.files == ()  # type: ignore[union-attr]


def test_files_of_a_forge_need_that_forge(tmp_path: Path) -> None:
    found = read(tmp_path, {".github/workflows/a.yml": WORKFLOW, ".ci/run": "make\n"})
    assert [one.path for one in found["pipeline_files"].value] == [".ci/run", ".github/workflows/a.yml"]  # type: ignore[union-attr]
    assert isinstance(found["forge_settings"], Unknown)
    assert found["hardening"].value.files == (".github/workflows/a.yml",)  # type: ignore[union-attr]


def test_what_is_not_wanted_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "contents", None)
    assert read(tmp_path, {"a": "1\n"}, ("environments",)) == {}


def test_what_cannot_be_listed_is_not_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "MOST", 0)
    found = read(tmp_path, {".ci/run": "make\n"})
    assert all(isinstance(value, Unknown) for value in found.values())
    assert set(found) == set(collect.NAMES)
