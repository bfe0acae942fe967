"""Ages of releases: of public registries only, and unknown where one does not name the release."""

import json

import pytest

from muniment.updates.dependencies import Dependency, Ecosystem, LockSource, SourceKind
from muniment.updates.registry_proxy import RegistryAnswer
from muniment.updates.release_ages import ReleaseAge, ReleaseAges

PUBLIC = LockSource(SourceKind.PUBLIC_REGISTRY, "pypi.org")
AT = "2026-01-01T00:00:00.000000Z"


class _Registries:
    """Registries that have the Python package `django` and the npm package `qs`, and count requests."""

    def __init__(self) -> None:
        self.requested: list[str] = []

    def fetch_path(self, host: str, path: str, _accept: str) -> RegistryAnswer:
        self.requested.append(f"{host}{path}")
        file = {"url": "https://files.example.test/x", "hashes": {}, "upload-time": "2026-01-01T00:00:00Z"}
        pages = {
            "pypi.org/simple/django/": {
                "name": "django",
                "files": [
                    {"filename": "django-4.2.0-py3-none-any.whl", **file},
                    {"filename": "django-5.0-py3-none-any.whl", **file, "upload-time": ""},
                ],
            },
            "registry.npmjs.org/qs": {
                "name": "qs",
                "versions": {"6.0.0": {}},
                "time": {"6.0.0": "2026-01-01T00:00:00Z"},
            },
        }
        found = pages.get(f"{host}{path}")
        return RegistryAnswer(200, body=json.dumps(found).encode()) if found else RegistryAnswer(404)


def make(ecosystem: Ecosystem, name: str, version: str, source: LockSource = PUBLIC) -> Dependency:
    return Dependency(ecosystem, name, version, source=source)


@pytest.mark.parametrize(
    ("dependency", "published", "why"),
    [
        (make(Ecosystem.PYPI, "django", "4.2"), AT, ""),
        (make(Ecosystem.NPM, "qs", "6.0.0"), AT, ""),
        (make(Ecosystem.PYPI, "django", "5.0"), "", "the registry does not answer, or does not have it"),
        (make(Ecosystem.PYPI, "django", "9"), "", "the registry does not answer, or does not have it"),
        (make(Ecosystem.NPM, "gone", "1.0.0"), "", "the registry does not answer, or does not have it"),
        (make(Ecosystem.GO, "x", "v1"), "", "the age of packages of Go is not read"),
    ],
)
def test_age_is_that_of_the_registry_or_unknown(dependency: Dependency, published: str, why: str) -> None:
    assert ReleaseAges(_Registries(), "2026-02-01T00:00:00.000000Z").find_age(dependency) == ReleaseAge(published, why)


@pytest.mark.parametrize("kind", [SourceKind.OTHER_REGISTRY, SourceKind.GIT, SourceKind.ARCHIVE, SourceKind.UNKNOWN])
def test_a_name_of_another_source_is_never_looked_up(kind: SourceKind) -> None:
    registries = _Registries()
    one = make(Ecosystem.PYPI, "django", "4.2", LockSource(kind, "packages.example.test"))
    assert ReleaseAges(registries, AT).find_age(one).published == ""
    assert registries.requested == []


def test_a_package_is_asked_for_once() -> None:
    registries = _Registries()
    ages = ReleaseAges(registries, AT)
    for version in ("4.2", "5.0", "9"):
        ages.find_age(make(Ecosystem.PYPI, "django", version))
    assert registries.requested == ["pypi.org/simple/django/"]
