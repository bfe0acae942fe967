"""An incident without a closing record counts as open, whatever its row says: for deployments, watch and clauses."""

from pathlib import Path

import pytest
from django.utils import timezone

from muniment.errors import VaultError
from muniment.facts import kinds as facts
from muniment.ledger import record_kinds
from muniment.server.api import deployments as api
from muniment.server.connections.models import BranchUpdate
from muniment.server.deployments import vault_role_access
from muniment.server.deployments.deployment_facts import DeploymentSupplier
from muniment.server.deployments.models import Deployment
from muniment.server.incidents import kinds
from muniment.server.incidents.lifecycle import close_incident, open_incident
from muniment.server.incidents.models import Incident
from muniment.server.incidents.row_incidents import report_row_problems
from muniment.server.people.models import Person
from muniment.server.records.models import Record
from muniment.server.records.record_writing import append_record
from muniment.server.secrets.models import Secret
from muniment.server.secrets.watch_state import WatchLimits, find_watch_problem
from tests.support.deploying import Shop
from tests.support.service import as_role, person

pytestmark = pytest.mark.usefixtures("service")


def create_incident(kind: str = "bypass") -> Incident:
    with as_role("worker"):
        return open_incident(kind, None, "commit:x", "something")


def close_row(resolution: str, **values: object) -> None:
    """Close the row of an incident with the web's database login."""
    Incident.objects.filter(closed_at=None).update(closed_at=timezone.now(), resolution=resolution, **values)


@pytest.fixture
def bypass(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shop:
    """Product whose branch took a commit by a bypass."""
    monkeypatch.setattr(api, "WAIT_SECONDS", 0.0)
    shop = Shop(tmp_path)
    shop.commit = shop.repo.commit({"app.py": "x = 3\n"})
    where = {"repository": shop.product.repositories.get(), "ref": "refs/heads/main", "commit": shop.commit}
    incident = create_incident()
    with as_role("owner"):
        record = Record.objects.earliest("pk")
        BranchUpdate.objects.create(**where, outcome="bypass", incident=incident, record=record)
    return shop


def test_bypass_that_only_the_web_calls_reviewed_is_not_deployed(bypass: Shop) -> None:
    close_row(kinds.REVIEWED)
    assert "deployment.permitted:commit-not-allowed" in bypass.codes(bypass.asked("staging"))


def test_closing_record_written_by_the_web_alone_is_no_review(bypass: Shop) -> None:
    with as_role("owner"):
        row = Incident.objects.get()
        entry = record_kinds.IncidentClosedRecord(
            time="2026-11-30T09:00:00Z",
            object="sha256:" + "1" * 64,
            incident_kind=row.kind,
            opening=row.record.details_digest,
            resolution=kinds.REVIEWED,
            person="x",
        )
    close_row(kinds.REVIEWED, closing_record=append_record(entry, ()).pk)
    assert "deployment.permitted:commit-not-allowed" in bypass.codes(bypass.asked("staging"))


def test_record_of_another_incident_closes_none(bypass: Shop) -> None:
    other = create_incident(kinds.DEPLOYMENT)
    with as_role("worker"):
        close_incident(other, kinds.REVIEWED, "two others looked")
    other.refresh_from_db()
    with as_role("owner"):
        Incident.objects.filter(pk=other.pk).update(closing_record=None)
    close_row(kinds.REVIEWED, closing_record=other.closing_record)
    assert "deployment.permitted:commit-not-allowed" in bypass.codes(bypass.asked("staging"))


def test_audit_log_gap_closed_by_the_web_still_denies() -> None:
    create_incident(kinds.VAULT_AUDIT_GAP)
    close_row("fixed")
    with as_role("worker"):
        assert "has a gap" in find_watch_problem(WatchLimits(60, ""))


def test_no_vault_role_opens_while_the_vault_is_not_watched(bypass: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """The web's login deletes the rows of secrets during the decision and inserts them again."""
    bypass.let_in(bypass.commit)
    with as_role("owner"):
        BranchUpdate.objects.all().delete()
    number = bypass.asked("staging")
    assert bypass.state(number) == "allowed"
    row = Deployment.objects.get(pk=number)
    Secret.objects.create(environment=row.environment, name="KEY", set_by=person("sam"))
    monkeypatch.setattr(vault_role_access, "_find_openable_role", lambda row: object())
    with as_role("worker"), pytest.raises(VaultError, match="not watched"):
        vault_role_access.open_access(row)


def test_deadline_remains_when_the_web_closes_its_incident_row(bypass: Shop) -> None:
    close_row("fixed")
    name = facts.DEADLINES.name
    with as_role("worker"):
        found = DeploymentSupplier().supply_facts("shop", {name}, "2026-11-30T09:00:00Z")[name].value.value
    assert [one.id for one in found] == [f"incident-{Incident.objects.get().pk}"]


def test_worker_reopens_an_incident_closed_without_a_record() -> None:
    row = create_incident(kinds.DEPLOYMENT)
    close_row("fixed", cause="nothing happened")
    with as_role("worker"):
        report_row_problems()
    row.refresh_from_db()
    assert (row.closed_at, row.resolution, row.cause) == (None, "", "")
    assert Incident.objects.get(kind=kinds.ROW_DIFFERS).subject == f"row:incidents_incident/{row.pk}"


def test_incident_closed_by_a_recorded_act_stays_closed() -> None:
    row = create_incident(kinds.DEPLOYMENT)
    close_incident(row, "fixed", "a wrong click", Person.objects.get(pk=person("sam").pk))
    with as_role("worker"):
        report_row_problems()
    row.refresh_from_db()
    assert row.resolution == "fixed"
    assert Incident.objects.count() == 1
