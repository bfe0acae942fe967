"""Every step of docs/explanation/journeys.md is a function that exists."""

import ast
import re

import pytest

from dev.rules import ROOT

PAGE = (ROOT / "docs/explanation/journeys.md").read_text("utf-8")
STEPS = sorted(set(re.findall(r"`([a-z][\w.]*):([\w.]+)`", PAGE)))


def find_names(module: str) -> set[str]:
    """Functions of a module, and methods as `Class.method`."""
    path = ROOT / "src/muniment" / (module.replace(".", "/") + ".py")
    tree = ast.parse(path.read_text("utf-8"))
    functions = {each.name for each in tree.body if isinstance(each, ast.FunctionDef)}
    classes = [each for each in tree.body if isinstance(each, ast.ClassDef)]
    methods = {f"{cls.name}.{each.name}" for cls in classes for each in cls.body if isinstance(each, ast.FunctionDef)}
    return functions | methods


def test_page_follows_ten_journeys_of_several_steps() -> None:
    journeys = PAGE.split("\n## ")[1:]
    assert len(journeys) == 10
    assert all(len(re.findall(r"^\| `", journey, re.MULTILINE)) >= 7 for journey in journeys)


@pytest.mark.parametrize(("module", "name"), STEPS)
def test_step_exists(module: str, name: str) -> None:
    assert name in find_names(module)
