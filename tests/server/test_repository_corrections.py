"""Correction of a mistyped repository, which is refused once data of it was read."""

from pathlib import Path

import pytest
from django.test import override_settings
from django.utils import timezone

from muniment.access.roles import Role
from muniment.server.changes.models import Change
from muniment.server.products.models import Repository, RepositoryScan
from tests.server.test_api import Program
from tests.support.service import as_role, browser, person, post, product

pytestmark = pytest.mark.usefixtures("service")


def correct(path: Path, **changed: str) -> str:
    fields = {"act": "correct-repository", "repository": "shop", "name": "web", "path": str(path), **changed}
    with override_settings(REPOSITORY_FOLDERS=(str(path.parent),)):
        return post(browser(person("olga", Role.ADMIN)), "/products/shop/change", **fields)


def test_mistyped_path_and_name_are_corrected_and_old_name_is_free(tmp_path: Path) -> None:
    product("shop", "/nowhere/shpo")
    with as_role("worker"):
        RepositoryScan.objects.create(repository=Repository.objects.get(), problem="It is no folder.")
    assert "Correct repository" in browser(person("olga", Role.ADMIN)).get("/products/shop/settings").content.decode()
    assert "Done." in correct(tmp_path / "web.git")
    row = Repository.objects.get()
    assert (row.name, row.path, row.worker) == ("web", str(tmp_path / "web.git"), "")


@pytest.mark.parametrize("read", ["tip", "change"])
def test_refuses_correction_of_repository_with_data(tmp_path: Path, read: str) -> None:
    product("shop", "/nowhere/shop")
    row = Repository.objects.get()
    with as_role("owner"):
        if read == "tip":
            RepositoryScan.objects.create(repository=row, tip="a" * 40)
        else:
            Change.objects.create(
                repository=row, target="refs/heads/main", name="x", head="a" * 40, updated_at=timezone.now()
            )
    assert "of which nothing was read" in correct(tmp_path / "web.git")
    assert Repository.objects.get().path == "/nowhere/shop"


def test_correction_refuses_used_name_and_unlisted_folder(tmp_path: Path) -> None:
    product("shop", "/nowhere/shop")
    product("other", "/nowhere/other")
    assert "Another repository has this name" in correct(tmp_path / "web.git", name="other")
    with override_settings(REPOSITORY_FOLDERS=(str(tmp_path),)):
        fields = {"act": "correct-repository", "repository": "shop", "name": "web", "path": "/etc"}
        answer = post(browser(person("olga", Role.ADMIN)), "/products/shop/change", **fields)
    assert "not inside a folder" in answer


def test_api_corrects_repository(tmp_path: Path) -> None:
    product("shop", "/nowhere/shop")
    body = {"repository": "shop", "name": "web", "path": str(tmp_path / "web.git")}
    with override_settings(REPOSITORY_FOLDERS=(str(tmp_path),)):
        assert Program(person("olga", Role.ADMIN)).send("PATCH", "/products/shop/repositories", body)[0] == 200
    assert Repository.objects.get().name == "web"
