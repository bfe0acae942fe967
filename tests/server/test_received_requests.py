"""Requests of pipelines are verified by the worker: the web's login alone can deploy or report nothing."""

from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from django.db import ProgrammingError, connection
from django.utils import timezone

from muniment.server.api import deployments as api
from muniment.server.deployments import tasks
from muniment.server.deployments.models import (
    Deployment,
    DeploymentPermission,
    DeploymentReport,
    PipelineIdentity,
    ReceivedToken,
    VerifiedRequest,
)
from muniment.server.incidents.models import Incident
from muniment.server.records.models import Record
from tests.support.deploying import ARTIFACT, Shop, pem
from tests.support.service import as_role

pytestmark = pytest.mark.usefixtures("service")


@pytest.fixture
def shop(tmp_path: Path, service: None, monkeypatch: pytest.MonkeyPatch) -> Shop:
    monkeypatch.setattr(api, "WAIT_SECONDS", 0.0)
    return Shop(tmp_path)


def insert(shop: Shop, token: str = "", purpose: str = "deploy", **changed: object) -> int:
    """Store a request that the web never received, with the web's login; `token` is one that it once did receive."""
    pipeline = PipelineIdentity.objects.get(environment__name="staging", kind="runner", purpose=purpose)
    identity = {
        "issuer": "runner",
        "subject": "shop.staging",
        "repository": "",
        "ref": "",
        "commit": {"type": "Known", "value": shop.commit},
        "run": "7",
    }
    first = Deployment.objects.order_by("pk").first()
    row = Deployment.objects.create(
        environment=pipeline.environment,
        pipeline=pipeline,
        artifact=ARTIFACT,
        commit=shop.commit,
        identity=first.identity if first is not None else identity,
        provenance=[shop.provenance()],
        idempotency_key="forged",
        request_digest="x",
    )
    if token:
        key = ReceivedToken.make_key(row.pk, ReceivedToken.Purpose.REQUEST)
        ReceivedToken.objects.create(key=key, deployment=row, token=token, **changed)
    return int(row.pk)


def check_denied(shop: Shop, number: int, why: str) -> None:
    shop.work(number)
    assert shop.state(number) == "denied"
    assert why in DeploymentPermission.objects.get(deployment=number).reason
    assert Incident.objects.get().kind == "request-forged"
    assert not VerifiedRequest.objects.filter(deployment=number).exists()
    with as_role("owner"):  # the web may not read it
        assert not ReceivedToken.objects.filter(deployment=number).exists()


def test_worker_verifies_the_token_and_writes_the_record(shop: Shop) -> None:
    number = shop.ask("staging")[1]["id"]
    assert not Record.objects.filter(kind="deployment-request").exists()
    assert not VerifiedRequest.objects.exists()
    shop.work(number)
    assert shop.state(number) == "allowed"
    assert Record.objects.get(kind="deployment-request").writer == "muniment_worker"
    with as_role("owner"):  # the web may not read it
        assert not ReceivedToken.objects.exists()
    assert not Incident.objects.exists()


def test_request_without_token_is_denied_and_opens_an_incident(shop: Shop) -> None:
    check_denied(shop, insert(shop), "no token came with it")


def test_token_of_one_request_proves_no_other(shop: Shop) -> None:
    token = shop.runner("staging")
    assert shop.state(shop.asked("staging", token=token)) == "allowed"
    check_denied(shop, insert(shop, token), "used for another request")


@pytest.mark.parametrize("changed", [{"aud": "elsewhere"}, {"sub": "shop.production"}, {"commit": "0" * 40}])
def test_token_for_another_purpose_is_denied(shop: Shop, changed: dict[str, object]) -> None:
    shop.asked("staging")
    check_denied(shop, insert(shop, shop.runner("staging", **changed)), "It could not be verified")


def trust_for_jobs(shop: Shop) -> None:
    """Let a plain runner with its own key read the secrets of staging, for jobs that deploy nothing."""
    shop.runners["jobs"] = ec.generate_private_key(ec.SECP256R1())
    with as_role("owner"):
        PipelineIdentity.objects.create(
            environment=shop.places["staging"],
            name="jobs",
            kind="runner",
            public_key=pem(shop.runners["jobs"]),
            ref_patterns="refs/heads/main",
            purpose=PipelineIdentity.Purpose.RUN,
        )


def test_pipeline_trusted_for_jobs_only_cannot_deploy(shop: Shop) -> None:
    trust_for_jobs(shop)
    token = shop.runner("jobs", sub="shop.staging")
    check_denied(shop, insert(shop, token, purpose="run"), "not of deployments")


def test_pipeline_trusted_for_jobs_only_cannot_report(shop: Shop) -> None:
    trust_for_jobs(shop)
    number = shop.asked("staging")
    with as_role("owner"):
        Deployment.objects.filter(pk=number).update(pipeline=PipelineIdentity.objects.get(name="jobs"))
    row = DeploymentReport.objects.create(deployment_id=number, state="succeeded", exit_code=0)
    key, token = ReceivedToken.make_key(number, ReceivedToken.Purpose.REPORT), shop.runner("jobs", sub="shop.staging")
    ReceivedToken.objects.create(key=key, deployment_id=row.deployment_id, token=token)
    with as_role("worker"):
        tasks.record_report_task(number)
    assert shop.state(number) == "unreported"
    assert "not of deployments" in Incident.objects.get().summary


def test_expired_token_is_denied_without_an_incident(shop: Shop) -> None:
    number = insert(shop, shop.runner("staging", exp=1))
    shop.work(number)
    assert shop.state(number) == "denied"
    assert not Incident.objects.exists()


def test_token_signed_by_another_key_is_denied(shop: Shop) -> None:
    shop.runners["staging"], shop.runners["production"] = shop.runners["production"], shop.runners["staging"]
    check_denied(shop, insert(shop, shop.runner("staging")), "It could not be verified")


def test_identity_other_than_the_one_in_the_token_is_denied(shop: Shop) -> None:
    number = shop.ask("staging")[1]["id"]
    with as_role("owner"):
        row = Deployment.objects.get(pk=number)
        Deployment.objects.filter(pk=number).update(identity={**row.identity, "run": "8"})
    check_denied(shop, number, "another identity")


def test_request_verified_too_late_is_denied_without_an_incident(shop: Shop) -> None:
    number = shop.ask("staging")[1]["id"]
    with as_role("owner"):
        ReceivedToken.objects.update(received_at=timezone.now() - timedelta(hours=1))
    shop.work(number)
    assert shop.state(number) == "denied"
    assert "too long ago" in DeploymentPermission.objects.get().reason
    assert not Incident.objects.exists()


def test_report_that_no_pipeline_sent_is_not_accepted(shop: Shop) -> None:
    number = shop.asked("staging")
    DeploymentReport.objects.create(deployment_id=number, state="succeeded", exit_code=0)
    with as_role("worker"):
        tasks.record_report_task(number)
        tasks.record_report_task(number)
    assert shop.state(number) == "unreported"
    assert Incident.objects.get().kind == "request-forged"


def test_report_by_another_run_is_not_accepted(shop: Shop) -> None:
    number = shop.asked("staging")
    row = DeploymentReport.objects.create(deployment_id=number, state="succeeded", exit_code=0)
    key = ReceivedToken.make_key(number, ReceivedToken.Purpose.REPORT)
    ReceivedToken.objects.create(key=key, deployment_id=row.deployment_id, token=shop.runner("staging", job="8"))
    with as_role("worker"):
        tasks.record_report_task(number)
    assert shop.state(number) == "unreported"
    assert "another run" in Incident.objects.get().summary


def test_web_cannot_read_tokens_that_it_stored(shop: Shop) -> None:
    shop.ask("staging")
    with connection.cursor() as cursor, pytest.raises(ProgrammingError, match="permission denied"):
        cursor.execute("SELECT token FROM deployments_receivedtoken")
    connection.close()
    with connection.cursor() as cursor, pytest.raises(ProgrammingError, match="permission denied"):
        cursor.execute("INSERT INTO deployments_verifiedrequest (deployment_id, record_id) VALUES (1, 1)")
    connection.close()
