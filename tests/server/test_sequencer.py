"""Sequencer: a process of its own that no worker delays and that ends on request."""

import signal
import subprocess
import sys
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from muniment.access.actions import Action
from muniment.server.acts.system_actors import SystemActor
from muniment.server.records import sequencer
from muniment.server.records.models import LedgerHead, RecordPosition
from muniment.server.records.record_writing import record_act
from tests.server.conftest import HOME
from tests.support.running import clean, until
from tests.support.service import as_role, browser

pytestmark = pytest.mark.usefixtures("service")


def count_pending() -> int:
    return RecordPosition.objects.filter(position=None).count()


def test_sequencer_assigns_positions_without_a_worker_and_ends_on_request() -> None:
    command = [sys.executable, "-m", "muniment", "sequencer", "--home", str(HOME)]
    with subprocess.Popen(command, env=clean(), stderr=subprocess.PIPE) as process:
        try:
            for number in range(3):
                with as_role("operator"):
                    record_act(SystemActor.OPERATOR.make_actor(), Action.ADD_PRODUCT, f"product:p{number}", {})
                until(lambda: count_pending() == 0)
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) == 0
            assert process.stderr is not None
            assert process.stderr.read() == b""
        finally:
            process.kill()


def test_service_is_ready_only_with_a_live_sequencer() -> None:
    with as_role("owner"), connection.cursor() as cursor:
        cursor.execute("INSERT INTO procrastinate_workers DEFAULT VALUES")

    def missing() -> str:
        answer = browser().get("/ready")
        assert answer.status_code == (503 if "missing" in answer.json() else 200)
        return str(answer.json().get("missing", ""))

    assert missing() == "sequencer"
    with as_role("sequencer"):
        sequencer.record_heartbeat()
    assert missing() == ""
    with as_role("owner"):
        LedgerHead.objects.update(sequencer_alive_at=timezone.now() - timedelta(minutes=2))
    assert missing() == "sequencer"


def test_failing_sequencer_sends_no_heartbeat(monkeypatch: pytest.MonkeyPatch) -> None:
    waits = iter((False, False, True))

    class Signals:
        def __init__(self, numbers: object) -> None: ...

        def wait_for_signals(self, seconds: float) -> bool:
            return next(waits)

    def fail() -> int:
        raise OSError("the disk is full")

    monkeypatch.setattr(sequencer, "SignalPipe", Signals)
    monkeypatch.setattr(sequencer, "assign_positions", fail)
    with as_role("sequencer"):
        sequencer.run_sequencer()
    assert LedgerHead.objects.get().sequencer_alive_at is None


def test_failures_are_retried_with_increasing_delay(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []

    class Signals:
        def __init__(self, numbers: object) -> None: ...

        def wait_for_signals(self, seconds: float) -> bool:
            pauses.append(seconds)
            return len(pauses) > 9

    def fail() -> int:
        if len(pauses) == 8:
            return 0
        raise OSError("out of reach")

    monkeypatch.setattr(sequencer, "SignalPipe", Signals)
    monkeypatch.setattr(sequencer, "assign_positions", fail)
    with as_role("sequencer"):
        sequencer.run_sequencer()
    assert pauses == [0.3, 0.6, 1.2, 2.4, 4.8, 9.6, 10.0, 10.0, 0.3, 0.6]


def test_sequencer_imports_no_module_of_the_pages_or_the_worker() -> None:
    code = (
        "import sys; from pathlib import Path; from muniment.cli import service_setup;"
        "service_setup.set_up_process("
        "Path(sys.argv[1]), 'sequencer', '', settings='muniment.server.sequencer_settings');"
        "import muniment.server.records.sequencer; print(*sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(HOME)], env=clean(), capture_output=True, text=True, check=True
    )
    heavy = {"allauth", "ninja", "procrastinate", "muniment.server.people.models", "muniment.server.job_queue"}
    assert heavy.isdisjoint(done.stdout.split())
