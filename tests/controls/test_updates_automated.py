"""Control of automatic updates: machinery that stopped, locks that nobody updates, and what is unknown."""

from typing import Any

import pytest

from muniment.controls.control import Case, ResultStatus
from muniment.controls.updates_automated import CONTROL
from muniment.decision.decision import format_sentences
from muniment.facts.maybe import Known
from muniment.facts.update_facts import UnreadLock, UpdateAutomation, UpdatedLock, UpdateMachinery
from tests.support.changes import values

NOW = "2026-11-24T09:00:00.000000Z"
OLD = "2026-10-01T09:00:00.000000Z"
LIMIT, BEFORE = "2026-11-17T09:00:00.000000Z", "2026-11-17T08:59:59.999999Z"
MET, VIOLATED, UNKNOWN = ResultStatus.MET, ResultStatus.VIOLATED, ResultStatus.UNKNOWN
OURS, THEIRS = UpdatedLock("uv.lock", True), UpdatedLock("go.mod", False)
AUTOMATED = (MET, "Every lock file of shop is updated automatically. Lock files: {}.")
LOST = (
    VIOLATED,
    "go.mod of shop: Muniment does not update it, and no bot was seen to since 2026-11-17.",
)


def evaluate(*machinery: UpdateMachinery, **parameters: Any) -> list[tuple[str, str]]:
    facts = values(update_automation=Known(UpdateAutomation(machinery)))
    case = Case(facts, CONTROL.parameters(**parameters), NOW, {})
    return [(reason.status, format_sentences(CONTROL.codes, reason)[0]) for reason in CONTROL.evaluate(case)]


def shop(*locks: UpdatedLock, **more: Any) -> UpdateMachinery:
    return UpdateMachinery("shop", **{"since": OLD, "proven_at": LIMIT, "locks": locks, **more})


def test_a_product_without_repository_needs_no_machinery() -> None:
    assert evaluate() == [(ResultStatus.NOT_APPLICABLE, "The product has no repository.")]


def test_a_repository_without_locks_needs_no_machinery() -> None:
    assert evaluate(shop(proven_at="")) == [(MET, "shop has no lock file.")]


def test_machinery_that_worked_within_its_period_is_met() -> None:
    assert evaluate(shop(OURS)) == [(MET, AUTOMATED[1].format(1))]


@pytest.mark.parametrize(
    ("more", "status", "sentence"),
    [
        ({"proven_at": BEFORE}, VIOLATED, "last worked on 2026-11-17."),
        ({"proven_at": BEFORE, "problem": "no token"}, VIOLATED, "last worked on 2026-11-17: no token."),
        ({"proven_at": ""}, VIOLATED, "never worked."),
        ({"proven_at": "", "problem": "no registry"}, VIOLATED, "never worked: no registry."),
        ({"proven_at": "", "since": LIMIT}, UNKNOWN, "did not work yet."),
        ({"proven_at": "", "since": LIMIT, "problem": "no registry"}, UNKNOWN, "did not work yet: no registry."),
    ],
)
def test_machinery_that_stopped_is_violated_within_its_period(more: dict[str, Any], status: str, sentence: str) -> None:
    assert evaluate(shop(OURS, **more)) == [(status, f"shop: the machinery for updates {sentence}")]


def test_a_problem_since_the_last_proof_is_no_violation_before_the_period_ends() -> None:
    assert evaluate(shop(OURS, problem="no token")) == [(MET, AUTOMATED[1].format(1))]
    assert evaluate(shop(OURS, problem="no token", proven_at=BEFORE), period_days=8) == [(MET, AUTOMATED[1].format(1))]


def test_a_lock_that_nobody_updates_is_named_beside_one_that_is_updated() -> None:
    assert evaluate(shop(OURS, THEIRS)) == [LOST]
    assert evaluate(shop(OURS, THEIRS, proven_at=BEFORE))[1:] == [LOST]


@pytest.mark.parametrize(("seen", "is_met"), [(LIMIT, True), (BEFORE, False), ("", False)])
def test_a_bot_counts_only_if_it_was_seen_within_the_period(seen: str, is_met: bool) -> None:
    lock = UpdatedLock("go.mod", False, "renovate[bot]", seen)
    assert evaluate(shop(lock)) == ([(MET, AUTOMATED[1].format(1))] if is_met else [LOST])


def test_a_lock_that_a_seen_bot_updates_needs_no_machinery_of_ours() -> None:
    lock = UpdatedLock("uv.lock", True, "renovate[bot]", NOW)
    assert evaluate(shop(lock, proven_at="")) == [(MET, AUTOMATED[1].format(1))]


def test_a_file_that_cannot_be_read_is_unknown_in_any_repository() -> None:
    unread = (UnreadLock("web/package.json", "it has no lock"),)
    found = evaluate(shop(OURS, unread=unread), shop(OURS))
    assert found == [
        (UNKNOWN, "The dependencies of web/package.json are unknown: it has no lock."),
        (MET, AUTOMATED[1].format(1)),
    ]
    assert evaluate(shop(unread=unread)) == found[:1]
