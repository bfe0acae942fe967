"""CycloneDX out and in, and package URLs."""

import json

import pytest

from muniment.errors import ParseError
from muniment.updates.dependencies import Dependency, Ecosystem, Lock, LockFormat, LockFormatError, Relation
from muniment.updates.package_urls import read_package_url, write_package_url
from muniment.updates.sboms import parse_sbom, write_sbom

LOCK = Lock(
    "uv.lock",
    LockFormat.UV,
    (
        Dependency(Ecosystem.PYPI, "django", "4.2", Relation.DIRECT, ("shop", "django"), requires=("sqlparse@0.4",)),
        Dependency(Ecosystem.PYPI, "sqlparse", "0.4", Relation.TRANSITIVE, ("shop", "django", "sqlparse")),
        Dependency(Ecosystem.NPM, "@scope/name", "1.0.0", Relation.DIRECT, ("shop", "@scope/name"), development=True),
    ),
)


def test_a_lock_survives_its_sbom() -> None:
    found = parse_sbom("bom.json", write_sbom("shop", LOCK), {})
    assert {each.key: (each.relation, each.path, each.development, each.requires) for each in found.dependencies} == {
        each.key: (each.relation, each.path, each.development, each.requires) for each in LOCK.dependencies
    }
    assert found.gaps == ()


def test_an_sbom_names_its_components_by_package_url() -> None:
    document = json.loads(write_sbom("shop", LOCK))
    assert document["specVersion"] == "1.6"
    assert {each["purl"] for each in document["components"]} == {
        "pkg:pypi/django@4.2",
        "pkg:pypi/sqlparse@0.4",
        "pkg:npm/%40scope/name@1.0.0",
    }


def test_a_component_without_a_package_url_is_a_gap() -> None:
    document = json.loads(write_sbom("shop", LOCK))
    document["components"].append(
        {"type": "library", "name": "odd", "components": [{"name": "inner", "type": "library"}]}
    )
    found = parse_sbom("bom.json", json.dumps(document).encode(), {})
    assert found.gaps == (
        "the component odd has no package URL that is known",
        "the component inner has no package URL that is known",
    )


@pytest.mark.parametrize("content", [b"{}", b'{"bomFormat": "CycloneDX", "specVersion": "9.9"}', b"<bom/>"])
def test_what_is_no_sbom_is_refused(content: bytes) -> None:
    with pytest.raises(LockFormatError):
        parse_sbom("bom.json", content, {})


@pytest.mark.parametrize(
    ("dependency", "url"),
    [
        (Dependency(Ecosystem.MAVEN, "org.slf4j:slf4j", "1"), "pkg:maven/org.slf4j/slf4j@1"),
        (Dependency(Ecosystem.GO, "github.com/a/b", "v1.0.0"), "pkg:golang/github.com/a/b@v1.0.0"),
        (Dependency(Ecosystem.CARGO, "rand", "0.8.5"), "pkg:cargo/rand@0.8.5"),
        (Dependency(Ecosystem.GITHUB_ACTIONS, "actions/checkout", "v4"), "pkg:githubactions/actions/checkout@v4"),
        (Dependency(Ecosystem.PYPI, "django", ""), "pkg:pypi/django"),
    ],
)
def test_package_urls_are_written_and_read(dependency: Dependency, url: str) -> None:
    assert write_package_url(dependency) == url
    assert read_package_url(url) == dependency


@pytest.mark.parametrize("text", ["django", "pkg:deb/debian/curl@7", ""])
def test_other_package_urls_are_refused(text: str) -> None:
    with pytest.raises(ParseError):
        read_package_url(text)
