"""package-lock.json and pnpm-lock.yaml."""

import json
import sys
from typing import Any

import pytest

from muniment.updates.dependencies import Dependency, Lock, LockFormatError, LockSource, Relation, SourceKind
from muniment.updates.repository_locks import parse_lock

REGISTRY = "https://registry.npmjs.org"

NPM: dict[str, Any] = {
    "name": "shop",
    "lockfileVersion": 3,
    "requires": True,
    "packages": {
        "": {
            "name": "shop",
            "workspaces": ["packages/*"],
            "dependencies": {"express": "^4"},
            "devDependencies": {"jest": "1"},
        },
        "packages/web": {"name": "@shop/web", "dependencies": {"qs": "^6", "other": "npm:real@1"}},
        "node_modules/@shop/web": {"resolved": "packages/web", "link": True},
        "node_modules/express": {
            "version": "4.18.0",
            "resolved": f"{REGISTRY}/express/-/express-4.18.0.tgz",
            "integrity": "sha512-aa",
            "dependencies": {"qs": "6.9.0"},
        },
        "node_modules/express/node_modules/qs": {"version": "6.9.0", "resolved": f"{REGISTRY}/qs/-/qs-6.9.0.tgz"},
        "node_modules/qs": {"version": "6.11.0", "resolved": "https://npm.example.com/qs/-/qs-6.11.0.tgz"},
        "node_modules/other": {"name": "real", "version": "1.0.0", "resolved": "git+ssh://git@github.com/a/b.git#c"},
        "node_modules/jest": {"version": "1.0.0", "dev": True, "peerDependencies": {"missing": "1"}, "os": ["linux"]},
    },
}

PNPM = """
lockfileVersion: '9.0'
settings:
  autoInstallPeers: true
importers:
  .:
    dependencies:
      react-dom: {specifier: ^18, version: 18.2.0(react@18.2.0)}
      alias: {specifier: 'npm:real@1', version: real@1.0.0}
      web: {specifier: 'workspace:*', version: 'link:packages/web'}
    devDependencies:
      vite: {specifier: ^5, version: 5.0.0}
  packages/web:
    dependencies:
      react: {specifier: ^18, version: 18.2.0}
packages:
  react@18.2.0: {resolution: {integrity: sha512-aa}}
  react-dom@18.2.0: {resolution: {integrity: sha512-bb}}
  real@1.0.0: {resolution: {integrity: sha512-cc, tarball: 'https://npm.example.com/real/-/real-1.0.0.tgz'}}
  vite@5.0.0: {resolution: {integrity: sha512-dd}}
  '@scope/loose@1.0.0': {resolution: {integrity: sha512-ee}}
snapshots:
  react@18.2.0: {dependencies: {'@scope/loose': 1.0.0}}
  react-dom@18.2.0(react@18.2.0): {dependencies: {react: 18.2.0}}
  real@1.0.0: {}
  vite@5.0.0: {}
  '@scope/loose@1.0.0': {}
"""

PNPM_6 = """
lockfileVersion: '6.0'
dependencies:
  react: {specifier: ^18, version: 18.2.0}
packages:
  /react@18.2.0:
    resolution: {integrity: sha512-aa}
    dependencies: {loose-envify: 1.4.0}
  /loose-envify@1.4.0:
    resolution: {integrity: sha512-bb}
"""


def read_npm(document: dict[str, Any]) -> Lock:
    return parse_lock("package-lock.json", json.dumps(document).encode(), {})


def by_key(lock: Lock) -> dict[str, Dependency]:
    return {each.key: each for each in lock.dependencies}


def test_npm_resolves_names_as_node_does_and_follows_links_of_a_workspace() -> None:
    lock = read_npm(NPM)
    found = by_key(lock)
    assert set(found) == {"express@4.18.0", "qs@6.9.0", "qs@6.11.0", "real@1.0.0", "jest@1.0.0"}
    assert lock.members == ("@shop/web", "shop")
    assert found["qs@6.9.0"].path == ("shop", "express", "qs")
    assert found["qs@6.9.0"].relation is Relation.TRANSITIVE
    assert found["qs@6.11.0"].path == ("@shop/web", "qs")
    assert found["qs@6.11.0"].source == LockSource(SourceKind.OTHER_REGISTRY, "npm.example.com")
    assert found["real@1.0.0"].source == LockSource(SourceKind.GIT, "github.com")
    assert found["express@4.18.0"].integrity == ("sha512-aa",)
    assert found["express@4.18.0"].requires == ("qs@6.9.0",)
    assert (found["jest@1.0.0"].development, found["jest@1.0.0"].markers) == (True, ("os: linux",))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"lockfileVersion": 1}, "lockfileVersion"),
        ({"packages": []}, "not a table"),
        ({"packages": {}}, "no root"),
        ({"packages": {"": {}, "node_modules/a": {}}}, "'version'"),
        ({"packages": {"": 3}}, "not an object"),
    ],
)
def test_npm_locks_of_another_form_are_refused(change: dict[str, Any], reason: str) -> None:
    with pytest.raises(LockFormatError, match=reason):
        read_npm(NPM | change)


def test_json_with_a_key_twice_is_refused() -> None:
    with pytest.raises(LockFormatError, match="stands twice"):
        parse_lock("package-lock.json", b'{"lockfileVersion": 3, "lockfileVersion": 2}', {})


def test_json_that_is_nested_too_deeply_is_refused() -> None:
    before = sys.getrecursionlimit()  # other tests of this process raise it, up to where the interpreter ends
    sys.setrecursionlimit(1000)
    try:
        with pytest.raises(LockFormatError):
            parse_lock("package-lock.json", b"[" * 100_000 + b"]" * 100_000, {})
    finally:
        sys.setrecursionlimit(before)


def test_pnpm_joins_peer_variants_aliases_and_workspaces() -> None:
    lock = parse_lock("pnpm-lock.yaml", PNPM.encode(), {})
    found = by_key(lock)
    assert set(found) == {"react@18.2.0", "react-dom@18.2.0", "real@1.0.0", "vite@5.0.0", "@scope/loose@1.0.0"}
    assert lock.members == (".", "packages/web")
    assert found["react@18.2.0"].path == ("packages/web", "react")
    assert found["@scope/loose@1.0.0"].relation is Relation.TRANSITIVE
    assert found["react-dom@18.2.0"].requires == ("react@18.2.0",)
    assert found["real@1.0.0"].source == LockSource(SourceKind.OTHER_REGISTRY, "npm.example.com")
    assert found["vite@5.0.0"].development


def test_pnpm_6_is_read() -> None:
    found = by_key(parse_lock("pnpm-lock.yaml", PNPM_6.encode(), {}))
    assert found["loose-envify@1.4.0"].path == (".", "react", "loose-envify")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("lockfileVersion: 5.4", "lockfileVersion"),
        ("lockfileVersion: '9.0'\na: &a [1]\nb: *a", "aliases"),
        ("a: 1\n---\nb: 1", "several"),
        ("- 1", "not a mapping"),
        ("a: [" * 50 + "]" * 50, "nested too deeply"),
        ("a: ]", "not YAML"),
        ("lockfileVersion: '9.0'\nimporters: {.: {dependencies: {a: {version: 1.0.0}}}}", "does not have"),
        ("lockfileVersion: '9.0'\nsnapshots: {a@1.0.0: {}}", "no package"),
    ],
)
def test_pnpm_locks_of_another_form_are_refused(text: str, reason: str) -> None:
    with pytest.raises(LockFormatError, match=reason):
        parse_lock("pnpm-lock.yaml", text.encode(), {})
