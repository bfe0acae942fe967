import json
from pathlib import Path

from muniment.git.repository import Repository
from muniment.updates.dependencies import Dependency, Ecosystem, Lock, LockFormat
from muniment.updates.repository_files import read_repository_locks
from muniment.updates.repository_locks import is_dependency_file, read_locks
from muniment.updates.sboms import write_sbom
from tests.support.repos import SYMLINK, Entry, Repo


def unread(files: dict[str, bytes]) -> dict[str, str]:
    return {each.path: each.reason for each in read_locks(files).unread}


PYPROJECT = b'[project]\nname = "shop"\ndependencies = ["django"]\n'
PACKAGE = json.dumps({"name": "web", "dependencies": {"qs": "1"}}).encode()
NPM_LOCK = json.dumps({"lockfileVersion": 3, "packages": {"": {}, "packages/web": {"name": "web"}}}).encode()


def test_a_manifest_without_a_lock_is_named() -> None:
    files = {
        "pyproject.toml": PYPROJECT,
        "a/package.json": PACKAGE,
        "b/Cargo.toml": b'[dependencies]\nrand = "1"',
        "c/requirements.in": b"django",
        "d/go.sum": b"",
        "e/Gemfile": b"",
        "f/setup.py": b"",
        "g/pyproject.toml": b"[",
    }
    assert unread(files) == dict.fromkeys(files, "it has no lock")


def test_a_manifest_that_declares_nothing_needs_no_lock() -> None:
    files = {"pyproject.toml": b"[tool.ruff]\n", "package.json": b"{}", "Cargo.toml": b"[workspace]\n"}
    assert unread(files) == {}


def test_a_lock_above_covers_the_members_that_it_names_and_no_others() -> None:
    other = json.dumps({"name": "other", "dependencies": {"qs": "1"}}).encode()
    files = {"package-lock.json": NPM_LOCK, "packages/web/package.json": PACKAGE, "demo/package.json": other}
    assert unread(files) == {"demo/package.json": "it has no lock"}


def test_a_lock_that_is_not_read_is_named_once_and_not_its_manifests() -> None:
    files = {"yarn.lock": b"", "package.json": PACKAGE, "packages/web/package.json": PACKAGE, "a/uv.lock": b"["}
    assert unread(files | {"a/pyproject.toml": PYPROJECT}) == {
        "a/uv.lock": "it is not TOML",
        "yarn.lock": "locks of Yarn are not read",
    }


def test_requirements_in_the_folder_of_a_manifest_are_its_lock() -> None:
    files = {"pyproject.toml": PYPROJECT, "requirements.txt": b"django==4.2\n", "requirements.in": b"django"}
    found = read_locks(files)
    assert not found.unread
    assert [each.format for each in found.locks] == [LockFormat.REQUIREMENTS]


def test_an_sbom_completes_the_pom_of_its_folder() -> None:
    pom = b"<project><artifactId>shop</artifactId></project>"
    dependency = Dependency(Ecosystem.MAVEN, "org.slf4j:slf4j", "1.7.0")
    sbom = write_sbom("shop", Lock("", LockFormat.MAVEN, (dependency,)))
    assert [bool(each.gaps) for each in read_locks({"pom.xml": pom, "a/bom.json": sbom}).locks] == [False, True]
    assert [bool(each.gaps) for each in read_locks({"pom.xml": pom, "bom.json": sbom}).locks] == [False, False]
    empty = write_sbom("shop", Lock("", LockFormat.MAVEN, ()))
    assert [bool(each.gaps) for each in read_locks({"pom.xml": pom, "bom.json": empty}).locks] == [False, True]


def test_each_lock_of_a_repository_is_a_unit_of_its_own() -> None:
    found = read_locks({f"app{number}/requirements.txt": b"django==4.2\n" for number in range(40)})
    assert len(found.locks) == 40


def test_installed_packages_are_no_locks_of_the_repository() -> None:
    assert not is_dependency_file("web/node_modules/qs/package.json")
    assert is_dependency_file("web/package.json")


def test_locks_are_read_from_the_commit_and_a_link_is_unknown(tmp_path: Path) -> None:
    repo = Repo(tmp_path / "shop")
    link = Entry(SYMLINK, "/etc/hostname")
    repo.commit({"requirements.txt": "django==4.2\n", "poetry.lock": link})
    (repo.path / "requirements.txt").write_text("django==9.9\n")  # not committed
    with Repository.open(str(repo.path)) as repository:
        found = read_repository_locks(repository, repository.resolve_commit("HEAD"))
    assert [each.key for lock in found.locks for each in lock.dependencies] == ["django@4.2"]
    assert [(each.path, each.reason) for each in found.unread] == [
        ("poetry.lock", "it is a link, or another repository")
    ]
