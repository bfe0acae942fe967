"""A wait for fixes that is as long as the shortest due date is refused with the policy."""

import pytest

from muniment.decision.bound_policies import read_bound_policy
from muniment.errors import PolicyError
from muniment.policy.built_in_policy import format_built_in_policy

PACK = format_built_in_policy("security@example.test", "shop")


def write_policy(waiting: str, due: str = "") -> str:
    """The built-in policy with parameters for the cool-down, and for known vulnerabilities."""
    text = PACK.replace('control = "cool-down"\n', f'control = "cool-down"\nwith = {{ {waiting} }}\n')
    name = 'control = "no-known-vulnerabilities"\n'
    return text.replace(name, f"{name}with = {{ {due} }}\n")


@pytest.mark.parametrize(
    ("waiting", "due"),
    [
        ("fix_hours = 335", ""),
        ("fix_hours = 0", "high_days = 1"),
        ("fix_hours = 47", "critical_days = 1, high_days = 2"),
        ("days = 365", "high_days = 2"),
    ],
)
def test_a_shorter_wait_is_taken_and_other_updates_have_no_bound(waiting: str, due: str) -> None:
    assert read_bound_policy(write_policy(waiting, due), "policy.toml").clauses


@pytest.mark.parametrize(
    ("waiting", "due", "least", "name"),
    [
        ("fix_hours = 336", "", 336, "high_days"),
        ("days = 3", "high_days = 1", 24, "high_days"),
        ("fix_hours = 100", "medium_days = 3", 72, "medium_days"),
        ("fix_hours = 48", "low_days = 2", 48, "low_days"),
    ],
)
def test_a_wait_as_long_as_the_shortest_due_date_is_refused(waiting: str, due: str, least: int, name: str) -> None:
    with pytest.raises(PolicyError) as refused:
        read_bound_policy(write_policy(waiting, due), "policy.toml")
    assert f"expected fewer than {least} hours" in refused.value.message
    assert f'by {name} of the clause "updates.security"' in refused.value.message
    assert refused.value.remedy == f"Write a smaller fix_hours, or a larger {name}."


def test_a_policy_without_due_dates_has_no_bound() -> None:
    text = write_policy("fix_hours = 8760").replace('control = "no-known-vulnerabilities"\nwith = {  }\n', "")
    assert read_bound_policy(text, "policy.toml").clauses
