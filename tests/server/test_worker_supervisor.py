"""Worker slots are processes: a slot that hangs or dies delays no other."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db import connection
from procrastinate.contrib.django.models import ProcrastinateJob

from muniment.access.actions import Action
from muniment.server.acts.system_actors import SystemActor
from muniment.server.job_queue import enqueue
from muniment.server.records.models import Record, RecordPosition, TaskFailure
from muniment.server.records.record_writing import record_act
from tests.server.conftest import HOME
from tests.server.test_processes import children
from tests.support import stuck_tasks
from tests.support.running import clean, until
from tests.support.service import as_role

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("service")]  # workers, killed


@pytest.fixture
def worker(service: None) -> Iterator[subprocess.Popen[bytes]]:
    with start_worker() as process:
        yield process
        process.kill()
        until(lambda: not find_descendants(process.pid), 30)


def start_worker() -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "tests.support.stuck_worker", "worker", "--home", str(HOME), "--at-once", "2"]
    return subprocess.Popen(command, env=clean(), cwd=Path(__file__).parents[2], stderr=subprocess.DEVNULL)


def find_descendants(pid: int) -> list[int]:
    """Live descendants of a process."""
    return [found for child in children(pid) for found in (child, *find_descendants(child))]


def process_states(task: str) -> list[str]:
    return list(ProcrastinateJob.objects.filter(task_name=task).order_by("id").values_list("status", flat=True))


def is_running(pid: int) -> bool:
    """Whether a process lives; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


def find_slot(worker: subprocess.Popen[bytes]) -> int:
    """Slot that started a program."""
    return next(pid for pid in children(worker.pid) if children(pid))


def test_task_over_its_limit_is_ended_with_its_children_and_others_continue(
    worker: subprocess.Popen[bytes],
) -> None:
    enqueue("spin", number=7)
    until(lambda: process_states("spin") == ["doing"], 60)
    enqueue("quick", number=1)
    until(lambda: process_states("quick") == ["succeeded"], 60)
    until(lambda: process_states("spin")[:2] in (["failed", "todo"], ["failed", "doing"]), 60)
    assert TaskFailure.objects.get(task="spin", retried=True).seconds == stuck_tasks.SECONDS
    enqueue("quick", number=2)
    until(lambda: process_states("quick") == ["succeeded"] * 2, 60)
    assert all(pid in find_descendants(worker.pid) for pid in find_sleepers(7))


def find_sleepers(number: int) -> list[int]:
    """Programs that `spin` started for that number."""
    found = subprocess.run(["pgrep", "-f", f"^sleep {100_000 + number}"], capture_output=True, text=True, check=False)
    return [int(word) for word in found.stdout.split()]


def test_killed_slot_is_replaced_and_its_task_is_repeated(worker: subprocess.Popen[bytes]) -> None:
    enqueue("wait", number=1)
    until(lambda: process_states("wait") == ["doing"] and any(map(children, children(worker.pid))), 60)
    killed = find_slot(worker)
    programs = children(killed)
    os.kill(killed, signal.SIGKILL)
    until(lambda: process_states("wait") == ["failed", "doing"], 20)
    assert not any(Path(f"/proc/{pid}").exists() for pid in programs)
    assert TaskFailure.objects.get(task="wait").seconds == 0


def test_killed_supervisor_leaves_no_slot_and_its_tasks_are_requeued(
    worker: subprocess.Popen[bytes],
) -> None:
    enqueue("spin", number=8)
    until(lambda: find_sleepers(8), 60)
    slots = children(worker.pid)
    assert len(slots) == 4, "two slots, the rounds and the watch of the vault"
    worker.kill()
    until(lambda: not any(map(is_running, slots)) and not find_sleepers(8), 10)
    with start_worker() as second:
        enqueue("quick", number=3)
        until(lambda: process_states("quick") == ["succeeded"], 60)
        until(lambda: process_states("spin")[0] != "todo", 20)
        second.terminate()
        assert second.wait(30) == 0


def statements() -> int:
    """Number of statements of `ask-long` that the database executes."""
    with as_role("worker"), connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'")
        (count,) = cursor.fetchone() or (0,)
    return int(count)


def test_killed_slot_leaves_no_statement_running_in_the_database(worker: subprocess.Popen[bytes]) -> None:
    before = set(children(worker.pid))
    enqueue("ask-long", number=1)
    until(lambda: process_states("ask-long") == ["doing"] and statements() == 1, 60)
    for slot in before | set(children(worker.pid)):
        os.kill(slot, signal.SIGKILL)
    with as_role("owner"):
        ProcrastinateJob.objects.filter(task_name="ask-long").update(status="failed")  # none begins it anew
    until(lambda: statements() == 0, 30)


def test_records_get_positions_while_every_slot_hangs(worker: subprocess.Popen[bytes]) -> None:
    enqueue("wait", number=1)
    enqueue("wait", number=2)
    until(lambda: process_states("wait") == ["doing", "doing"], 60)
    command = [sys.executable, "-m", "muniment", "sequencer", "--home", str(HOME)]
    with subprocess.Popen(command, env=clean(), stderr=subprocess.DEVNULL) as sequencer:
        try:
            with as_role("operator"):
                record_act(SystemActor.OPERATOR.make_actor(), Action.ADD_PRODUCT, "product:shop", {})
            until(lambda: not RecordPosition.objects.filter(position=None).exists(), 30)
            assert Record.objects.exists()
            assert process_states("wait") == ["doing", "doing"]
        finally:
            sequencer.kill()
