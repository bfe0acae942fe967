import pytest

from dev import task_names

TASKS = frozenset({"reevaluate-all"})


@pytest.mark.parametrize(
    "call",
    [
        'enqueue("reevaluate-none")',
        'enqueue_first("scan-repository", repository=1)',
        'enqueue_in("read-branch-updates", 60)',
    ],
)
def test_unknown_task_name_is_reported(call: str) -> None:
    ((line, message),) = task_names.find_breaches(f"def f():\n    {call}", TASKS)
    assert line == 2
    assert message.startswith(f'no function is marked @register_task("{call.split(chr(34))[1]}")')


@pytest.mark.parametrize(
    "call", ['enqueue("reevaluate-all")', "enqueue(name)", 'rows.enqueue_first("scan-repository")', "enqueue_first()"]
)
def test_other_calls_are_accepted(call: str) -> None:
    assert task_names.find_breaches(call, TASKS) == []


def test_every_task_of_the_service_is_found() -> None:
    assert "reevaluate-all" in task_names.find_tasks(sorted(task_names.SERVER.rglob("*.py")))
    assert task_names.main() == 0
