"""Every input of a decision has an event or a poll that re-evaluates it, consistent with each forge's code."""

import pytest

from muniment.facts.kinds import KINDS
from muniment.forges.events import ForgeEventKind
from muniment.forges.gitea import listener as gitea
from muniment.forges.github import listener as github
from muniment.forges.github import manifest
from muniment.forges.gitlab import listener as gitlab
from muniment.forges.shapes import Vendor
from muniment.server.guarding import system_checks
from muniment.workflows import input_events
from muniment.workflows.input_events import ROWS, DecisionInput, Fallback, has_event


def test_every_fact_kind_and_input_has_row() -> None:
    assert input_events.find_uncovered_facts(KINDS) == ()
    assert sorted(row.input for row in ROWS) == sorted(DecisionInput)


def test_service_refuses_to_start_if_fact_kind_has_no_row(monkeypatch: pytest.MonkeyPatch) -> None:
    assert system_checks.check_input_events() == []
    monkeypatch.setitem(KINDS, "moon_phase", KINDS["revision"])
    (error,) = system_checks.check_input_events()
    assert "moon_phase" in error.msg
    assert error.is_serious()


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.input.value)
def test_inputs_without_event_are_polled(row: input_events.InputRow) -> None:
    silent = [vendor for vendor in Vendor if not has_event(row.input, vendor) and not row.by]
    if silent:
        assert row.fallback in (Fallback.PROBE, Fallback.POLLING, Fallback.EXPIRY)
    if row.fallback is Fallback.EXPIRY:
        assert all(KINDS[name].good_for for name in row.facts), "what never gets too old is never read again"


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.input.value)
def test_every_listed_event_is_subscribed_and_parsed(row: input_events.InputRow) -> None:
    assert set(row.list_events(Vendor.GITHUB)) <= set(manifest.EVENTS) & set(github.HANDLED_EVENTS)
    assert set(row.list_events(Vendor.GITLAB)) <= set(gitlab.HANDLED_EVENTS)
    for name in row.list_events(Vendor.GITEA):
        happened = gitea.GiteaListener().parse_event(
            {"x-gitea-event": name}, b'{"sha": "aa", "repository": {"id": 1}, "pull_request": {"number": 1}}'
        )
        assert happened.kind is not ForgeEventKind.NOTHING, name


@pytest.mark.parametrize(
    ("input", "surely"),
    [
        (DecisionInput.HEAD, {Vendor.GITHUB, Vendor.GITLAB, Vendor.GITEA, Vendor.FORGEJO}),
        (DecisionInput.REVIEWS, {Vendor.GITLAB}),
        (DecisionInput.CHECKS, {Vendor.GITHUB}),
        (DecisionInput.DELIVERY, set()),
    ],
)
def test_probe_reads_each_input_that_a_forge_may_not_report(input: DecisionInput, surely: set[Vendor]) -> None:
    """A wrong yes here keeps a lost approval green until somebody looks."""
    assert {vendor for vendor in Vendor if has_event(input, vendor)} == surely
