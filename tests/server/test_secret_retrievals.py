"""Retrieval of secrets by deployments, as proven by reads in the vault's audit log during the deployment."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from muniment.access.roles import Role
from muniment.facts.maybe import Known, Maybe, Unknown
from muniment.facts.vault_facts import RetrievalMethod
from muniment.server.deployments import secret_retrievals
from muniment.server.deployments.models import DeploymentPermission
from muniment.server.deployments.secret_retrievals import AuditReads, RetrievalSupplier, find_retrieval_method
from muniment.server.secrets.models import Secret
from tests.support.deploying import Shop
from tests.support.service import as_role, person

BEGUN, ENDED = datetime(2026, 11, 24, 9, 0, tzinfo=UTC), datetime(2026, 11, 24, 9, 5, tzinfo=UTC)
EARLIER, WITHIN = datetime(2026, 11, 24, 8, 0, tzinfo=UTC), datetime(2026, 11, 24, 9, 1, tzinfo=UTC)
PLACE = "shop/production"


@pytest.mark.parametrize(
    ("log", "keeps", "expected"),
    [
        (AuditReads(EARLIER, {PLACE: (WITHIN,)}), True, Known(RetrievalMethod.PIPELINE)),
        (AuditReads(WITHIN, {PLACE: (WITHIN,)}), True, Known(RetrievalMethod.PIPELINE)),
        (AuditReads(EARLIER, {}), False, Known(RetrievalMethod.NONE)),
        (AuditReads(EARLIER, {PLACE: (EARLIER,)}), True, None),
        (AuditReads(EARLIER, {"shop/staging": (WITHIN,)}), True, None),
        (AuditReads(WITHIN, {}), False, None),
    ],
)
def test_read_during_the_deployment_counts_as_retrieval(
    log: AuditReads, keeps: bool, expected: Maybe[RetrievalMethod] | None
) -> None:
    found = find_retrieval_method(BEGUN, ENDED, PLACE, Known(log), has_secrets=keeps)
    assert found == expected if expected is not None else isinstance(found, Unknown)


def test_unreadable_audit_log_proves_no_retrieval() -> None:
    assert find_retrieval_method(BEGUN, ENDED, PLACE, Unknown("gone"), has_secrets=False) == Unknown("gone")


def line(time: str, place: str = PLACE) -> str:
    role = place.replace("/", ".")
    auth = {"policies": [f"muniment-read.{role}"], "display_name": f"runner.{role}-x", "metadata": {"role": role}}
    request = {"operation": "read", "path": f"muniment/data/{place}"}
    return json.dumps({"time": time, "type": "response", "request": request, "response": {"data": {}}, "auth": auth})


@pytest.mark.usefixtures("service")
def test_audit_log_is_compared_with_the_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shop = Shop(tmp_path)
    number = shop.deployed("staging")
    log = tmp_path / "audit.log"
    monkeypatch.setattr(secret_retrievals, "find_audit_log", lambda: log)

    def read_result() -> Any:
        with as_role("worker"):
            return (
                RetrievalSupplier()
                .supply_facts("shop", {"retrievals"}, "2026-11-24T09:00:00.000000Z")["retrievals"]
                .value
            )

    log.write_text("damaged\n")
    assert isinstance(read_result().value[0].method, Unknown)
    log.write_text(line("2020-01-01T00:00:00.000000123Z") + "\n")
    assert [(one.deployment, one.environment, one.method) for one in read_result().value] == [
        (str(number), "staging", Known(RetrievalMethod.NONE))
    ]
    with as_role("owner"):
        Secret.objects.create(environment=shop.places["staging"], name="KEY", set_by=person("ada", Role.SECURITY))
    assert isinstance(read_result().value[0].method, Unknown)
    decided = DeploymentPermission.objects.get().decided_at.astimezone(UTC)
    assert decided <= timezone.now()
    with log.open("a") as stream:
        stream.write(line(f"{decided:%Y-%m-%dT%H:%M:%S.%f}999Z", "shop/staging") + "\n")
    assert read_result().value[0].method == Known(RetrievalMethod.PIPELINE)
