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
from muniment.ledger import record_kinds
from muniment.pipelines import verification_summaries
from muniment.server import moments
from muniment.server.api import deployments as api
from muniment.server.deployments import deployment_end, tasks
from muniment.server.deployments.models import Deployment, DeploymentPermission, DeploymentState
from muniment.server.guarding.home_keys import read_deploy_public_key
from muniment.server.incidents.models import Incident
from muniment.server.incidents.refused_records import report_refused_records
from muniment.server.records import permission_signing
from muniment.server.records.models import Record, SignedPermission, SigningRequest
from muniment.server.records.record_writing import append_record
from tests.support.deploying import ARTIFACT, Shop
from tests.support.service import as_role, place_records, sign_permissions

pytestmark = pytest.mark.usefixtures("service")


@pytest.fixture
def shop(tmp_path: Path, service: None, monkeypatch: pytest.MonkeyPatch) -> Shop:
    monkeypatch.setattr(api, "WAIT_SECONDS", 0.0)
    return Shop(tmp_path)


def unsigned_deployment(shop: Shop, environment: str = "staging") -> Deployment:
    """Deployment that the worker decided on and that is not signed yet."""
    number = shop.ask(environment)[1]["id"]
    with as_role("worker"):
        tasks.evaluate_deployment_task(number)
    return Deployment.objects.select_related("permission__record", "verified__record").get(pk=number)


def test_sequencer_signs_once_the_decision_has_its_position(shop: Shop) -> None:
    row = unsigned_deployment(shop)
    with as_role("sequencer"):
        assert permission_signing.sign_permissions() == 0
    assert not SignedPermission.objects.exists()
    sign_permissions()
    signed = SignedPermission.objects.get()
    key = {"k": read_deploy_public_key(Path(settings.HOME))}
    verification_summaries.verify_permission(
        signed.envelope.encode(), ARTIFACT, "staging", key, 900, moments.current_moment(), "shop"
    )
    with pytest.raises(AttestationError):
        verification_summaries.verify_permission(
            signed.envelope.encode(), ARTIFACT, "production", key, 900, moments.current_moment(), "shop"
        )
    assert shop.state(row.pk) == "pending"
    with as_role("worker"):
        tasks.evaluate_deployment_task(row.pk)
    assert shop.state(row.pk) == "allowed"
    assert Record.objects.get(kind="deployment-permission").writer == "muniment_sequencer"


def request_signature(row: Deployment, basis: int) -> None:
    """Request a signed permission with the worker's credentials."""
    with as_role("worker"):
        SigningRequest.objects.filter(request=row.record.pk).delete()
        SigningRequest.objects.create(request_id=row.record.pk, basis_id=basis)


def decision(row: Deployment, **changed: object) -> int:
    """Decision that the worker recorded, with other fields than those of the evaluation."""
    assert row.permission.record is not None
    entry = record_kinds.decode_record(bytes(row.permission.record.data), 0)
    with as_role("worker"):
        return int(append_record(structs.replace(entry, **changed), ()).pk)


def check_refused(reason: str) -> None:
    sign_permissions()
    signed = SignedPermission.objects.get()
    assert (signed.refusal, signed.envelope) == (reason, "")
    assert not Record.objects.filter(kind="deployment-permission").exists()
    with as_role("worker"):
        report_refused_records()
        report_refused_records()
    assert Incident.objects.get().kind == "permission-refused"


def test_sequencer_signs_no_denied_deployment(shop: Shop) -> None:
    row = unsigned_deployment(shop, "production")
    assert shop.state(row.pk) == "denied"
    assert row.permission.record_id is not None
    request_signature(row, row.permission.record_id)
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
def test_sequencer_signs_no_permission_for_another_decision(
    shop: Shop, changed: dict[str, object], reason: str
) -> None:
    row = unsigned_deployment(shop)
    request_signature(row, decision(row, **changed))
    check_refused(reason)


def test_sequencer_signs_nothing_for_another_kind_or_a_missing_record(shop: Shop) -> None:
    row = unsigned_deployment(shop)
    request_signature(row, row.record.pk)
    check_refused("basis")
    other = unsigned_deployment(shop)
    place_records()
    record = other.permission.record
    assert record is not None
    with as_role("owner"):
        data = bytes(record.data).replace(b'"deploy"', b'"DEPLOY"')
        Record.objects.filter(pk=record.pk).update(data=data)
    sign_permissions()
    assert SignedPermission.objects.latest("signing_request_id").refusal == "basis"


def test_refused_signature_ends_the_deployment_with_a_reason(shop: Shop) -> None:
    row = unsigned_deployment(shop)
    request_signature(row, decision(row, outcome="deny"))
    sign_permissions()
    with as_role("worker"):
        tasks.evaluate_deployment_task(row.pk)
    assert shop.state(row.pk) == "revoked"
    assert "did not sign it" in DeploymentPermission.objects.get().reason


def test_deployment_that_ended_before_its_signature_is_not_signed(shop: Shop) -> None:
    row = unsigned_deployment(shop)
    with as_role("worker"):
        deployment_end.end_permission(row, "It is over.")
    sign_permissions()
    assert not SignedPermission.objects.exists()


def test_outdated_signature_is_not_accepted(shop: Shop) -> None:
    row = unsigned_deployment(shop)
    sign_permissions()
    with as_role("owner"):
        SignedPermission.objects.update(
            expires_at=moments.parse_moment(moments.current_moment()) - timedelta(seconds=1)
        )
    with as_role("worker"):
        tasks.evaluate_deployment_task(row.pk)
    assert shop.state(row.pk) == DeploymentState.REVOKED


def test_request_of_a_pipeline_enqueues_evaluation_once_signed(shop: Shop) -> None:
    from procrastinate.contrib.django.models import ProcrastinateJob

    row = unsigned_deployment(shop)
    with as_role("owner"):
        ProcrastinateJob.objects.filter(task_name="evaluate-deployment").update(status="succeeded", queueing_lock=None)
    shop.get(row.pk, "staging")
    waiting = ProcrastinateJob.objects.filter(task_name="evaluate-deployment", status="todo")
    assert not waiting.exists()
    sign_permissions()
    shop.get(row.pk, "staging")
    assert waiting.count() == 1


@pytest.mark.parametrize("role", ["web", "worker", "eraser", "operator"])
def test_no_other_process_writes_signed_permissions(shop: Shop, role: str) -> None:
    row = unsigned_deployment(shop)
    asked = SigningRequest.objects.get(request=row.record.pk)
    with as_role(role), pytest.raises(ProgrammingError, match="permission denied"):
        SignedPermission.objects.create(signing_request=asked, envelope=json.dumps({}))


def test_only_the_sequencer_reads_the_signing_key() -> None:
    source = Path(permission_signing.__file__).parents[2]
    importing = {
        file.name for file in source.rglob("*.py") if re.search(r"import .*\bread_deploy_key\b", file.read_text())
    }
    assert importing == {"permission_signing.py"}
