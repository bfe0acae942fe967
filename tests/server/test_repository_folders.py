"""Local repositories are read only below folders that the operator named."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings
from django.test import override_settings

from muniment.access.roles import Role
from muniment.errors import RefusedError, UsageError
from muniment.server.acts.parser import parse_act
from muniment.server.changes import server_hook_logs
from muniment.server.changes.models import ServerHookLog
from muniment.server.changes.repository_acts import AddRepository
from muniment.server.changes.repository_locations import claim_repositories, open_repository
from muniment.server.pages.product_import import import_products, read_product_file
from muniment.server.products.models import Product, Repository
from muniment.server.products.repository_folders import GIVEN, is_in_named_folder
from muniment.server.requests.execution import perform_act
from muniment.server.running import preparation
from tests.server.test_acts import actor
from tests.server.test_api import Program
from tests.support.repos import Repo
from tests.support.service import as_role, browser, person, product

pytestmark = pytest.mark.usefixtures("service")


@pytest.fixture
def named(tmp_path: Path) -> Iterator[Path]:
    """Folder that the operator named, next to others; the home has no list of its own."""
    folder, given = tmp_path / "git", Path(settings.HOME) / GIVEN
    folder.mkdir()
    with override_settings(REPOSITORY_FOLDERS=(str(folder),)):
        yield folder
    given.unlink(missing_ok=True)


def secret(folder: Path) -> Repo:
    """Repository of the machine outside the named folders."""
    repo = Repo(folder / "secret")
    repo.commit({"key.txt": "x\n"})
    return repo


def paths_outside(named: Path) -> list[str]:
    """Paths outside of a folder, in every form in which they can be written."""
    other = secret(named.parent)
    (named / "link").symlink_to(other.path)
    (named / "up").symlink_to(named.parent)
    near = named.parent / "git2"
    near.mkdir()
    found = (
        other.path,
        near,
        named / "link",
        named / "up" / "secret",
        f"{named}/../secret",
        f"file://{other.path}",
        "/",
    )
    return [str(one) for one in found]


def test_owner_cannot_add_a_repository_outside_named_folders_by_page_or_api(named: Path) -> None:
    shop = product("shop")
    own, ada = person("own", Role.OWNER, product=shop), person("ada", Role.ADMIN)
    for number, path in enumerate(paths_outside(named)):
        fields = {"name": f"r{number}", "path": path}
        with pytest.raises(RefusedError, match="This path is not inside a folder") as caught:
            perform_act(actor("own"), parse_act(AddRepository, {"product": "shop", **fields}, actor("own")))
        assert caught.value.code == "folder-not-named"
        assert "MUNIMENT_REPOSITORY_FOLDERS" in caught.value.remedy
        status, problem = Program(own).send("POST", "/products/shop/repositories", fields)
        assert (status, problem["type"]) == (409, "urn:muniment:folder-not-named")
        answer = browser(own).post("/products/shop/change", {"act": "add-repository", **fields}, follow=True)
        assert b"This path is not inside a folder" in answer.content
        rows = read_product_file("x.csv", f"id,name,repository,path\nx{number},X,x{number},{path}\n".encode())
        with pytest.raises(RefusedError, match="not inside a folder"):
            import_products(actor(ada.slug), rows)
    assert not Repository.objects.exists()


def test_path_below_a_named_folder_is_accepted_even_if_the_web_cannot_see_it(named: Path) -> None:
    shop = product("shop")
    own = person("own", Role.OWNER, product=shop)
    for number, path in enumerate((named / "shop.git", named / "team" / "x.git", named, f"file://{named}/y.git")):
        status, _ = Program(own).send("POST", "/products/shop/repositories", {"name": f"r{number}", "path": str(path)})
        assert status == 200, path


def test_worker_opens_no_path_that_leads_outside_after_the_act(named: Path) -> None:
    """A link, or a file that names another git folder, can be put there after the act."""
    other = secret(named.parent)
    (named / "link").symlink_to(other.path)
    (named / "pointer").mkdir()
    (named / "pointer" / ".git").write_text(f"gitdir: {other.path / '.git'}\n")
    (other.path / "inside").mkdir()
    inner = other.path / "inside" / "named"
    inner.mkdir()
    with override_settings(REPOSITORY_FOLDERS=(str(named), str(inner))):
        for number, path in enumerate((named / "link", named / "pointer", inner, other.path)):
            row = add_row(number, path)
            with as_role("worker"), pytest.raises(UsageError) as caught:
                open_repository(row)
            assert "MUNIMENT_REPOSITORY_FOLDERS" in caught.value.remedy, path
            assert str(other.path) not in caught.value.message


def add_row(number: int, path: Path) -> Repository:
    with as_role("owner"):
        shop, _ = Product.objects.get_or_create(slug="shop", defaults={"name": "Shop"})
        return Repository.objects.create(product=shop, name=f"r{number}", path=str(path))


def test_no_worker_takes_a_task_of_a_repository_that_it_may_not_open(named: Path) -> None:
    mine, other = Repo(named / "shop"), secret(named.parent)
    for number, repo in enumerate((mine, other)):
        add_row(number, repo.path)
    with as_role("worker"):
        claim_repositories()
    owners = dict(Repository.objects.values_list("name", "worker"))
    assert (owners["r0"] != "", owners["r1"]) == (True, "")


def test_worker_opens_a_repository_in_a_named_folder(named: Path) -> None:
    repo = Repo(named / "shop")
    tip = repo.commit({"a": "1\n"})
    product("shop", str(repo.path))
    with as_role("worker"), open_repository(Repository.objects.get()) as git:
        assert git.git_dir == str(repo.path / ".git")
    assert tip


def test_repository_given_by_the_operator_is_allowed_without_its_neighbours(named: Path) -> None:
    mine, other = Repo(named.parent / "mine"), secret(named.parent)
    mine.commit({"a": "1\n"})
    with as_role("owner"):
        row = preparation.register_repository(str(mine.path))
        assert preparation.register_repository(str(mine.path)) == row
    with as_role("worker"), open_repository(row):
        pass
    assert is_in_named_folder(str(mine.path / ".git"))
    assert not is_in_named_folder(str(other.path))
    assert not is_in_named_folder(str(mine.path))
    assert (Path(settings.HOME) / GIVEN).read_text() == f"{mine.path / '.git'}\n"


def test_server_hook_log_is_read_only_below_named_folders(named: Path) -> None:
    row = add_row(1, named / "shop.git")
    (named / "link").symlink_to(named.parent)
    for path in (named.parent, named / "link"):
        with as_role("owner"):
            log = ServerHookLog.objects.create(repository=row, path=str(path), public_key="k")
        with as_role("worker"):
            server_hook_logs.read_new_entries(log)
        assert "MUNIMENT_REPOSITORY_FOLDERS" in ServerHookLog.objects.get().problem
        with as_role("owner"):
            log.delete()
