"""Threat model page: the named tests exist, and each attacker has a control, a test and a residual risk."""

import ast
import re
from pathlib import Path

import pytest

from dev.generate import DOCS, REFERENCE

ROOT = DOCS.parent
TEXT = (REFERENCE / "threat-model.md").read_text(encoding="utf-8")
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", TEXT)))
SECTIONS = TEXT.split("\n## ")[1:]


def functions_of(path: Path) -> set[str]:
    return {
        node.name for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.FunctionDef)
    }


@pytest.mark.parametrize(("path", "name"), NAMED)
def test_each_named_test_exists(path: str, name: str) -> None:
    assert (ROOT / path).is_file(), path
    assert name in functions_of(ROOT / path), f"{path} has no {name}"


@pytest.mark.parametrize("section", SECTIONS, ids=[section.partition("\n")[0] for section in SECTIONS])
def test_each_attacker_has_control_test_and_residual_risk(section: str) -> None:
    rows = [line for line in section.splitlines() if line.startswith("| ") and "---" not in line][1:]
    assert rows
    assert all("::" in row for row in rows), "a row names no test"
    assert "**Left:**" in section
