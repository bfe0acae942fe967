"""Policies are parsed once for each text, and completed for a product as values."""

import datetime

import pytest
from msgspec import structs

from muniment.decision.binding import BoundPolicy
from muniment.decision.bound_policies import (
    PRODUCT_SECTION,
    SENSITIVE_PATHS_CLAUSE,
    Monitoring,
    complete_policy,
    read_bound_policy,
    read_policy_in_force,
    tighten_policy,
)
from muniment.decision.catalogue import CONTROLS, PLANNED
from muniment.decision.tightening import tighten_clauses
from muniment.errors import ConfigurationError, PolicyError
from muniment.policy.built_in_policy import format_built_in_policy
from muniment.policy.document import parse_policy
from muniment.policy.toml_reading import TomlDocument

PACK = format_built_in_policy("sec@example.test", "shop")
CLAUSE = "review.two-reviewers"
DAY = datetime.date(2027, 3, 1)

# What the same completion is in TOML: the digest of a policy is of its values, however they came to be.
SENSITIVE = f"""
[[section]]
id = "{PRODUCT_SECTION}"
name = "This product"
owner = "sec@example.test"

[[clause]]
id = "{SENSITIVE_PATHS_CLAUSE}"
name = "Sensitive paths of the product"
section = "{PRODUCT_SECTION}"
text = "Changes of the product's sensitive paths are approved by somebody with the security role."
control = "security-attention"
enforce = ["merge"]
with = {{ sensitive = ["app.py", "auth/**"] }}
"""


def days(policy: BoundPolicy, clause: str) -> datetime.date | None:
    return next(bound.clause.monitoring_until for bound in policy.clauses if bound.clause.id == clause)


def test_policy_is_parsed_once_per_text_regardless_of_file_name(monkeypatch: pytest.MonkeyPatch) -> None:
    parsed: list[str] = []

    def counted(text: str, where: str, error: type[ConfigurationError]) -> TomlDocument:
        parsed.append(text)
        return TomlDocument(text, where, error)

    monkeypatch.setattr("muniment.policy.document.TomlDocument", counted)
    text = f"{PACK}# of this test alone\n"
    first = read_bound_policy(text, "policy.toml of the home")
    assert read_bound_policy(text, ".muniment/policy.toml") is first
    assert parse_policy(text, "policy.toml") is first.policy
    assert parsed == [text]


def test_invalid_policy_error_names_its_own_file() -> None:
    for where in ("one.toml", "two.toml"):
        with pytest.raises(PolicyError, match=f"^{where}:"):
            read_bound_policy(PACK.replace("schema = 1", "schema = 2"), where)


def test_policy_in_force_is_read_with_a_clause_that_cannot_be_evaluated() -> None:
    assert read_policy_in_force(PACK, "p") is read_bound_policy(PACK, "p")
    text = PACK.replace('control = "independent-review"', 'control = "renamed"', 1)
    with pytest.raises(PolicyError, match="renamed"):
        read_bound_policy(text, "p")
    found = read_policy_in_force(text, "p")
    assert list(found.clause_problems) == [CLAUSE]
    assert list(complete_policy(found, ("app.py",), ()).clause_problems) == [CLAUSE]
    with pytest.raises(PolicyError, match=r"^p:"):
        read_policy_in_force(PACK.replace("schema = 1", "schema = 2"), "p")


def test_a_completed_policy_has_the_digest_of_the_same_policy_as_text() -> None:
    completed = complete_policy(read_bound_policy(PACK, "p"), ("app.py", "auth/**"), ())
    assert completed.policy.digest == read_bound_policy(PACK + SENSITIVE, "p").policy.digest
    assert completed == read_bound_policy(PACK + SENSITIVE, "p")


def test_policy_without_product_additions_is_unchanged() -> None:
    policy = read_bound_policy(PACK, "p")
    assert complete_policy(policy, (), ()) == policy
    assert complete_policy(policy, (), (Monitoring("no.such-clause", DAY),)) == policy


def test_monitoring_delays_a_clause_and_never_brings_one_forward() -> None:
    policy = read_bound_policy(PACK, "p")
    earlier, later = DAY - datetime.timedelta(days=9), DAY + datetime.timedelta(days=9)
    completed = complete_policy(policy, (), (Monitoring(CLAUSE, DAY), Monitoring(CLAUSE, earlier)))
    assert days(completed, CLAUSE) == DAY
    assert days(complete_policy(completed, (), (Monitoring(CLAUSE, earlier),)), CLAUSE) == DAY
    assert days(complete_policy(completed, (), (Monitoring(CLAUSE, later),)), CLAUSE) == later
    assert completed.policy.digest != policy.policy.digest


def test_refuses_clause_with_reserved_id() -> None:
    with pytest.raises(PolicyError, match="another id"):
        complete_policy(read_bound_policy(PACK + SENSITIVE, "p"), ("app.py",), ())


def test_refuses_invalid_sensitive_paths() -> None:
    with pytest.raises(PolicyError, match="sensitive"):
        complete_policy(read_bound_policy(PACK, "p"), ("a//b",), ())


def test_combination_of_two_policies_is_cached() -> None:
    floor, own = read_bound_policy(PACK, "p"), read_bound_policy(PACK + SENSITIVE, "p")
    assert tighten_policy(floor, own) is tighten_policy(floor, own)
    other = structs.replace(own, policy=structs.replace(own.policy, repository="other"))
    assert tighten_policy(floor, other) is not tighten_policy(floor, own)


def test_policy_laid_over_itself_is_as_if_it_were_tightened() -> None:
    home, branch = read_bound_policy(PACK, "home"), read_bound_policy(f"{PACK}\n", "branch")
    assert home is not branch
    assert tighten_policy(home, branch) == tighten_clauses(home, branch, CONTROLS, PLANNED) == (home, ())
