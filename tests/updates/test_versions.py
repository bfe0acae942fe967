"""Order of versions, compared with sequences that the ecosystems' own documents and tools give."""

from itertools import pairwise
from typing import Any

import pytest

from muniment.updates.dependencies import Ecosystem
from muniment.updates.versions import is_prerelease, parse_version, public_version

ASCENDING = {
    Ecosystem.PYPI: "0.9 1.0.dev1 1.0a1 1.0a1.post1 1.0b2 1.0rc1 1.0 1.0+local 1.0.post1 1.0.1 2.0 1!0.1",
    # semver.org, section 11
    Ecosystem.NPM: "0.0.0-0 1.0.0-alpha 1.0.0-alpha.1 1.0.0-alpha.beta 1.0.0-beta 1.0.0-beta.2 1.0.0-beta.11 "
    "1.0.0-rc.1 1.0.0 1.0.1 1.2.0 1.10.0 2.0.0",
    Ecosystem.GO: "v0.0.0-20200101000000-abcdefabcdef v0.0.1 v1.2.3-0.20200101000000-abcdefabcdef v1.2.3 "
    "v2.0.0+incompatible",
    # maven.apache.org/pom.html, "Version Order Specification"
    Ecosystem.MAVEN: "1-alpha 1-alpha2 1-alpha-10 1-beta 1-milestone 1-rc 1-SNAPSHOT 1 1-sp 1-abc 1-1 1.1 1.1.1 1.2 2",
}
EQUAL = {
    Ecosystem.PYPI: [("1.0", "1.0.0"), ("v1.0", "1"), ("1.0-1", "1.0.post1"), ("1.0c1", "1.0rc1")],
    Ecosystem.NPM: [("1.0.0+a", "1.0.0+b")],
    Ecosystem.GO: [("v1.0.0", "1.0.0")],
    Ecosystem.MAVEN: [
        ("1", "1.0.0"),
        ("1.ga", "1-final"),
        ("2.0.1.RELEASE", "2.0.1"),
        ("1.0.RC2", "1.0-cr2"),
        ("1a1", "1-alpha-1"),
        ("1-0.ga", "1.0"),
        ("1.0alpha", "1-alpha"),
    ],
}


@pytest.mark.parametrize("ecosystem", ASCENDING)
def test_versions_ascend_as_the_ecosystem_says(ecosystem: Ecosystem) -> None:
    keys: list[Any] = [parse_version(ecosystem, text) for text in ASCENDING[ecosystem].split()]
    for at, lower in enumerate(keys):
        for higher in keys[at + 1 :]:
            assert lower < higher
            assert not higher < lower
            assert lower != higher


@pytest.mark.parametrize(("ecosystem", "one", "other"), [(e, *pair) for e, pairs in EQUAL.items() for pair in pairs])
def test_versions_that_are_written_differently_are_equal(ecosystem: Ecosystem, one: str, other: str) -> None:
    first, second = parse_version(ecosystem, one), parse_version(ecosystem, other)
    assert first == second
    assert hash(first) == hash(second)


@pytest.mark.parametrize(
    ("ecosystem", "text"),
    [
        (Ecosystem.PYPI, "one"),
        (Ecosystem.PYPI, ""),
        (Ecosystem.NPM, "1.2"),
        (Ecosystem.NPM, "v1.2.3"),
        (Ecosystem.NPM, "01.2.3"),
        (Ecosystem.NPM, "1.2.3-01"),
        (Ecosystem.NPM, "1.2.3-a..b"),
        (Ecosystem.NPM, "latest"),
        (Ecosystem.GITHUB_ACTIONS, "v4"),
        (Ecosystem.MAVEN, "${version}"),
        (Ecosystem.MAVEN, ""),
        (Ecosystem.IMAGE, "1.0"),
        (Ecosystem.PYPI, "1." * 100 + "1"),
    ],
)
def test_a_text_that_is_no_version_has_no_order(ecosystem: Ecosystem, text: str) -> None:
    assert parse_version(ecosystem, text) is None


def test_prereleases_are_known() -> None:
    for ecosystem, before, after in (
        (Ecosystem.PYPI, "1.0.dev1", "1.0.post1"),
        (Ecosystem.NPM, "1.0.0-rc.1", "1.0.0+build"),
        (Ecosystem.MAVEN, "1.0-rc1", "1.0-jre"),
    ):
        assert is_prerelease(parse_version(ecosystem, before))
        assert not is_prerelease(parse_version(ecosystem, after))


def test_a_rebuild_is_the_version_that_it_rebuilds() -> None:
    assert public_version(Ecosystem.PYPI, "2.5.0+cpu") == parse_version(Ecosystem.PYPI, "2.5")
    assert public_version(Ecosystem.PYPI, "one") is None


def test_the_sequences_have_no_repetition() -> None:
    for text in ASCENDING.values():
        assert all(one != other for one, other in pairwise(text.split()))
