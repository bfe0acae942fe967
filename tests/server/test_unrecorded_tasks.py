"""With the web's login anybody can put a task into the queue: without the record of an act it does nothing."""

from typing import Any

import pytest
from django.db import ProgrammingError, connection
from procrastinate.contrib.django.models import ProcrastinateJob

from muniment.access.actions import Action
from muniment.access.authorize import Actor
from muniment.errors import UnrecordedTaskError
from muniment.facts import canonical
from muniment.ledger import objects
from muniment.server.connections.change_acts import MergeChange, RequestReview
from muniment.server.deployments import issuers
from muniment.server.incidents.models import Incident
from muniment.server.records.entering import record_act
from muniment.server.records.models import Record, RefusedRecord
from muniment.server.records.recorded_acts import require_act
from muniment.server.work import TASKS
from tests.support.service import as_role, person

pytestmark = pytest.mark.usefixtures("service")

ACT = MergeChange(change=7, head="a" * 40)


@pytest.mark.parametrize(
    ("name", "about"),
    [
        ("merge-change", {"change": 7, "head": "a" * 40, "person": "eve", "record": ""}),
        ("request-review", {"change": 7, "record": "sha256:" + "0" * 64}),
        ("prepare-revert", {"arrival": 7, "person": "eve", "record": ""}),
        ("read-issuer-keys", {"url": "https://attacker.example.test"}),
    ],
)
def test_a_task_that_no_act_asked_for_does_nothing_and_is_an_incident(
    name: str, about: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(issuers, "read", lambda url: pytest.fail("it was read"))
    with as_role("worker"):
        TASKS[name].func(**about)
        TASKS[name].func(**about)
    incident = Incident.objects.get()
    assert (incident.kind, name in incident.summary) == ("unrecorded-task", True)
    assert not ProcrastinateJob.objects.filter(task_name=name).exists()


def recorded(act: Any, step: str = "performed") -> str:
    """The record of an act of ada's."""
    person("ada")
    details = {"step": step, "act": act.tag(), "act_digest": act.digest()}
    return record_act(Actor(person="ada"), Action.REQUEST_REVIEW, "change:7", details)


def test_a_task_does_what_the_recorded_act_says() -> None:
    require_act(recorded(ACT), ACT.digest(), "ada")
    require_act(recorded(ACT, "approved"), ACT.digest())


@pytest.mark.parametrize(
    ("act", "digest", "somebody", "step"),
    [
        (MergeChange(change=8, head="a" * 40), ACT.digest(), "ada", "performed"),
        (MergeChange(change=7, head="b" * 40), ACT.digest(), "ada", "performed"),
        (RequestReview(change=7), ACT.digest(), "ada", "performed"),
        (ACT, ACT.digest(), "bob", "performed"),
        (ACT, ACT.digest(), "ada", "requested"),
    ],
)
def test_a_record_of_another_act_permits_nothing(act: Any, digest: str, somebody: str, step: str) -> None:
    with pytest.raises(UnrecordedTaskError):
        require_act(recorded(act, step), digest, somebody)


def test_a_record_that_was_refused_or_that_only_an_object_speaks_of_permits_nothing() -> None:
    record = recorded(ACT)
    with as_role("owner"):
        RefusedRecord.objects.create(record=Record.objects.get(details_digest=record), reason="writer")
    with pytest.raises(UnrecordedTaskError):
        require_act(record, ACT.digest())
    said = objects.PersonAction("ada", "change:7", {"step": "performed", "act_digest": ACT.digest()}, "x")
    with pytest.raises(UnrecordedTaskError):
        require_act(canonical.digest_of(said), ACT.digest())


def test_the_web_alters_no_task_in_the_queue() -> None:
    with connection.cursor() as cursor, pytest.raises(ProgrammingError, match="permission denied"):
        cursor.execute("UPDATE procrastinate_jobs SET args = '{}'")
    connection.close()
