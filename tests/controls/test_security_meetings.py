"""Controls about security reviews and retros: overdue and unsigned ones, missing people, and rollbacks."""

from typing import Any

import pytest

from muniment.controls import security_retro_held, security_review_held, security_review_scheduled
from muniment.controls.control import Case, Control
from muniment.facts import kinds
from muniment.facts.maybe import Known, Maybe, Unknown
from muniment.facts.meeting_facts import MeetingState, SecurityMeetings
from muniment.facts.pipeline import DeploymentRequest

NOW = "2026-11-24T09:30:00.000000Z"
REQUEST = DeploymentRequest("shop", "production", "sha256:x", "abc", Known("ci"), Known(True), Known(()))


def state(kind: str = "review", **changed: Any) -> MeetingState:
    values: dict[str, Any] = {
        "next_day": "2026-12-03",
        "next_due": "2026-12-04",
        "last_held": "2026-09-03",
        "overdue_since": "",
        "unsigned_since": "",
        "lead": True,
        "missing_roles": (),
    }
    return MeetingState(kind=kind, **(values | changed))


def meetings(*states: MeetingState, active: bool = True, connected: str = "2026-01-01") -> SecurityMeetings:
    return SecurityMeetings(active, connected, states)


def evaluate(
    control: Control, found: SecurityMeetings, request: Maybe[Any] | None = None, **parameters: Any
) -> list[str]:
    """Codes of the reasons."""
    facts: dict[str, Maybe[Any]] = {kinds.SECURITY_MEETINGS.name: Known(found)}
    facts[kinds.DEPLOYMENT_REQUEST.name] = Unknown("not asked") if request is None else request
    return [reason.code for reason in control.evaluate(Case(facts, control.parameters(**parameters), NOW, {}))]


@pytest.mark.parametrize(
    ("found", "codes"),
    [
        (meetings(state()), ["scheduled"]),
        (meetings(active=False), ["inactive"]),
        (meetings(), ["state-unknown"]),
        (meetings(state(next_day="")), ["no-date"]),
        (meetings(state(missing_roles=("analyst", "dpo"))), ["role-missing", "role-missing"]),
        (meetings(state(lead=False)), ["role-missing"]),
        (meetings(state(next_day="", missing_roles=("dpo",)), connected="2026-11-20"), ["not-due-yet"]),
        (meetings(state(next_day=""), connected="2026-10-25"), ["no-date"]),
    ],
)
def test_review_is_scheduled_within_30_days(found: SecurityMeetings, codes: list[str]) -> None:
    assert evaluate(security_review_scheduled.CONTROL, found) == codes


@pytest.mark.parametrize(
    ("changed", "codes"),
    [
        ({}, ["held"]),
        ({"last_held": ""}, ["first-to-come"]),
        ({"next_due": ""}, ["not-planned"]),
        ({"overdue_since": "2026-11-24"}, ["held"]),
        ({"overdue_since": "2026-11-23"}, ["overdue"]),
        ({"unsigned_since": "2026-11-14"}, ["held"]),
        ({"unsigned_since": "2026-11-13"}, ["not-signed"]),
        ({"unsigned_since": "2026-11-01", "overdue_since": "2026-11-01"}, ["overdue", "not-signed"]),
    ],
)
@pytest.mark.parametrize(
    ("control", "kind"), [(security_review_held.CONTROL, "review"), (security_retro_held.CONTROL, "retro")]
)
def test_meeting_is_held_and_signed_in_time(
    control: Control, kind: str, changed: dict[str, Any], codes: list[str]
) -> None:
    other = state("retro" if kind == "review" else "review", overdue_since="2026-01-01")
    assert evaluate(control, meetings(other, state(kind, **changed))) == codes
    assert evaluate(control, meetings(other, state(kind, **changed), active=False)) == ["inactive"]


def test_policy_allows_more_days() -> None:
    late = meetings(state(overdue_since="2026-11-20"))
    assert evaluate(security_review_held.CONTROL, late) == ["overdue"]
    assert evaluate(security_review_held.CONTROL, late, late_days=7) == ["held"]


@pytest.mark.parametrize(
    ("reached", "codes"),
    [
        (Known(("staging", "production")), ["rollback"]),
        (Known(("staging",)), ["overdue"]),
        (Unknown("the record cannot be read"), ["overdue"]),
    ],
)
def test_late_review_never_stops_a_rollback(reached: Maybe[tuple[str, ...]], codes: list[str]) -> None:
    late = meetings(state(overdue_since="2026-11-01"))
    request = DeploymentRequest("shop", "production", "sha256:x", "abc", Known("ci"), Known(True), reached)
    assert evaluate(security_review_held.CONTROL, late, Known(request)) == codes


def test_unknown_kind_of_meeting_is_unknown() -> None:
    assert evaluate(security_review_held.CONTROL, meetings()) == ["not-planned"]
    assert evaluate(security_review_held.CONTROL, meetings(state()), Known(REQUEST)) == ["held"]
