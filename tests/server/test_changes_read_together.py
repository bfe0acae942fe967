"""Changes that are read together get the statuses that they get alone, and one that fails hinders no other."""

import pytest

from muniment.errors import ForgeError, GitError
from muniment.server.connections import forge_change_evaluator
from muniment.server.connections.change_readings import evaluate_forge_changes
from muniment.server.connections.models import ForgeChange
from tests.support.forge_setup import ForgeSetup
from tests.support.forges.faulty import Fault
from tests.support.service import as_role

pytestmark = pytest.mark.usefixtures("service")


def read_together(setup: ForgeSetup, *numbers: int) -> dict[int, Exception | None]:
    with as_role("worker"):
        return dict(evaluate_forge_changes(setup.repository.pk, dict.fromkeys(numbers, 0)))


def open_changes(setup: ForgeSetup, count: int) -> list[int]:
    return [setup.open_change({f"app{n}.py": f"x = {n}\n"}, f"topic-{n}") for n in range(count)]


def approve(setup: ForgeSetup, number: int) -> None:
    for name in ("bob", "carol"):
        setup.acting.approve(name, number)


def find_status(setup: ForgeSetup, number: int) -> str:
    return setup.get_status(ForgeChange.objects.get(number=number).head)


def test_each_gets_its_own_result_with_one_fetch_for_all(setup: ForgeSetup) -> None:
    first, second, third = open_changes(setup, 3)
    approve(setup, first)
    approve(setup, third)
    read_together(setup, first)  # the copy is made
    before = len(setup.fake.calls)
    assert read_together(setup, first, second, third) == {first: None, second: None, third: None}
    assert [find_status(setup, number) for number in (first, second, third)] == ["success", "failure", "success"]
    assert setup.fake.calls[before:].count("git") == 3, "one list of refs, and one fetch with its two requests"


def test_green_one_is_pending_before_any_is_evaluated(setup: ForgeSetup, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = open_changes(setup, 2)
    approve(setup, first)
    approve(setup, second)
    read_together(setup, first, second)
    seen: list[str] = []
    evaluate = forge_change_evaluator.ForgeChangeEvaluator.__call__

    def evaluate_and_note(self: object, *given: object) -> object:
        seen.append(find_status(setup, second))
        return evaluate(self, *given)  # type: ignore[arg-type]

    monkeypatch.setattr(forge_change_evaluator.ForgeChangeEvaluator, "__call__", evaluate_and_note)
    read_together(setup, first, second)
    assert seen == ["pending", "pending"]
    assert find_status(setup, second) == "success"


def test_first_statuses_do_not_wait_for_readings_of_later_changes(
    setup: ForgeSetup, monkeypatch: pytest.MonkeyPatch
) -> None:
    numbers = open_changes(setup, 6)
    seen: list[tuple[int, int]] = []
    evaluate = forge_change_evaluator.ForgeChangeEvaluator.__call__

    def evaluate_and_note(self: object, *given: object) -> object:
        decided = ForgeChange.objects.filter(change__decision__isnull=False).count()
        seen.append((setup.fake.calls[before:].count("reviews"), decided))
        return evaluate(self, *given)  # type: ignore[arg-type]

    monkeypatch.setattr(forge_change_evaluator.ForgeChangeEvaluator, "__call__", evaluate_and_note)
    before = len(setup.fake.calls)
    assert read_together(setup, *numbers) == dict.fromkeys(numbers)
    assert seen == [(3, 0), (3, 1), (3, 2), (6, 3), (6, 4), (6, 5)], "readings and decisions before each evaluation"
    assert all(find_status(setup, number) == "failure" for number in numbers)


def test_branch_tip_is_read_after_the_changes(setup: ForgeSetup) -> None:
    """A head that merged the branch's old tip is evaluated against the tip after all readings."""
    (number, other) = open_changes(setup, 2)
    approve(setup, number)
    read_together(setup, number, other)
    made = setup.work.commit("dave", {"main.py": "y = 1\n"}, setup.work.tip("main"))
    setup.work.push("dave", made, "main")
    setup.read_updates()
    assert read_together(setup, number, other) == {number: None, other: None}
    decision = setup.load_change(number).decision
    assert decision is not None
    assert decision.base == setup.fake.repos[setup.acting.path]["git"].tip("main")


def test_one_that_cannot_be_read_fails_alone(setup: ForgeSetup) -> None:
    first, second = open_changes(setup, 2)
    approve(setup, second)
    setup.fake.fail("pull", Fault.FAILED, 1)
    found = read_together(setup, first, second)
    assert isinstance(found[first], ForgeError)
    assert found[second] is None
    assert find_status(setup, second) == "success"


def test_failed_common_fetch_is_made_up_by_one_for_each(setup: ForgeSetup, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = open_changes(setup, 2)
    approve(setup, first)

    def fail(*_given: object) -> dict[int, str]:
        raise GitError("the forge did not answer", "It is read again.")

    monkeypatch.setattr(forge_change_evaluator, "fetch_changes", fail)
    assert read_together(setup, first, second) == {first: None, second: None}
    assert (find_status(setup, first), find_status(setup, second)) == ("success", "failure")


def test_merged_one_among_others_has_its_branch_read(setup: ForgeSetup) -> None:
    first, second = open_changes(setup, 2)
    approve(setup, first)
    read_together(setup, first, second)
    setup.acting.merge("dave", first, "merge")
    assert read_together(setup, first, second) == {first: None, second: None}
    assert "read-branch-updates" in setup.run_queue(put_off=False)
