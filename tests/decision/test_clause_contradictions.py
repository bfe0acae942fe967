"""Sentences of clauses that name another number than their parameter are found, and no others."""

import pytest

from muniment.decision.bound_policies import read_bound_policy
from muniment.decision.clause_contradictions import Contradiction, find_contradictions
from muniment.policy.built_in_policy import format_built_in_policy

BUILT_IN = format_built_in_policy("security@example.test", "organisation")
HEAD = """schema = 1
owner = "o"
repository = "r"
[branches]
protected = ["main"]
[[section]]
id = "s"
name = "S"
owner = "o"
[[clause]]
id = "c"
name = "C"
section = "s"
enforce = []
"""


def contradictions(sentence: str, control: str, parameter: str = "", value: int = 0) -> list[tuple[str, str]]:
    output = f"with = {{ {parameter} = {value} }}\n" if parameter else ""
    text = f'{HEAD}text = "{sentence}"\n' + (f'control = "{control}"\n{output}' if control else "")
    (bound,) = read_bound_policy(text, "policy.toml").clauses
    return [(one.words, one.parameter) for one in find_contradictions(bound)]


def test_number_of_people_that_differs_is_found() -> None:
    (bound,) = read_bound_policy(
        f'{HEAD}text = "Two people review."\ncontrol = "independent-review"\nwith = {{ reviewers = 1 }}\n', "p"
    ).clauses
    assert find_contradictions(bound) == (Contradiction("c", "Two people", "reviewers", 1),)


@pytest.mark.parametrize(
    ("sentence", "control", "parameter", "value", "words"),
    [
        ("Three other qualified people review.", "independent-review", "reviewers", 2, "Three people"),
        ("At most 400 lines change.", "small-changes", "lines", 500, "400 lines"),
        ("Secrets are replaced every year.", "secret-rotation", "max_age_days", 400, "every year"),
        ("Secrets are replaced every 3 months.", "secret-rotation", "max_age_days", 365, "3 months"),
        ("Secrets are replaced quarterly.", "secret-rotation", "max_age_days", 365, "quarterly"),
        ("Logs are read within two hours.", "secrets-hidden-from-developers", "log_minutes", 15, "two hours"),
        ("At least 100 % are automatic.", "automated-deployment", "min_percent", 90, "100 %"),
    ],
)
def test_sentence_contradicts_parameter(sentence: str, control: str, parameter: str, value: int, words: str) -> None:
    assert contradictions(sentence, control, parameter, value) == [(words, parameter)]


@pytest.mark.parametrize(
    ("sentence", "control", "parameter", "value"),
    [
        ("Two people review.", "independent-review", "reviewers", 2),
        ("One of two reviewers is a security officer.", "independent-review", "reviewers", 2),
        ("Secrets are replaced every year.", "secret-rotation", "max_age_days", 365),
        ("Secrets are replaced every three months.", "secret-rotation", "max_age_days", 90),
        ("Secrets are replaced each time that a person leaves.", "secret-rotation", "max_age_days", 90),
        ("Every per", "secret-rotation", "max_age_days", 90),
        ("One place decides, in 400 ways and for all files.", "small-changes", "files", 40),
        ("Two people review.", "", "", 0),
        ("Two people review.", "least-privilege", "", 0),
    ],
)
def test_sentence_agrees_with_parameter(sentence: str, control: str, parameter: str, value: int) -> None:
    assert contradictions(sentence, control, parameter, value) == []


def test_built_in_policy_has_no_contradiction() -> None:
    assert [found for one in read_bound_policy(BUILT_IN, "p").clauses if (found := find_contradictions(one))] == []
