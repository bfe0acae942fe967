"""The sequencer signs a permission to deploy for an allow decision in the ledger, and for nothing else."""

import json
import re
from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import settings
from django.db import ProgrammingError
from msgspec import structs

from muniment.errors import AttestationError
from muniment.ledger import entries
from muniment.pipelines import vsa
from muniment.server import moments
from muniment.server.api import deployments as api
from muniment.server.deployments import tasks, watching
from muniment.server.deployments.models import Deployment, DeploymentPermission, DeploymentState
from muniment.server.guarding.keys import deploy_public
from muniment.server.incidents.models import Incident
from muniment.server.incidents.refused_records import report_refused_records
from muniment.server.records import signing
from muniment.server.records.entering import enter
from muniment.server.records.models import Record, SignedPermission, SigningRequest
from tests.support.deploying import ARTIFACT, Shop
from tests.support.service import as_role, place_records, sign_permissions

pytestmark = pytest.mark.usefixtures("service")


@pytest.fixture
def shop(tmp_path: Path, service: None, monkeypatch: pytest.MonkeyPatch) -> Shop:
    monkeypatch.setattr(api, "WAIT_SECONDS", 0.0)
    return Shop(tmp_path)


def judged(shop: Shop, environment: str = "staging") -> Deployment:
    """A deployment that the worker decided on, and that is not signed yet."""
    number = shop.ask(environment)[1]["id"]
    with as_role("worker"):
        tasks.judge_deployment(number)
    return Deployment.objects.select_related("permission__record", "verified__record").get(pk=number)


def test_it_signs_once_the_decision_has_its_position(shop: Shop) -> None:
    row = judged(shop)
    with as_role("sequencer"):
        assert signing.sign_permissions() == 0
    assert not SignedPermission.objects.exists()
    sign_permissions()
    signed = SignedPermission.objects.get()
    key = {"k": deploy_public(Path(settings.HOME))}
    vsa.verify(signed.envelope.encode(), ARTIFACT, "staging", key, 900, moments.now(), "shop")
    with pytest.raises(AttestationError):
        vsa.verify(signed.envelope.encode(), ARTIFACT, "production", key, 900, moments.now(), "shop")
    assert shop.state(row.pk) == "pending"
    with as_role("worker"):
        tasks.judge_deployment(row.pk)
    assert shop.state(row.pk) == "allowed"
    assert Record.objects.get(kind="deployment-permission").writer == "muniment_sequencer"


def wish(row: Deployment, basis: int) -> None:
    """With the worker's credentials, want a permission signed."""
    with as_role("worker"):
        SigningRequest.objects.filter(request=row.record.pk).delete()
        SigningRequest.objects.create(request_id=row.record.pk, basis_id=basis)


def decision(row: Deployment, **changed: object) -> int:
    """A decision that the worker recorded, with other fields than an evaluation gave."""
    assert row.permission.record is not None
    entry = entries.decode(bytes(row.permission.record.data), 0)
    with as_role("worker"):
        return int(enter(structs.replace(entry, **changed), ()).pk)


def check_refused(reason: str) -> None:
    sign_permissions()
    signed = SignedPermission.objects.get()
    assert (signed.refusal, signed.envelope) == (reason, "")
    assert not Record.objects.filter(kind="deployment-permission").exists()
    with as_role("worker"):
        report_refused_records()
        report_refused_records()
    assert Incident.objects.get().kind == "permission-refused"


def test_it_signs_nothing_that_was_denied(shop: Shop) -> None:
    row = judged(shop, "production")
    assert shop.state(row.pk) == "denied"
    assert row.permission.record_id is not None
    wish(row, row.permission.record_id)
    check_refused("basis")


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"trigger": "sha256:" + "0" * 64}, "basis"),
        ({"head": "0" * 40}, "basis"),
        ({"point": "merge"}, "basis"),
        ({"enforced": False}, "basis"),
        ({"outcome": "deny"}, "basis"),
        ({"time": "2026-01-01T00:00:00.000000Z"}, "age"),
        ({"time": "2099-01-01T00:00:00.000000Z"}, "age"),
    ],
)
def test_it_signs_nothing_for_another_decision(shop: Shop, changed: dict[str, object], reason: str) -> None:
    row = judged(shop)
    wish(row, decision(row, **changed))
    check_refused(reason)


def test_it_signs_nothing_for_a_record_of_another_kind_or_one_that_the_ledger_does_not_have(shop: Shop) -> None:
    row = judged(shop)
    wish(row, row.record.pk)
    check_refused("basis")
    other = judged(shop)
    place_records()
    record = other.permission.record
    assert record is not None
    with as_role("owner"):
        data = bytes(record.data).replace(b'"deploy"', b'"DEPLOY"')
        Record.objects.filter(pk=record.pk).update(data=data)
    sign_permissions()
    assert SignedPermission.objects.latest("signing_request_id").refusal == "basis"


def test_one_that_was_refused_ends_the_deployment_and_says_so(shop: Shop) -> None:
    row = judged(shop)
    wish(row, decision(row, outcome="deny"))
    sign_permissions()
    with as_role("worker"):
        tasks.judge_deployment(row.pk)
    assert shop.state(row.pk) == "revoked"
    assert "did not sign it" in DeploymentPermission.objects.get().reason


def test_what_ended_before_it_was_signed_is_not_signed(shop: Shop) -> None:
    row = judged(shop)
    with as_role("worker"):
        watching.end(row, "It is over.")
    sign_permissions()
    assert not SignedPermission.objects.exists()


def test_what_was_signed_too_long_ago_is_not_taken_over(shop: Shop) -> None:
    row = judged(shop)
    sign_permissions()
    with as_role("owner"):
        SignedPermission.objects.update(expires_at=moments.read(moments.now()) - timedelta(seconds=1))
    with as_role("worker"):
        tasks.judge_deployment(row.pk)
    assert shop.state(row.pk) == DeploymentState.REVOKED


def test_a_pipeline_that_asks_has_what_was_signed_taken_over(shop: Shop) -> None:
    from procrastinate.contrib.django.models import ProcrastinateJob

    row = judged(shop)
    with as_role("owner"):
        ProcrastinateJob.objects.filter(task_name="evaluate-deployment").update(status="succeeded", queueing_lock=None)
    shop.get(row.pk, "staging")
    waiting = ProcrastinateJob.objects.filter(task_name="evaluate-deployment", status="todo")
    assert not waiting.exists()
    sign_permissions()
    shop.get(row.pk, "staging")
    assert waiting.count() == 1


@pytest.mark.parametrize("role", ["web", "worker", "eraser", "operator"])
def test_no_other_process_writes_what_was_signed(shop: Shop, role: str) -> None:
    row = judged(shop)
    asked = SigningRequest.objects.get(request=row.record.pk)
    with as_role(role), pytest.raises(ProgrammingError, match="permission denied"):
        SignedPermission.objects.create(signing_request=asked, envelope=json.dumps({}))


def test_only_the_sequencer_reads_the_key() -> None:
    source = Path(signing.__file__).parents[2]
    importing = {file.name for file in source.rglob("*.py") if re.search(r"import .*\bdeploy_key\b", file.read_text())}
    assert importing == {"signing.py"}
