"""Processes killed between a record, its position and the permitted effect: nothing is lost or done twice."""

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import connections, transaction

from muniment.access.actions import Action
from muniment.ledger import verification
from muniment.server.acts.system_actors import SystemActor
from muniment.server.api import deployments as api
from muniment.server.deployments import deployment_decision, tasks, token_verification
from muniment.server.deployments.models import Deployment, VerifiedRequest
from muniment.server.people import person_erasure
from muniment.server.people.models import Person
from muniment.server.records import permission_signing, sequencer
from muniment.server.records.installation import open_store
from muniment.server.records.models import Record, RecordPosition, SignedPermission, SigningRequest
from muniment.server.records.postgres_log import PostgresLog
from muniment.server.records.record_writing import record_act
from muniment.store.files_store import PUBLIC
from muniment.store.ledger_log import Log
from tests.server.test_eraser_process import approve, request
from tests.support.deploying import Shop
from tests.support.service import as_role, person, place_records, sign_permissions

pytestmark = [
    pytest.mark.slow,  # processes, killed
    pytest.mark.usefixtures("service"),
    pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning"),  # the child does nothing but die
]


def kill_at(role: str, call: Callable[[], object], where: Any, name: str) -> None:
    """Run `call` in another process, which is killed with -9 where it would call `name`."""
    connections.close_all()
    child = os.fork()
    if not child:
        try:
            setattr(where, name, lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL))
            with as_role(role):
                call()
        finally:
            os._exit(7)
    status = os.waitpid(child, 0)[1]
    assert os.WIFSIGNALED(status), "it was not killed: the point was never reached"


def act() -> None:
    with as_role("operator"), transaction.atomic():
        record_act(SystemActor.OPERATOR.make_actor(), Action.ADD_PRODUCT, "product:p", {})


def check_ledger(copy: Path | None = None) -> None:
    """Every record has one position, all is signed, and the copy outside says the same."""
    place_records()
    log = open_store().open_log()
    data = log.load_checkpoint()
    assert data is not None
    assert verification.verify_ledger(log.read_file, data, (Path(settings.HOME) / PUBLIC).read_text()).problems == ()
    positions = RecordPosition.objects.order_by("position").values_list("position", flat=True)
    assert list(positions) == list(range(Record.objects.count()))
    assert copy is None or copy.read_bytes() == data


@pytest.mark.parametrize(
    ("where", "name"),
    [
        (PostgresLog, "write_tiles"),  # before a tile is written
        (PostgresLog, "remove_partial_tiles"),  # tiles and checkpoint are written, and not committed
        (RecordPosition.objects, "bulk_update"),  # ... and no position is
        (Log, "publish_checkpoint"),  # all is committed; the copy outside is older
    ],
)
def test_a_sequencer_killed_between_record_and_position(where: Any, name: str, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    with as_role("owner"):
        open_store().write_document("home.toml", f'[ledger]\nexternal_copy = "{copy}"\n'.encode())
    act()
    place_records()
    act()
    kill_at("sequencer", sequencer.assign_positions, where, name)
    act()
    check_ledger(copy)


@pytest.fixture
def shop(tmp_path: Path, service: None, monkeypatch: pytest.MonkeyPatch) -> Shop:
    monkeypatch.setattr(api, "WAIT_SECONDS", 0.0)
    return Shop(tmp_path)


@pytest.mark.parametrize(
    ("where", "name"),
    [
        (token_verification, "append_record"),  # the token is verified, and nothing is recorded
        (VerifiedRequest.objects, "create"),  # the request is recorded, and not committed
        (deployment_decision, "evaluate_deployment"),  # the request is recorded; nothing was evaluated
        (deployment_decision, "_store_permission"),  # the decision is recorded, and not committed
        (deployment_decision, "make_ready"),  # the decision is committed; nothing was made ready
        (SigningRequest.objects, "get_or_create"),  # the vault's role is open; nothing is to be signed
    ],
)
def test_a_worker_killed_before_the_permission_is_requested(shop: Shop, where: Any, name: str) -> None:
    number = shop.ask("staging")[1]["id"]
    kill_at("worker", lambda: tasks.evaluate_deployment_task(number), where, name)
    shop.work(number)
    check_deployed(shop, number)


@pytest.mark.parametrize(
    ("where", "name"),
    [
        (permission_signing, "open_store"),  # nothing was read of the ledger
        (SignedPermission.objects, "create"),  # it is recorded as signed, and not committed
    ],
)
def test_a_sequencer_killed_between_position_and_signature(shop: Shop, where: Any, name: str) -> None:
    number = shop.ask("staging")[1]["id"]
    with as_role("worker"):
        tasks.evaluate_deployment_task(number)
    place_records()
    kill_at("sequencer", permission_signing.sign_permissions, where, name)
    assert not SignedPermission.objects.exists()
    shop.work(number)
    check_deployed(shop, number)


def test_worker_killed_before_it_stores_signed_permission(shop: Shop) -> None:
    number = shop.ask("staging")[1]["id"]
    with as_role("worker"):
        tasks.evaluate_deployment_task(number)
    sign_permissions()
    kill_at("worker", lambda: tasks.evaluate_deployment_task(number), deployment_decision, "_take_over_permission")
    assert shop.state(number) == "pending"
    shop.work(number)
    check_deployed(shop, number)


def check_deployed(shop: Shop, number: int) -> None:
    """Check that the deployment is allowed, and was requested, decided and signed once."""
    assert shop.state(number) == "allowed"
    row = Deployment.objects.select_related("verified__record").get(pk=number)
    assert Record.objects.filter(kind="deployment-request").get() == row.record
    for kind in ("decision", "deployment-permission"):
        assert Record.objects.filter(kind=kind).count() == 1, kind
    check_ledger()


@pytest.mark.parametrize("name", ["begin_erasure", "_erase_all_traces", "finish_erasure"])
def test_eraser_killed_before_it_finished(name: str) -> None:
    person("bob"), person("dan"), person("amy")
    with as_role("owner"):
        Person.objects.filter(pk="bob").update(active=False)
    request("dan")
    approve()
    kill_at("eraser", lambda: person_erasure.erase_person("bob"), person_erasure, name)
    assert Person.objects.get(pk="bob").erased_at is None
    with as_role("eraser"):
        person_erasure.erase_person("bob")
    assert Person.objects.get(pk="bob").erased_at is not None
    check_ledger()
