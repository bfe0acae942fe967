"""Titles of rules: a few plain words for what a rule finds."""

import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType

_PIPELINE_RULES = "zizmor/"
_SCRIPT_RULES = "js-"  # most have the title of the same rule for Python


@cache
def load_titles() -> Mapping[str, str]:
    """Load the titles of our own rules by id."""
    path = Path(__file__).with_name("rule_titles.toml")
    return MappingProxyType(tomllib.loads(path.read_text(encoding="utf-8")))


def find_title(rule: str) -> str:
    """Find the title of a rule. A rule of another tool, and a finding that a person named, keep their own words."""
    titles = load_titles()
    known = titles.get(rule) or titles.get(rule.removeprefix(_SCRIPT_RULES))
    if known is not None:
        return known
    if rule.startswith(_PIPELINE_RULES):
        return "Pipeline file: " + rule.removeprefix(_PIPELINE_RULES).replace("-", " ")
    return rule


def find_rules_by_title(text: str) -> tuple[str, ...]:
    """Find the rules whose title has a text, without regard to case."""
    wanted = text.casefold()
    found = [rule for rule, title in load_titles().items() if wanted in title.casefold()]
    return (*found, *(f"{_SCRIPT_RULES}{rule}" for rule in found))
