"""Tasks put into the queue with the web's login do nothing without the record of an act."""

from typing import Any

import pytest
from django.db import ProgrammingError, connection
from procrastinate.contrib.django.models import ProcrastinateJob

from muniment.access.actions import Action
from muniment.access.authorization import Actor
from muniment.errors import UnrecordedTaskError
from muniment.facts import canonical
from muniment.ledger import record_objects
from muniment.server.connections.change_acts import MergeChange, RequestReview
from muniment.server.deployments import issuer_keys
from muniment.server.incidents.models import Incident
from muniment.server.job_queue import TASKS
from muniment.server.records.models import Record, RefusedRecord
from muniment.server.records.record_writing import record_act
from muniment.server.records.recorded_acts import require_act
from tests.support.service import as_role, person

pytestmark = pytest.mark.usefixtures("service")

ACT = MergeChange(change=7, head="a" * 40)


@pytest.mark.parametrize(
    ("name", "about"),
    [
        ("merge-change", {"change": 7, "head": "a" * 40, "person": "eve", "record": ""}),
        ("request-review", {"change": 7, "record": "sha256:" + "0" * 64}),
        ("prepare-revert", {"update": 7, "person": "eve", "record": ""}),
        ("read-issuer-keys", {"url": "https://attacker.example.test"}),
    ],
)
def test_task_without_an_act_does_nothing_and_opens_an_incident(
    name: str, about: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(issuer_keys, "read_issuer_keys", lambda url: pytest.fail("it was read"))
    with as_role("worker"):
        TASKS[name].func(**about)
        TASKS[name].func(**about)
    incident = Incident.objects.get()
    assert (incident.kind, name in incident.summary) == ("unrecorded-task", True)
    assert not ProcrastinateJob.objects.filter(task_name=name).exists()


def create_act_record(act: Any, step: str = "performed") -> str:
    """Record of an act of ada's."""
    person("ada")
    details = {"step": step, "act": act.act_tag(), "act_digest": act.digest_act()}
    return record_act(Actor(person="ada"), Action.REQUEST_REVIEW, "change:7", details)


def test_task_executes_the_recorded_act() -> None:
    require_act(create_act_record(ACT), ACT.digest_act(), "ada")
    require_act(create_act_record(ACT, "approved"), ACT.digest_act())


@pytest.mark.parametrize(
    ("act", "digest", "somebody", "step"),
    [
        (MergeChange(change=8, head="a" * 40), ACT.digest_act(), "ada", "performed"),
        (MergeChange(change=7, head="b" * 40), ACT.digest_act(), "ada", "performed"),
        (RequestReview(change=7), ACT.digest_act(), "ada", "performed"),
        (ACT, ACT.digest_act(), "bob", "performed"),
        (ACT, ACT.digest_act(), "ada", "requested"),
    ],
)
def test_record_of_another_act_permits_nothing(act: Any, digest: str, somebody: str, step: str) -> None:
    with pytest.raises(UnrecordedTaskError):
        require_act(create_act_record(act, step), digest, somebody)


def test_refused_record_or_record_without_the_act_permits_nothing() -> None:
    record = create_act_record(ACT)
    with as_role("owner"):
        RefusedRecord.objects.create(record=Record.objects.get(details_digest=record), reason="writer")
    with pytest.raises(UnrecordedTaskError):
        require_act(record, ACT.digest_act())
    result = record_objects.PersonAction("ada", "change:7", {"step": "performed", "act_digest": ACT.digest_act()}, "x")
    with pytest.raises(UnrecordedTaskError):
        require_act(canonical.digest_value(result), ACT.digest_act())


def test_web_cannot_alter_tasks_in_the_queue() -> None:
    with connection.cursor() as cursor, pytest.raises(ProgrammingError, match="permission denied"):
        cursor.execute("UPDATE procrastinate_jobs SET args = '{}'")
    connection.close()
