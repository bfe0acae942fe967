"""Threat model: the tests that it names exist, and no attacker or login of a process is left out."""

import ast
from pathlib import Path

import pytest

from dev.generate import DOCS
from dev.threat_reference import Attacker, load_attackers
from muniment.server.guarding.database_roles import PROCESSES, ROLE_PREFIX

ROOT = DOCS.parent
ATTACKERS = load_attackers()
NAMED = sorted({test for one in ATTACKERS for protection in one.protection for test in protection.tests})
EXPECTED = (
    *("One person", "Code that runs in one process", "operating system account", "dump", "forge", "vault", "wheel"),
)


def find_functions(path: Path) -> set[str]:
    """Names of the functions of a file."""
    return {
        node.name for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.FunctionDef)
    }


@pytest.mark.parametrize("test", NAMED)
def test_each_named_test_exists(test: str) -> None:
    path, _, name = test.partition("::")
    assert (ROOT / path).is_file(), path
    assert name in find_functions(ROOT / path), f"{path} has no {name}"


@pytest.mark.parametrize("attacker", ATTACKERS, ids=[one.name for one in ATTACKERS])
def test_each_attacker_has_protection_test_and_residual_risk(attacker: Attacker) -> None:
    assert attacker.protection
    assert all(one.tests for one in attacker.protection), "a protection names no test"
    assert attacker.left.strip()
    whats = [one.holds for one in attacker.protection]
    assert len(set(whats)) == len(whats), "a protection stands there twice"


@pytest.mark.parametrize("words", EXPECTED)
def test_no_attacker_is_left_out(words: str) -> None:
    assert any(words in one.name for one in ATTACKERS)


@pytest.mark.parametrize("role", PROCESSES)
def test_the_login_of_each_process_is_an_attacker(role: str) -> None:
    name = role.removeprefix(ROLE_PREFIX)
    texts = [f"{one.name} {one.left} {' '.join(row.holds for row in one.protection)}" for one in ATTACKERS]
    assert any(name in text for text in texts)
