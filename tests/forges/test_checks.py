"""Checks of a forge as test runs: pending checks are unknown, and each run names the account that posted it."""

import pytest

from muniment.facts.maybe import Known, Maybe, Unknown
from muniment.facts.statements import SignatureResult
from muniment.forges.checks import convert_to_runs
from muniment.forges.shapes import Account, Check

HEAD, AT = "a" * 40, "2026-11-24T09:00:00.000000Z"
APP, ADA = Account("app:15368", "actions"), Account("7", "ada")


@pytest.mark.parametrize(
    ("state", "passed"),
    [
        ("success", Known(True)),
        ("failure", Known(False)),
        ("error", Known(False)),
        ("pending", Unknown("it is pending")),
        ("neutral", Unknown("it is neutral")),
    ],
)
def test_only_successful_check_counts_as_passed_test_run(state: str, passed: Maybe[bool]) -> None:
    (run,) = convert_to_runs("hub", [Check("tests", state, APP, "", "https://hub.example.test/1", AT)], HEAD)
    assert (run.pipeline, run.commit, run.passed, run.signature) == ("tests", HEAD, passed, SignatureResult.FORGE)
    assert isinstance(run.counts, Unknown)


@pytest.mark.parametrize(
    ("account", "by"),
    [(APP, "app:hub/actions"), (ADA, "login:hub/ada"), (Account("8", "bot", machine=True), "app:hub/bot")],
)
def test_test_run_names_account_that_posted_check(account: Account, by: str) -> None:
    (run,) = convert_to_runs("hub", [Check("tests", "success", account, "", "", AT)], HEAD)
    assert run.runner == by
