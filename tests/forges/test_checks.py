"""Checks of a forge as runs of tests: what is under way is not known, and who told it is said."""

import pytest

from muniment.facts.maybe import Known, Maybe, Unknown
from muniment.facts.statements import Signature
from muniment.forges.checks import runs
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
def test_only_what_ended_well_did(state: str, passed: Maybe[bool]) -> None:
    (run,) = runs("hub", [Check("tests", state, APP, "", "https://hub.example.test/1", AT)], HEAD)
    assert (run.pipeline, run.commit, run.passed, run.signature) == ("tests", HEAD, passed, Signature.FORGE)
    assert isinstance(run.counts, Unknown)


@pytest.mark.parametrize(
    ("account", "by"),
    [(APP, "app:hub/actions"), (ADA, "login:hub/ada"), (Account("8", "bot", machine=True), "app:hub/bot")],
)
def test_who_told_it_is_said(account: Account, by: str) -> None:
    (run,) = runs("hub", [Check("tests", "success", account, "", "", AT)], HEAD)
    assert run.runner == by
