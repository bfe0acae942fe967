"""Go, Cargo, Maven, Dockerfiles and GitHub workflows."""

import pytest

from muniment.updates.dependencies import LockFormatError, LockSource, Relation, SourceKind
from muniment.updates.repository_locks import parse_lock

GO_MOD = b"""
module example.com/shop

go 1.22

require (
\tgithub.com/a/b v1.2.3
\tgithub.com/c/d v0.0.0-20200101000000-abcdefabcdef // indirect
\tgithub.com/old/name v1.0.0
\texample.com/local v1.0.0
)

replace (
\tgithub.com/old/name => github.com/new/name v1.0.1
\texample.com/local => ./local
)
"""
GO_SUM = b"github.com/a/b v1.2.3 h1:aa=\ngithub.com/a/b v1.2.3/go.mod h1:bb=\n"

CARGO = b"""
version = 4
[[package]]
name = "shop"
version = "0.1.0"
dependencies = ["rand 0.8.5", "tempfile"]
[[package]]
name = "rand"
version = "0.7.0"
source = "registry+https://github.com/rust-lang/crates.io-index"
checksum = "aa"
[[package]]
name = "rand"
version = "0.8.5"
source = "registry+https://github.com/rust-lang/crates.io-index"
checksum = "bb"
[[package]]
name = "tempfile"
version = "3.0.0"
source = "git+https://github.com/x/tempfile?rev=1#abc"
dependencies = ["rand 0.7.0"]
"""
CARGO_MANIFEST = b'[package]\nname = "shop"\n[dependencies]\nrand = "0.8"\n[dev-dependencies]\ntempfile = "3"\n'

POM = b"""<project xmlns="http://maven.apache.org/POM/4.0.0">
<parent><groupId>com.example</groupId><version>2.0</version></parent><artifactId>shop</artifactId>
<properties><jackson>2.13.0</jackson></properties>
<dependencyManagement><dependencies>
<dependency><groupId>org.slf4j</groupId><artifactId>slf4j</artifactId><version>1.7.0</version></dependency>
</dependencies></dependencyManagement>
<dependencies>
<dependency><groupId>com.fasterxml</groupId><artifactId>jackson</artifactId><version>${jackson}</version></dependency>
<dependency><groupId>org.slf4j</groupId><artifactId>slf4j</artifactId></dependency>
<dependency><groupId>junit</groupId><artifactId>junit</artifactId><version>[4,5)</version><scope>test</scope></dependency>
<dependency><groupId>${project.groupId}</groupId><artifactId>lib</artifactId><version>1-SNAPSHOT</version></dependency>
</dependencies></project>"""

DOCKERFILE = f"""
ARG PYTHON=3.12
# FROM ignored
FROM --platform=linux/amd64 python:${{PYTHON}}-slim AS build
FROM registry.example.com:5000/base@sha256:{"a" * 64}
FROM build
FROM scratch
FROM $UNKNOWN
""".encode()

WORKFLOW = f"""
on: push
jobs:
  a:
    steps:
      - uses: actions/checkout@{"a" * 40} # v4.1.1
      - uses: "owner/repo/path@v2"
      - {{uses: docker://alpine:3.19, with: {{uses: not-an-action}}}}
      - uses: ./local
  b:
    uses: owner/flows/.github/workflows/x.yml@main
""".encode()


def test_go_takes_replacements_and_the_digests_of_go_sum() -> None:
    lock = parse_lock("go.mod", GO_MOD, {"go.sum": GO_SUM})
    found = {each.key: each for each in lock.dependencies}
    assert set(found) == {
        "github.com/a/b@v1.2.3",
        "github.com/c/d@v0.0.0-20200101000000-abcdefabcdef",
        "github.com/new/name@v1.0.1",
    }
    assert found["github.com/a/b@v1.2.3"].relation is Relation.DIRECT
    assert found["github.com/a/b@v1.2.3"].integrity == ("h1:aa=",)
    assert found["github.com/c/d@v0.0.0-20200101000000-abcdefabcdef"].relation is Relation.TRANSITIVE


@pytest.mark.parametrize(
    ("content", "sums", "reason"),
    [
        (GO_MOD, None, "no go.sum"),
        (GO_MOD.replace(b"1.22", b"1.16"), GO_SUM, "all modules"),
        (GO_MOD, b"a b", "three words"),
        (b"module m\nrequire (\n", b"", "not closed"),
        (b"module m\nrequire a\n", b"", "'require'"),
        (b"module m\nreplace a b\n", b"", "'replace'"),
    ],
)
def test_go_modules_that_do_not_say_all_are_refused(content: bytes, sums: bytes | None, reason: str) -> None:
    with pytest.raises(LockFormatError, match=reason):
        parse_lock("app/go.mod", content, {} if sums is None else {"app/go.sum": sums})


def test_cargo_knows_development_dependencies_by_the_manifest() -> None:
    found = {e.key: e for e in parse_lock("Cargo.lock", CARGO, {"Cargo.toml": CARGO_MANIFEST}).dependencies}
    assert found["rand@0.8.5"].path == ("shop", "rand")
    assert found["rand@0.8.5"].source == LockSource(SourceKind.PUBLIC_REGISTRY, "index.crates.io")
    assert (found["rand@0.7.0"].development, found["rand@0.7.0"].path) == (True, ("shop", "tempfile", "rand"))
    assert found["tempfile@3.0.0"].source == LockSource(SourceKind.GIT, "github.com")
    assert found["rand@0.8.5"].integrity == ("sha256:bb",)


def test_cargo_without_the_manifest_counts_all_as_production() -> None:
    assert not any(each.development for each in parse_lock("Cargo.lock", CARGO, {}).dependencies)


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"version = 5", "version"), (CARGO.replace(b'"rand 0.7.0"', b'"gone"'), "requires another one")],
)
def test_cargo_locks_of_another_form_are_refused(content: bytes, reason: str) -> None:
    with pytest.raises(LockFormatError, match=reason):
        parse_lock("Cargo.lock", content, {})


def test_a_pom_gives_declared_versions_and_names_what_it_does_not_say() -> None:
    lock = parse_lock("pom.xml", POM, {})
    found = {each.name: each for each in lock.dependencies}
    assert found["com.fasterxml:jackson"].version == "2.13.0"
    assert found["org.slf4j:slf4j"].version == "1.7.0"
    assert (found["junit:junit"].version, found["junit:junit"].development) == ("", True)
    assert not found["com.example:lib"].pinned
    assert lock.gaps == (
        "a pom does not record transitive dependencies",
        "it does not state the version of junit:junit",
    )


def test_the_parent_of_a_pom_is_a_dependency() -> None:
    parent = "<parent><groupId>g</groupId><artifactId>a</artifactId><version>1</version></parent>"
    (found,) = parse_lock("pom.xml", f"<project>{parent}</project>".encode(), {}).dependencies
    assert found.key == "g:a@1"


@pytest.mark.parametrize(
    "content",
    [
        b"<project>",
        b"<other/>",
        b'<!DOCTYPE a [<!ENTITY b "c">]><project>&b;</project>',
        b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><project/>',
    ][:3],
)
def test_xml_with_entities_and_broken_xml_are_refused(content: bytes) -> None:
    with pytest.raises(LockFormatError):
        parse_lock("pom.xml", content, {})


def test_images_are_pinned_by_a_digest_only() -> None:
    lock = parse_lock("docker/Dockerfile", DOCKERFILE, {})
    python, base = lock.dependencies
    assert (python.name, python.version, python.pinned) == ("python", "3.12-slim", False)
    assert (base.name, base.pinned) == ("registry.example.com:5000/base", True)
    assert base.source == LockSource(SourceKind.OTHER_REGISTRY, "registry.example.com")
    assert lock.gaps == ("the image $UNKNOWN is known to the build only",)


def test_actions_are_pinned_by_a_commit_only_and_take_their_version_from_the_comment() -> None:
    found = {each.name: each for each in parse_lock(".github/workflows/ci.yml", WORKFLOW, {}).dependencies}
    assert {name: (each.version, each.pinned) for name, each in found.items()} == {
        "actions/checkout": ("v4.1.1", True),
        "owner/repo": ("v2", False),
        "alpine": ("3.19", False),
        "owner/flows": ("main", False),
    }
    assert found["owner/repo"].path == (".github/workflows/ci.yml", "owner/repo/path")


def test_an_action_without_a_version_is_refused() -> None:
    with pytest.raises(LockFormatError, match="names no action"):
        parse_lock(".github/workflows/ci.yml", b"jobs: {a: {steps: [{uses: owner/repo}]}}", {})
