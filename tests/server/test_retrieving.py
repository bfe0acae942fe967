"""How deployments came by their secrets: only a reading of the vault in their time says that they fetched them."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from muniment.access.roles import Role
from muniment.facts.maybe import Known, Maybe, Unknown
from muniment.facts.vault import RetrievalMethod
from muniment.server.deployments import retrieving
from muniment.server.deployments.models import DeploymentPermission
from muniment.server.deployments.retrieving import Log, Retrievals, how
from muniment.server.secrets.models import Secret
from tests.support.deploying import Shop
from tests.support.service import as_role, person

BEGUN, ENDED = datetime(2026, 11, 24, 9, 0, tzinfo=UTC), datetime(2026, 11, 24, 9, 5, tzinfo=UTC)
EARLIER, WITHIN = datetime(2026, 11, 24, 8, 0, tzinfo=UTC), datetime(2026, 11, 24, 9, 1, tzinfo=UTC)
PLACE = "shop/production"


@pytest.mark.parametrize(
    ("log", "keeps", "expected"),
    [
        (Log(EARLIER, {PLACE: (WITHIN,)}), True, Known(RetrievalMethod.PIPELINE)),
        (Log(WITHIN, {PLACE: (WITHIN,)}), True, Known(RetrievalMethod.PIPELINE)),
        (Log(EARLIER, {}), False, Known(RetrievalMethod.NONE)),
        (Log(EARLIER, {PLACE: (EARLIER,)}), True, None),
        (Log(EARLIER, {"shop/staging": (WITHIN,)}), True, None),
        (Log(WITHIN, {}), False, None),
    ],
)
def test_a_reading_in_its_time_and_place_is_a_fetch(
    log: Log, keeps: bool, expected: Maybe[RetrievalMethod] | None
) -> None:
    found = how(BEGUN, ENDED, PLACE, Known(log), keeps=keeps)
    assert found == expected if expected is not None else isinstance(found, Unknown)


def test_a_log_that_cannot_be_read_tells_nothing() -> None:
    assert how(BEGUN, ENDED, PLACE, Unknown("gone"), keeps=False) == Unknown("gone")


def line(time: str, place: str = PLACE) -> str:
    role = place.replace("/", ".")
    auth = {"policies": [f"muniment-read.{role}"], "display_name": f"runner.{role}-x", "metadata": {"role": role}}
    request = {"operation": "read", "path": f"muniment/data/{place}"}
    return json.dumps({"time": time, "type": "response", "request": request, "response": {"data": {}}, "auth": auth})


@pytest.mark.usefixtures("service")
def test_the_log_is_held_against_the_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shop = Shop(tmp_path)
    number = shop.deployed("staging")
    log = tmp_path / "audit.log"
    monkeypatch.setattr(retrieving, "audit_log", lambda: log)

    def told() -> Any:
        with as_role("worker"):
            return Retrievals().supply("shop", {"retrievals"}, "2026-11-24T09:00:00.000000Z")["retrievals"].value

    log.write_text("damaged\n")
    assert isinstance(told().value[0].method, Unknown)
    log.write_text(line("2020-01-01T00:00:00.000000123Z") + "\n")
    assert [(one.deployment, one.environment, one.method) for one in told().value] == [
        (str(number), "staging", Known(RetrievalMethod.NONE))
    ]
    with as_role("owner"):
        Secret.objects.create(environment=shop.places["staging"], name="KEY", set_by=person("ada", Role.SECURITY))
    assert isinstance(told().value[0].method, Unknown)
    decided = DeploymentPermission.objects.get().decided_at.astimezone(UTC)
    assert decided <= timezone.now()
    with log.open("a") as stream:
        stream.write(line(f"{decided:%Y-%m-%dT%H:%M:%S.%f}999Z", "shop/staging") + "\n")
    assert told().value[0].method == Known(RetrievalMethod.PIPELINE)
