"""No input of a decision without what re-evaluates it: the table is whole, and true of each forge's own code."""

import pytest

from muniment.facts.kinds import KINDS
from muniment.forges.events import Happened
from muniment.forges.gitea import listen as gitea
from muniment.forges.github import listen as github
from muniment.forges.github import manifest
from muniment.forges.gitlab import listen as gitlab
from muniment.forges.shapes import Vendor
from muniment.server.guarding import checks
from muniment.workflows import input_events
from muniment.workflows.input_events import ROWS, Fallback, Input, has_event


def test_every_kind_of_fact_and_every_input_has_a_row() -> None:
    assert input_events.uncovered(KINDS) == ()
    assert sorted(row.input for row in ROWS) == sorted(Input)


def test_a_kind_of_fact_without_a_row_keeps_the_service_from_starting(monkeypatch: pytest.MonkeyPatch) -> None:
    assert checks.covered() == []
    monkeypatch.setitem(KINDS, "moon_phase", KINDS["revision"])
    (error,) = checks.covered()
    assert "moon_phase" in error.msg
    assert error.is_serious()


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.input.value)
def test_what_no_event_reports_is_read_again_all_the_same(row: input_events.Row) -> None:
    silent = [vendor for vendor in Vendor if not has_event(row.input, vendor) and not row.by]
    if silent:
        assert row.fallback in (Fallback.PROBE, Fallback.POLLING, Fallback.EXPIRY)
    if row.fallback is Fallback.EXPIRY:
        assert all(KINDS[name].good_for for name in row.facts), "what never gets too old is never read again"


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.input.value)
def test_every_event_of_the_table_is_subscribed_to_and_understood(row: input_events.Row) -> None:
    assert set(row.events_of(Vendor.GITHUB)) <= set(manifest.EVENTS) & set(github.HANDLED)
    assert set(row.events_of(Vendor.GITLAB)) <= set(gitlab.HANDLED)
    for name in row.events_of(Vendor.GITEA):
        happened = gitea.GiteaListener().heard(
            {"x-gitea-event": name}, b'{"sha": "aa", "repository": {"id": 1}, "pull_request": {"number": 1}}'
        )
        assert happened.happened is not Happened.NOTHING, name
