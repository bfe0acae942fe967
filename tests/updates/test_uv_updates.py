"""Updates of uv.lock by uv itself, confined, against an index of our own: the smallest versions, and nothing else."""

import tomllib
from typing import Any

import pytest

from muniment.updates import uv_resolver
from muniment.updates.advisory_index import AdvisoryIndex
from muniment.updates.lock_updates import LockUpdate, UpdateRefusal, UpdateSettings, update_lock
from muniment.updates.uv_lock_text import split_lock
from muniment.updates.uv_locks import parse_uv_lock
from tests.support.advisory_exports import fixed_in, read_advisory
from tests.support.registries import EARLY, LATE, FakePythonIndex
from tests.support.resolvers import LATER, TOOL_FOLDERS, find_uv, make_uv_lock

PROJECT = """
[project]
name = "shop"
version = "1"
requires-python = ">=3.11"
dependencies = [{}]
"""


@pytest.fixture
def index() -> FakePythonIndex:
    """django 4.1 requires sqlparse and asgiref; each has an old and several new releases."""
    made = FakePythonIndex()
    made.publish("django", "4.1", "sqlparse>=0.2", "asgiref", uploaded=EARLY)
    made.publish("sqlparse", "0.3.0", uploaded=EARLY)
    made.publish("asgiref", "3.0", uploaded=EARLY)
    for version in ("0.3.1", "0.4.0", "0.5.0"):
        made.publish("sqlparse", version)
    made.publish("asgiref", "3.1")
    made.publish("django", "4.2", "sqlparse>=0.2", "asgiref")
    return made


def write_project(*requirements: str) -> dict[str, bytes]:
    return {"pyproject.toml": PROJECT.format(", ".join(f'"{each}"' for each in requirements)).encode()}


def lock_early(index: FakePythonIndex, files: dict[str, bytes], path: str = "uv.lock") -> bytes:
    index.until = EARLY
    content = make_uv_lock(index, files, path)
    index.until = ""
    index.requests.clear()
    return content


def update(
    index: Any, files: dict[str, bytes], content: bytes, *advisories: Any, path: str = "uv.lock", **more: Any
) -> LockUpdate | UpdateRefusal | None:
    find_uv()
    settings = UpdateSettings(AdvisoryIndex(advisories), index, more.pop("now", LATER), TOOL_FOLDERS, **more)
    return update_lock(parse_uv_lock(path, content, {}), content, files, settings)


def moves(result: LockUpdate | UpdateRefusal | None) -> dict[str, tuple[tuple[str, ...], tuple[str, ...]]]:
    assert isinstance(result, LockUpdate), result
    return {each.name: (each.before, each.after) for each in result.moves}


def test_a_transitive_package_moves_to_the_smallest_safe_version_and_nothing_else(index: FakePythonIndex) -> None:
    files = write_project("django")
    before = lock_early(index, files)
    result = update(index, files, before, read_advisory("A-1", "sqlparse", events=fixed_in("0.3.1")))
    assert moves(result) == {"sqlparse": (("0.3.0",), ("0.3.1",))}
    assert isinstance(result, LockUpdate)
    assert result.smallest
    assert not result.header
    old, new = split_lock(before), split_lock(result.content)
    assert old[0] == new[0]
    assert [block for block in old[1] if b"sqlparse-0.3" not in block] == [
        block for block in new[1] if b"sqlparse-0.3" not in block
    ]
    assert all(
        each["source"] in ({"registry": "https://pypi.org/simple"}, {"virtual": "."})
        for each in tomllib.loads(result.content.decode())["package"]
    )


def test_a_parent_moves_where_it_excludes_every_safe_version_and_only_as_far_as_needed(index: FakePythonIndex) -> None:
    index.publish("web", "1.0", "sqlparse<0.3.1", uploaded=EARLY)
    for version, limit in (("1.1", "<0.3.1"), ("1.2", "<0.4.1"), ("1.3", "<0.5.1"), ("2.0", "<1")):
        index.publish("web", version, f"sqlparse{limit}")
    files = write_project("web")
    before = lock_early(index, files)
    result = update(index, files, before, read_advisory("A-1", "sqlparse", events=fixed_in("0.4.0")))
    assert moves(result) == {"sqlparse": (("0.3.0",), ("0.4.0",)), "web": (("1.0",), ("1.2",))}


def test_a_vulnerable_parent_and_child_move_together(index: FakePythonIndex) -> None:
    files = write_project("django")
    index.publish("django", "4.3", "sqlparse>=0.4", "asgiref")
    before = lock_early(index, files)
    result = update(
        index,
        files,
        before,
        read_advisory("A-1", "django", events=fixed_in("4.3")),
        read_advisory("A-2", "sqlparse", events=fixed_in("0.3.1")),
    )
    assert moves(result) == {"django": (("4.1",), ("4.3",)), "sqlparse": (("0.3.0",), ("0.4.0",))}


def test_versions_that_must_not_be_chosen_are_passed_over(index: FakePythonIndex) -> None:
    for name, version, more in (
        ("flask", "1.0", {"uploaded": EARLY}),
        ("flask", "1.1", {"yanked": True}),
        ("flask", "1.2rc1", {}),
        ("flask", "1.3", {}),  # malware
        ("flask", "1.4", {}),  # another vulnerability
        ("flask", "1.5", {}),
        ("flask", "1.6", {}),
    ):
        index.publish(name, version, **more)
    files = write_project("flask")
    before = lock_early(index, files)
    advisories = (
        read_advisory("A-1", "flask", events=fixed_in("1.1")),
        read_advisory("MAL-1", "flask", versions=["1.3"]),
        read_advisory("A-2", "flask", versions=["1.4"]),
    )
    assert moves(update(index, files, before, *advisories)) == {"flask": (("1.0",), ("1.5",))}


@pytest.mark.parametrize(
    ("severity", "now", "after"),
    [
        ("HIGH", "2025-06-01T12:00:00.000000Z", None),
        ("HIGH", "2025-06-02T12:00:00.000000Z", "0.3.1"),
        ("CRITICAL", "2025-06-01T12:00:00.000000Z", "0.3.1"),
    ],
)
def test_a_fix_waits_a_day_unless_it_is_critical(
    index: FakePythonIndex, severity: str, now: str, after: str | None
) -> None:
    files = write_project("sqlparse")
    before = lock_early(index, files)
    advisory = read_advisory("A-1", "sqlparse", events=fixed_in("0.3.1"), database_specific={"severity": severity})
    result = update(index, files, before, advisory, now=now)
    if after is None:
        assert isinstance(result, UpdateRefusal)
        assert [each.name for each in result.staying] == ["sqlparse"]
    else:
        assert moves(result) == {"sqlparse": (("0.3.0",), (after,))}


def test_a_version_that_moves_along_waits_for_the_cool_down(index: FakePythonIndex) -> None:
    index.publish("web", "1.0", "sqlparse<0.3.1", uploaded=EARLY)
    index.publish("web", "1.1", "sqlparse<1", uploaded="2026-11-28T00:00:00Z")
    files = write_project("web")
    before = lock_early(index, files)
    advisory = read_advisory("A-1", "sqlparse", events=fixed_in("0.3.1"))
    assert isinstance(update(index, files, before, advisory), UpdateRefusal)
    later = update(index, files, before, advisory, now="2026-12-06T00:00:00.000000Z")
    assert moves(later)["web"] == (("1.0",), ("1.1",))


def test_a_failing_package_stays_and_the_others_move(index: FakePythonIndex) -> None:
    files = write_project("sqlparse==0.3.0", "asgiref")
    before = lock_early(index, files)
    result = update(
        index,
        files,
        before,
        read_advisory("A-1", "sqlparse", events=fixed_in("0.3.1")),
        read_advisory("A-2", "asgiref", events=fixed_in("3.1")),
    )
    assert moves(result) == {"asgiref": (("3.0",), ("3.1",))}
    assert isinstance(result, LockUpdate)
    (staying,) = result.staying
    assert (staying.name, staying.advisories) == ("sqlparse", ("A-1",))
    assert "your project depends on sqlparse==0.3.0" in staying.reason


def test_a_workspace_keeps_its_members_constraints_and_settings(index: FakePythonIndex) -> None:
    root = PROJECT.format('"django", "api"') + (
        '[tool.uv]\nconstraint-dependencies = ["asgiref<3.1"]\nprerelease = "allow"\n'
        '[tool.uv.workspace]\nmembers = ["members/*"]\n[tool.uv.sources]\napi = { workspace = true }\n'
    )
    member = '[project]\nname = "api"\nversion = "1"\nrequires-python = ">=3.11"\ndependencies = ["sqlparse"]\n'
    files = {"back/pyproject.toml": root.encode(), "back/members/api/pyproject.toml": member.encode()}
    before = lock_early(index, files, "back/uv.lock")
    result = update(
        index, files, before, read_advisory("A-1", "sqlparse", events=fixed_in("0.3.1")), path="back/uv.lock"
    )
    assert moves(result) == {"sqlparse": (("0.3.0",), ("0.3.1",))}
    assert isinstance(result, LockUpdate)
    document = tomllib.loads(result.content.decode())
    assert document["manifest"]["members"] == ["api", "shop"]
    assert document["manifest"]["constraints"] == [{"name": "asgiref", "specifier": "<3.1"}]


def test_a_package_that_the_lock_has_twice_moves_in_each_fork(index: FakePythonIndex) -> None:
    for version, day in (("1.0", EARLY), ("2.0", EARLY), ("1.1", LATE), ("1.2", LATE), ("2.1", LATE), ("2.2", LATE)):
        index.publish("numpy", version, uploaded=day)
    files = write_project("numpy<2 ; python_version < '3.12'", "numpy>=2 ; python_version >= '3.12'")
    before = lock_early(index, files)
    advisory = read_advisory(
        "A-1",
        "numpy",
        events=[{"introduced": "0"}, {"fixed": "1.1"}, {"introduced": "2.0"}, {"fixed": "2.1"}],
    )
    assert moves(update(index, files, before, advisory)) == {"numpy": (("1.0", "2.0"), ("1.1", "2.1"))}


def test_only_the_vulnerable_fork_moves(index: FakePythonIndex) -> None:
    for version, day in (("1.0", EARLY), ("2.0", EARLY), ("1.1", LATE), ("1.2", LATE), ("2.1", LATE)):
        index.publish("numpy", version, uploaded=day)
    files = write_project("numpy<2 ; python_version < '3.12'", "numpy>=2 ; python_version >= '3.12'")
    before = lock_early(index, files)
    result = update(index, files, before, read_advisory("A-1", "numpy", events=fixed_in("1.1")))
    assert moves(result) == {"numpy": (("1.0", "2.0"), ("1.1", "2.0"))}


def test_a_package_without_a_wheel_that_stays_is_not_built(index: FakePythonIndex) -> None:
    index.publish("old", "1.0", "sqlparse", uploaded=EARLY)
    files = write_project("old")
    before = lock_early(index, files)
    wheel = next(line for line in before.decode().splitlines() if "old-1.0-py3" in line)
    source = wheel.strip().rstrip(",").replace("-py3-none-any.whl", ".tar.gz")
    before = before.replace(f"wheels = [\n{wheel}\n]".encode(), f"sdist = {source}".encode())
    index.projects["old"][0].files = (".tar.gz",)
    digest = index.fetch_path("pypi.org", "/simple/old/", "").body.split(b'"sha256": "')[1][:64]
    before = before.replace(source.split("sha256:")[1][:64].encode(), digest)
    result = update(index, files, before, read_advisory("A-1", "sqlparse", events=fixed_in("0.3.1")))
    assert moves(result) == {"sqlparse": (("0.3.0",), ("0.3.1",))}
    assert isinstance(result, LockUpdate)
    assert b"dependency-metadata" not in result.content


def test_files_that_were_added_to_a_locked_version_do_not_come_in(index: FakePythonIndex) -> None:
    files = write_project("django")
    before = lock_early(index, files)
    index.projects["asgiref"][0].files = ("-py3-none-any.whl", "-cp311-cp311-win32.whl")
    result = update(index, files, before, read_advisory("A-1", "sqlparse", events=fixed_in("0.3.1")))
    assert isinstance(result, LockUpdate)
    assert b"win32" not in result.content


def test_a_package_that_is_no_longer_required_leaves_the_lock(index: FakePythonIndex) -> None:
    index.publish("django", "4.1.1", "sqlparse>=0.2")
    files = write_project("django")
    before = lock_early(index, files)
    result = update(index, files, before, read_advisory("A-1", "django", events=fixed_in("4.1.1")))
    assert moves(result) == {"django": (("4.1",), ("4.1.1",)), "asgiref": (("3.0",), ())}


def test_a_lock_of_another_revision_is_refused_and_names_the_tool(index: FakePythonIndex) -> None:
    files = write_project("django")
    before = lock_early(index, files).replace(b"revision = 5\n", b"revision = 3\n")
    result = update(index, files, before, read_advisory("A-1", "sqlparse", events=fixed_in("0.3.1")))
    assert isinstance(result, UpdateRefusal)
    assert "revision 3" in result.reason
    assert "--tools" in result.remedy


@pytest.mark.parametrize("status", [404, 500, 502])
def test_an_index_that_does_not_answer_is_a_refusal(index: FakePythonIndex, status: int) -> None:
    files = write_project("django")
    before = lock_early(index, files)
    index.status = status
    result = update(index, files, before, read_advisory("A-1", "sqlparse", events=fixed_in("0.3.1")))
    assert isinstance(result, UpdateRefusal)
    assert [each.name for each in result.staying] == ["sqlparse"]


def test_a_resolver_that_hangs_is_ended(index: FakePythonIndex, monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    files = write_project("django")
    before = lock_early(index, files)
    monkeypatch.setattr(uv_resolver, "RESOLVER_SECONDS", 2)
    answer = index.fetch_path

    def hang(host: str, path: str, accept: str) -> Any:
        if path.endswith(".metadata"):
            time.sleep(20)
        return answer(host, path, accept)

    index.fetch_path = hang  # type: ignore[method-assign]
    started = time.monotonic()
    result = update(index, files, before, read_advisory("A-1", "sqlparse", events=fixed_in("0.3.1")))
    assert isinstance(result, UpdateRefusal)
    assert "took longer than 2 seconds" in result.reason
    assert time.monotonic() - started < 15


def test_without_uv_the_lock_is_refused(index: FakePythonIndex, monkeypatch: pytest.MonkeyPatch) -> None:
    files = write_project("django")
    before = lock_early(index, files)
    monkeypatch.setattr("muniment.updates.lock_updates.list_tools", lambda *_: ())
    result = update(index, files, before, read_advisory("A-1", "sqlparse", events=fixed_in("0.3.1")))
    assert isinstance(result, UpdateRefusal)
    assert result.reason == "uv is not installed"


def test_a_lock_without_vulnerable_packages_has_no_update(index: FakePythonIndex) -> None:
    files = write_project("django")
    before = lock_early(index, files)
    assert update(index, files, before, read_advisory("A-1", "flask", events=fixed_in("1"))) is None
    assert index.requests == []


def test_a_project_that_computes_its_version_is_not_built(index: FakePythonIndex) -> None:
    index.publish("hatchling", "1.0", uploaded=EARLY)
    project = PROJECT.replace('version = "1"', 'dynamic = ["version"]').format('"django"')
    build = '[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\nbackend-path = ["."]\n'
    files = {"pyproject.toml": (project + build).encode()}
    before = lock_early(index, files).replace(b'version = "0+muniment.computed"\n', b"")
    result = update(index, files, before, read_advisory("A-1", "sqlparse", events=fixed_in("0.3.1")))
    assert moves(result) == {"sqlparse": (("0.3.0",), ("0.3.1",))}
    assert isinstance(result, LockUpdate)
    (shop,) = [each for each in tomllib.loads(result.content.decode())["package"] if each["name"] == "shop"]
    assert "version" not in shop
    assert not any("hatchling" in request for request in index.requests)


def test_a_project_that_computes_its_dependencies_is_refused_and_not_built(index: FakePythonIndex) -> None:
    files = write_project("django")
    before = lock_early(index, files)
    dynamic = b'[project]\nname = "shop"\nversion = "1"\nrequires-python = ">=3.11"\ndynamic = ["dependencies"]\n'
    build = b'[build-system]\nrequires = ["evil"]\nbuild-backend = "evil"\nbackend-path = ["."]\n'
    files = {"pyproject.toml": dynamic + build, "evil.py": b"open('/tmp/evil-backend-ran', 'w')\n"}
    result = update(index, files, before, read_advisory("A-1", "sqlparse", events=fixed_in("0.3.1")))
    assert isinstance(result, UpdateRefusal)
    assert not any("evil" in request for request in index.requests)
