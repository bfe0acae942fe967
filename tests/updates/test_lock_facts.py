"""The fact that the control of pinned dependencies reads, from a real repository."""

from pathlib import Path

from muniment.facts.dependency_facts import FrameworkUse, LockContent
from muniment.facts.maybe import Known, Unknown
from muniment.git.repository import Repository
from muniment.updates.lock_facts import read_lock_facts
from tests.support.repos import Repo

NAMES = ("dependency_locks", "frameworks")


def test_lock_files_say_what_they_pin(tmp_path: Path) -> None:
    repo = Repo(tmp_path / "shop")
    repo.commit(
        {
            "a/requirements.txt": "django==4.2 --hash=sha256:aa\nidna==3.4\n",
            "a/pyproject.toml": '[project]\nname = "a"\ndependencies = ["django"]\n',
            "b/package.json": '{"dependencies": {"qs": "1"}}',
            "c/pom.xml": "<project><artifactId>c</artifactId></project>",
            "Dockerfile": f"FROM python:3.12\nFROM alpine@sha256:{'a' * 64}\n",
            "d/Dockerfile": "FROM $BASE\n",
            ".github/workflows/ci.yml": f"jobs: {{a: {{steps: [{{uses: a/b@{'a' * 40}}}, {{uses: c/d@v1}}]}}}}",
            "bom.json": '{"bomFormat": "CycloneDX", "specVersion": "1.6"}',
        }
    )
    with Repository.open(str(repo.path)) as repository:
        facts = read_lock_facts(repository, repository.resolve_commit("HEAD"), NAMES)
        missing = read_lock_facts(repository, "f" * 40, NAMES)
    found = facts["dependency_locks"]
    assert isinstance(found, Known)
    assert isinstance(found.value, tuple)
    assert {each.path: each.content for each in found.value} == {
        "a/requirements.txt": Known(LockContent(2, (), ("idna@3.4",))),
        "b/package.json": Unknown("it has no lock"),
        "c/pom.xml": Unknown("Maven has no lock file"),
        "Dockerfile": Known(LockContent(2, ("python@3.12",), ())),
        "d/Dockerfile": Unknown("the image $BASE is known to the build only"),
        ".github/workflows/ci.yml": Known(LockContent(2, ("c/d@v1",), ())),
    }
    frameworks = facts["frameworks"]
    assert isinstance(frameworks, Known)
    assert isinstance(frameworks.value, tuple)
    assert [each.path for each in frameworks.value if each.uses == Known((FrameworkUse("Django", "4.2"),))] == [
        "a/requirements.txt"
    ]
    assert [each.path for each in frameworks.value if isinstance(each.uses, Unknown)] == ["b/package.json"]
    assert all(isinstance(missing[name], Unknown) for name in NAMES)
