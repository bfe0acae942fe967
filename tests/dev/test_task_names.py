import pytest

from dev import task_names

TASKS = frozenset({"reevaluate-all"})


@pytest.mark.parametrize(
    "call", ['soon("reevaluate-none")', 'first("scan-repository", repository=1)', 'later("read-branch-updates", 60)']
)
def test_a_task_that_nothing_does_is_named(call: str) -> None:
    ((line, message),) = task_names.find_breaches(f"def f():\n    {call}", TASKS)
    assert line == 2
    assert message.startswith(f'no function is marked @task("{call.split(chr(34))[1]}")')


@pytest.mark.parametrize("call", ['soon("reevaluate-all")', "soon(name)", 'rows.first("scan-repository")', "first()"])
def test_other_calls_are_kept(call: str) -> None:
    assert task_names.find_breaches(call, TASKS) == []


def test_every_task_of_the_service_is_found() -> None:
    assert "reevaluate-all" in task_names.find_tasks(sorted(task_names.SERVER.rglob("*.py")))
    assert task_names.main() == 0
