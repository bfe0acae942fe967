import re
import tomllib

import pytest

from dev.rules import ROOT

PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
LOCK = tomllib.loads((ROOT / "uv.lock").read_text())


def _names(requirements: list[str]) -> set[str]:
    return {re.split(r"[^\w.-]", requirement, maxsplit=1)[0] for requirement in requirements}


RUN = _names(PYPROJECT["project"]["dependencies"])
EXTRAS = {name: _names(needs) for name, needs in PYPROJECT["project"]["optional-dependencies"].items()}
DEVELOPMENT = _names(PYPROJECT["dependency-groups"]["dev"])
BUILD = _names(PYPROJECT["build-system"]["requires"])


@pytest.mark.parametrize(
    ("heading", "expected"),
    [
        ("To run", RUN),
        ("To run the service", EXTRAS["service"]),
        ("To run pipelines", EXTRAS["pipeline"]),
        ("To report updates", EXTRAS["updates"]),
        ("To run a vault of its own", EXTRAS["embedded"]),
        ("To mask faster", EXTRAS["hyperscan"]),
        ("To make PDF files", EXTRAS["pdf"]),
        ("To send traces", EXTRAS["telemetry"]),
        ("To develop", DEVELOPMENT),
        ("To build", BUILD | {"uv"}),
    ],
)
def test_page_lists_exactly_the_direct_dependencies(heading: str, expected: set[str]) -> None:
    page = (ROOT / "docs" / "reference" / "dependencies.md").read_text()
    section = page.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    assert set(re.findall(r"^\| `([^`]+)` \|", section, re.MULTILINE)) == expected


def test_lock_file_matches_the_declared_dependencies() -> None:
    (muniment,) = (package for package in LOCK["package"] if package["name"] == "muniment")
    assert {dependency["name"] for dependency in muniment["metadata"]["requires-dist"]} == RUN.union(*EXTRAS.values())
    assert {dependency["name"] for dependency in muniment["metadata"]["requires-dev"]["dev"]} == DEVELOPMENT
