"""The ledger in rows: every entry gets its place, under a signature that others verify; nobody can take one out."""

import threading
from pathlib import Path

import psycopg
import pytest
from django.conf import settings
from django.db import connection, transaction

from muniment.access.actions import Action
from muniment.errors import LedgerError
from muniment.ledger import verification
from muniment.server.acts.system_actors import SystemActor
from muniment.server.installation import store
from muniment.server.records.entering import record_act
from muniment.server.records.models import LedgerHead, Record, Tile
from muniment.server.records.sequencer import give_places
from muniment.server.running.embedded import OWNER, WEB, WORKER, Embedded
from muniment.store.files import PUBLIC
from tests.support.service import as_role

pytestmark = pytest.mark.usefixtures("service")


def acts(count: int) -> None:
    for number in range(count):
        with transaction.atomic():
            record_act(
                SystemActor.OPERATOR.actor(), Action.ADD_PRODUCT, f"product:p{number}", {"told": "x" * (number % 40)}
            )


def problems() -> tuple[str, ...]:
    log = store().log()
    data = log.checkpoint()
    assert data is not None
    return verification.verify(log.read, data, (Path(settings.HOME) / PUBLIC).read_text()).problems


def sequence() -> int:
    with as_role("worker"):
        return give_places()


def test_what_waits_says_so_and_then_has_a_place() -> None:
    acts(3)
    assert Record.objects.filter(position=None).count() == 4
    assert sequence() == 4
    assert list(Record.objects.order_by("id").values_list("position", flat=True)) == [0, 1, 2, 3]
    assert problems() == ()
    assert sequence() == 0


def test_what_was_undone_is_in_no_ledger() -> None:
    sequence()
    with transaction.atomic():
        record_act(SystemActor.OPERATOR.actor(), Action.ADD_PRODUCT, "product:x", {})
        transaction.set_rollback(True)
    assert Record.objects.filter(position=None).count() == 0


def test_it_grows_over_the_edges_of_tiles_and_drops_what_it_outgrew() -> None:
    for count in (200, 55, 1, 1, 300):
        acts(count)
        sequence()
        assert problems() == ()
    assert store().log().head().size == 558
    partial = set(Tile.objects.filter(path__contains=".p/").values_list("path", flat=True))
    assert len(partial) <= 6, partial


def test_many_sequencers_at_once_give_each_place_once() -> None:
    acts(120)
    with as_role("worker"):
        threads = [threading.Thread(target=_give) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert set(Record.objects.values_list("position", flat=True)) == set(range(121))
    assert problems() == ()


def _give() -> None:
    give_places()
    connection.close()


@pytest.mark.parametrize("spoilt", ["tile", "checkpoint", "entries"])
def test_a_ledger_that_was_tampered_with_is_not_signed_further(spoilt: str) -> None:
    acts(5)
    sequence()
    with as_role("owner"):
        if spoilt == "checkpoint":
            LedgerHead.objects.update(checkpoint=None)
        else:
            place = "tile/entries" if spoilt == "entries" else "tile/0"
            row = Tile.objects.filter(path__startswith=place).get()
            data = bytes(row.data)
            Tile.objects.filter(pk=row.pk).update(data=data[:-1] + bytes([data[-1] ^ 1]))
    acts(1)
    with pytest.raises(LedgerError):
        sequence()
    assert Record.objects.filter(position=None).count() == 1


def test_an_older_database_is_not_signed_further(tmp_path: Path) -> None:
    with as_role("owner"):
        store().write("home.toml", f'[ledger]\nexternal_copy = "{tmp_path / "copy"}"\n'.encode())
    acts(2)
    sequence()
    old = {tile.path: bytes(tile.data) for tile in Tile.objects.all()}
    checkpoint = bytes(LedgerHead.objects.get().checkpoint or b"")
    acts(2)
    sequence()
    with as_role("owner"):  # yesterday's backup
        Tile.objects.all().delete()
        Tile.objects.bulk_create([Tile(path=path, data=data) for path, data in old.items()])
        LedgerHead.objects.update(checkpoint=checkpoint)
    acts(1)
    with pytest.raises(LedgerError, match="older than its copy"):
        sequence()


_REFUSED = {
    WEB: [
        "UPDATE records_record SET data = ''",
        "DELETE FROM records_record",
        "INSERT INTO records_record (position, kind, recorded_at, details_digest, data) "
        "VALUES (7, 'act', now(), '', '')",
        "UPDATE records_tile SET data = ''",
        "DELETE FROM records_tile",
        "UPDATE records_ledgerhead SET checkpoint = NULL",
        "DELETE FROM records_storedobject",
        "UPDATE records_storedobject SET data = ''",
        "INSERT INTO changes_decision "
        "(change_id, head, allowed, decided_at, policy_digest, inputs_digest, explanation_digest) "
        "VALUES (1, '', true, now(), '', '', '')",
        "UPDATE changes_decision SET allowed = true",
        "DELETE FROM changes_decision",
        "UPDATE changes_change SET decision_id = NULL",
        "DELETE FROM people_person",
        "DELETE FROM people_rolegrant",
        "TRUNCATE records_record",
        "ALTER TABLE records_record DROP COLUMN data",
        "CREATE TABLE t (a int)",
        "DROP TABLE records_record",
        f"SET ROLE {OWNER}",
    ],
    WORKER: [
        "DELETE FROM records_record",
        "INSERT INTO people_rolegrant (person_id, role, bootstrap, granted_at) VALUES (1, 'admin', false, now())",
        "UPDATE people_person SET active = true",
        "UPDATE policies_policyversion SET in_force = true",
        "UPDATE records_document SET data = ''",
        "INSERT INTO policies_policyexception (slug) VALUES ('x')",
        "DELETE FROM changes_decision",
        "UPDATE changes_decision SET allowed = true",
        "ALTER TABLE records_record DROP COLUMN data",
        f"SET ROLE {OWNER}",
    ],
}


@pytest.mark.parametrize(("role", "statement"), [(role, one) for role, all_ in _REFUSED.items() for one in all_])
def test_the_database_itself_refuses(postgres: Embedded, role: str, statement: str) -> None:
    with (
        psycopg.connect(postgres.url(role), autocommit=True) as web,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        web.execute(statement.encode())
