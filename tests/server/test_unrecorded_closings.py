"""An incident that no record closes is open, whatever its row says: for deployments, the watch, and clauses."""

from pathlib import Path

import pytest
from django.utils import timezone

from muniment.errors import VaultError
from muniment.facts import kinds as facts
from muniment.ledger import entries
from muniment.server.api import deployments as api
from muniment.server.connections.models import BranchUpdate
from muniment.server.deployments import doors
from muniment.server.deployments.models import Deployment
from muniment.server.deployments.supplying import Deployments
from muniment.server.incidents import kinds
from muniment.server.incidents.lifecycle import close_incident, open_incident
from muniment.server.incidents.models import Incident
from muniment.server.incidents.row_incidents import report_row_problems
from muniment.server.people.models import Person
from muniment.server.records.entering import enter
from muniment.server.records.models import Record
from muniment.server.secrets.models import Secret
from muniment.server.secrets.watch_state import WatchLimits, find_watch_problem
from tests.support.deploying import Shop
from tests.support.service import as_role, person

pytestmark = pytest.mark.usefixtures("service")


def opened(kind: str = "bypass") -> Incident:
    with as_role("worker"):
        return open_incident(kind, None, "commit:x", "something")


def close_row(resolution: str, **values: object) -> None:
    """What whoever has the web's login can write."""
    Incident.objects.filter(closed_at=None).update(closed_at=timezone.now(), resolution=resolution, **values)


@pytest.fixture
def bypass(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shop:
    """A shop whose branch took a commit by a bypass."""
    monkeypatch.setattr(api, "WAIT_SECONDS", 0.0)
    shop = Shop(tmp_path)
    shop.commit = shop.repo.commit({"app.py": "x = 3\n"})
    where = {"repository": shop.product.repositories.get(), "ref": "refs/heads/main", "commit": shop.commit}
    incident = opened()
    with as_role("owner"):
        record = Record.objects.earliest("pk")
        BranchUpdate.objects.create(**where, outcome="bypass", incident=incident, record=record)
    return shop


def test_a_bypass_that_the_web_calls_reviewed_is_not_deployed(bypass: Shop) -> None:
    close_row(kinds.REVIEWED)
    assert "deployment.permitted:commit-not-allowed" in bypass.codes(bypass.asked("staging"))


def test_a_closing_by_a_record_of_the_web_alone_is_no_review_either(bypass: Shop) -> None:
    with as_role("owner"):
        row = Incident.objects.get()
        entry = entries.IncidentClosedRecord(
            time="2026-11-30T09:00:00Z",
            object="sha256:" + "1" * 64,
            incident_kind=row.kind,
            opening=row.record.details_digest,
            resolution=kinds.REVIEWED,
            person="x",
        )
    close_row(kinds.REVIEWED, closing_record=enter(entry, ()).pk)
    assert "deployment.permitted:commit-not-allowed" in bypass.codes(bypass.asked("staging"))


def test_the_record_of_another_incident_closes_none(bypass: Shop) -> None:
    other = opened(kinds.DEPLOYMENT)
    with as_role("worker"):
        close_incident(other, kinds.REVIEWED, "two others looked")
    other.refresh_from_db()
    with as_role("owner"):
        Incident.objects.filter(pk=other.pk).update(closing_record=None)
    close_row(kinds.REVIEWED, closing_record=other.closing_record)
    assert "deployment.permitted:commit-not-allowed" in bypass.codes(bypass.asked("staging"))


def test_a_gap_of_the_audit_log_that_the_web_closed_still_denies() -> None:
    opened(kinds.VAULT_AUDIT_GAP)
    close_row("fixed")
    with as_role("worker"):
        assert "has a gap" in find_watch_problem(WatchLimits(60, ""))


def test_no_door_of_the_vault_opens_while_nobody_watches_it(bypass: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the web's login somebody deletes the rows of secrets while it is decided, and inserts them again."""
    bypass.let_in(bypass.commit)
    with as_role("owner"):
        BranchUpdate.objects.all().delete()
    number = bypass.asked("staging")
    assert bypass.state(number) == "allowed"
    row = Deployment.objects.get(pk=number)
    Secret.objects.create(environment=row.environment, name="KEY", set_by=person("sam"))
    monkeypatch.setattr(doors, "_entrance", lambda row: object())
    with as_role("worker"), pytest.raises(VaultError, match="not watched"):
        doors.open_door(row)


def test_a_deadline_does_not_go_with_the_row_of_its_incident(bypass: Shop) -> None:
    close_row("fixed")
    name = facts.DEADLINES.name
    with as_role("worker"):
        found = Deployments().supply("shop", {name}, "2026-11-30T09:00:00Z")[name].value.value
    assert [one.id for one in found] == [f"incident-{Incident.objects.get().pk}"]


def test_the_worker_opens_it_again_and_says_so() -> None:
    row = opened(kinds.DEPLOYMENT)
    close_row("fixed", cause="nothing happened")
    with as_role("worker"):
        report_row_problems()
    row.refresh_from_db()
    assert (row.closed_at, row.resolution, row.cause) == (None, "", "")
    assert Incident.objects.get(kind=kinds.ROW_DIFFERS).subject == f"row:incidents_incident/{row.pk}"


def test_what_a_person_closed_on_the_record_stays_closed() -> None:
    row = opened(kinds.DEPLOYMENT)
    close_incident(row, "fixed", "a wrong click", Person.objects.get(pk=person("sam").pk))
    with as_role("worker"):
        report_row_problems()
    row.refresh_from_db()
    assert row.resolution == "fixed"
    assert Incident.objects.count() == 1
