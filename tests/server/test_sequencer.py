"""The sequencer is a process of its own: nothing that a worker does holds it up, and it ends when told to."""

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
from muniment.server.records.entering import record_act
from muniment.server.records.models import LedgerHead, RecordPosition
from tests.server.conftest import HOME
from tests.support.running import clean, until
from tests.support.service import as_role, browser

pytestmark = pytest.mark.usefixtures("service")


def waiting() -> int:
    return RecordPosition.objects.filter(position=None).count()


def test_it_places_records_without_any_worker_and_ends_when_told_to() -> None:
    command = [sys.executable, "-m", "muniment", "sequencer", "--home", str(HOME)]
    with subprocess.Popen(command, env=clean(), stderr=subprocess.PIPE) as process:
        try:
            for number in range(3):
                with as_role("operator"):
                    record_act(SystemActor.OPERATOR.actor(), Action.ADD_PRODUCT, f"product:p{number}", {})
                until(lambda: waiting() == 0)
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) == 0
            assert process.stderr is not None
            assert process.stderr.read() == b""
        finally:
            process.kill()


def test_the_service_is_ready_only_while_a_sequencer_shows_life() -> None:
    with as_role("owner"), connection.cursor() as cursor:
        cursor.execute("INSERT INTO procrastinate_workers DEFAULT VALUES")

    def missing() -> str:
        answer = browser().get("/ready")
        assert answer.status_code == (503 if "missing" in answer.json() else 200)
        return str(answer.json().get("missing", ""))

    assert missing() == "sequencer"
    with as_role("sequencer"):
        sequencer.show_life()
    assert missing() == ""
    with as_role("owner"):
        LedgerHead.objects.update(sequencer_alive_at=timezone.now() - timedelta(minutes=2))
    assert missing() == "sequencer"


def test_a_sequencer_that_fails_shows_no_life(monkeypatch: pytest.MonkeyPatch) -> None:
    waits = iter((False, False, True))

    class Signals:
        def __init__(self, numbers: object) -> None: ...

        def wait(self, seconds: float) -> bool:
            return next(waits)

    def fail() -> int:
        raise OSError("the disk is full")

    monkeypatch.setattr(sequencer, "SignalPipe", Signals)
    monkeypatch.setattr(sequencer, "give_places", fail)
    with as_role("sequencer"):
        sequencer.run()
    assert LedgerHead.objects.get().sequencer_alive_at is None


def test_what_fails_is_tried_again_later_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []

    class Signals:
        def __init__(self, numbers: object) -> None: ...

        def wait(self, seconds: float) -> bool:
            pauses.append(seconds)
            return len(pauses) > 9

    def fail() -> int:
        if len(pauses) == 8:
            return 0
        raise OSError("out of reach")

    monkeypatch.setattr(sequencer, "SignalPipe", Signals)
    monkeypatch.setattr(sequencer, "give_places", fail)
    with as_role("sequencer"):
        sequencer.run()
    assert pauses == [0.3, 0.6, 1.2, 2.4, 4.8, 9.6, 10.0, 10.0, 0.3, 0.6]


def test_it_imports_nothing_of_the_pages_and_the_worker() -> None:
    code = (
        "import sys; from pathlib import Path; from muniment.cli import serving;"
        "serving.begin(Path(sys.argv[1]), 'sequencer', '', settings='muniment.server.sequencer_settings');"
        "import muniment.server.records.sequencer; print(*sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(HOME)], env=clean(), capture_output=True, text=True, check=True
    )
    heavy = {"allauth", "ninja", "procrastinate", "muniment.server.people.models", "muniment.server.work"}
    assert heavy.isdisjoint(done.stdout.split())
