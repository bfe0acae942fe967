"""Ledger in database rows: every record gets a position, verifiable by others, and none can be removed."""

import threading
from pathlib import Path

import psycopg
import pytest
from django.conf import settings
from django.db import ProgrammingError, connection, transaction

from muniment.access.actions import Action
from muniment.errors import LedgerError
from muniment.ledger import record_kinds, verification
from muniment.server.acts.system_actors import SystemActor
from muniment.server.guarding.database_roles import OWNER, WEB, WORKER
from muniment.server.incidents.models import Incident
from muniment.server.incidents.refused_records import report_refused_records
from muniment.server.records.installation import open_store
from muniment.server.records.models import LedgerHead, RecordPosition, RefusedRecord, Tile
from muniment.server.records.record_writing import record_act
from muniment.server.records.sequencer import assign_positions
from muniment.server.running.embedded_postgres import EmbeddedPostgres
from muniment.store.files_store import PUBLIC
from tests.support.service import as_role

pytestmark = pytest.mark.usefixtures("service")


def acts(count: int) -> None:
    for number in range(count):
        with as_role("operator"), transaction.atomic():
            record_act(
                SystemActor.OPERATOR.make_actor(),
                Action.ADD_PRODUCT,
                f"product:p{number}",
                {"text": "x" * (number % 40)},
            )


def problems() -> tuple[str, ...]:
    log = open_store().open_log()
    data = log.load_checkpoint()
    assert data is not None
    return verification.verify_ledger(log.read_file, data, (Path(settings.HOME) / PUBLIC).read_text()).problems


def place_waiting_records() -> int:
    with as_role("sequencer"):
        return assign_positions()


def test_pending_record_is_shown_as_pending_until_it_has_a_position() -> None:
    acts(3)
    assert RecordPosition.objects.filter(position=None).count() == 4
    assert place_waiting_records() == 4
    assert list(RecordPosition.objects.order_by("record").values_list("position", flat=True)) == [0, 1, 2, 3]
    assert problems() == ()
    assert place_waiting_records() == 0


def test_rolled_back_record_is_not_in_the_ledger() -> None:
    place_waiting_records()
    with as_role("operator"), transaction.atomic():
        record_act(SystemActor.OPERATOR.make_actor(), Action.ADD_PRODUCT, "product:x", {})
        transaction.set_rollback(True)
    assert RecordPosition.objects.filter(position=None).count() == 0


def test_ledger_grows_beyond_a_tile_and_drops_replaced_partial_tiles() -> None:
    for count in (200, 55, 1, 1, 300):
        acts(count)
        place_waiting_records()
        assert problems() == ()
    assert open_store().open_log().read_head().size == 558
    partial = set(Tile.objects.filter(path__contains=".p/").values_list("path", flat=True))
    assert len(partial) <= 6, partial


def test_concurrent_sequencers_assign_each_position_once() -> None:
    acts(120)
    with as_role("sequencer"):
        threads = [threading.Thread(target=_give) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert set(RecordPosition.objects.values_list("position", flat=True)) == set(range(121))
    assert problems() == ()


def _give() -> None:
    assign_positions()
    connection.close()


@pytest.mark.parametrize("spoilt", ["tile", "checkpoint", "entries"])
def test_sequencer_signs_nothing_on_a_tampered_ledger(spoilt: str) -> None:
    acts(5)
    place_waiting_records()
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
        place_waiting_records()
    assert RecordPosition.objects.filter(position=None).count() == 1


def test_sequencer_signs_nothing_on_an_older_database(tmp_path: Path) -> None:
    with as_role("owner"):
        open_store().write_document("home.toml", f'[ledger]\nexternal_copy = "{tmp_path / "copy"}"\n'.encode())
    acts(2)
    place_waiting_records()
    old = {tile.path: bytes(tile.data) for tile in Tile.objects.all()}
    checkpoint = bytes(LedgerHead.objects.get().checkpoint or b"")
    acts(2)
    place_waiting_records()
    with as_role("owner"):  # yesterday's backup
        Tile.objects.all().delete()
        Tile.objects.bulk_create([Tile(path=path, data=data) for path, data in old.items()])
        LedgerHead.objects.update(checkpoint=checkpoint)
    acts(1)
    with pytest.raises(LedgerError, match="older than its copy"):
        place_waiting_records()


def insert(kind: str, entry: record_kinds.AnyEntry, role: str, **changed: str | bytes) -> None:
    """Insert a record by plain SQL, as code within a process could."""
    values: dict[str, str | bytes] = {
        "kind": kind,
        "recorded_at": entry.time,
        "details_digest": entry.object,
        "data": record_kinds.encode_record(entry),
    }
    with as_role(role), connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO records_record (kind, recorded_at, details_digest, data)"
            " VALUES (%(kind)s, %(recorded_at)s, %(details_digest)s, %(data)s)",
            values | changed,
        )


def replay() -> record_kinds.ReplayRecord:
    """Copy of a record that only the worker may write."""
    return record_kinds.ReplayRecord(
        time="2026-11-24T09:00:00.000000Z",
        object="",
        repository_location="",
        target="",
        policy="",
        head="",
        change_count=1,
        allowed_count=1,
    )


@pytest.mark.parametrize("role", ["web", "sequencer", "operator", "eraser"])
def test_process_cannot_insert_kinds_of_another_writer(role: str) -> None:
    with pytest.raises(ProgrammingError, match="row-level security"):
        insert("replay", replay(), role)
    insert("replay", replay(), "worker")


def test_process_that_writes_no_kind_cannot_insert_records() -> None:
    with pytest.raises(ProgrammingError, match=r"denied|row-level security"):
        insert("replay", replay(), "confirmation")


def test_record_with_false_kind_is_refused_and_the_next_gets_its_position() -> None:
    place_waiting_records()
    insert("person-action", replay(), "web")
    acts(1)
    assert place_waiting_records() == 1
    assert list(RefusedRecord.objects.values_list("reason", flat=True)) == [RefusedRecord.Reason.COLUMNS]
    assert problems() == ()
    assert place_waiting_records() == 0
    with as_role("worker"):
        report_refused_records()
        report_refused_records()
    (incident,) = Incident.objects.all()
    assert incident.kind == "record-refused"
    assert "muniment_web" in incident.summary


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"data": b"{}"}, RefusedRecord.Reason.CONTENT),
        ({"recorded_at": "2026-11-25T09:00:00Z"}, RefusedRecord.Reason.COLUMNS),
        ({"details_digest": "sha256:" + "0" * 64}, RefusedRecord.Reason.COLUMNS),
    ],
)
def test_record_with_false_columns_or_content_is_refused(
    changed: dict[str, str | bytes], reason: RefusedRecord.Reason
) -> None:
    place_waiting_records()
    insert("replay", replay(), "worker", **changed)
    assert place_waiting_records() == 0
    assert list(RefusedRecord.objects.values_list("reason", flat=True)) == [reason]


def test_writer_check_refuses_a_record_that_the_database_accepted() -> None:
    place_waiting_records()
    insert("replay", replay(), "owner")  # row-level security does not hold for the owner
    assert place_waiting_records() == 0
    assert list(RefusedRecord.objects.values_list("reason", flat=True)) == [RefusedRecord.Reason.WRITER]


def test_no_process_can_choose_the_writer() -> None:
    for role in ("web", "worker", "sequencer", "operator", "eraser", "confirmation"):
        with as_role(role), connection.cursor() as cursor, pytest.raises(ProgrammingError, match="denied"):
            cursor.execute(
                "INSERT INTO records_record (kind, recorded_at, details_digest, data, writer)"
                " VALUES ('replay', now(), '', '', 'muniment_worker')"
            )


_REFUSED = {
    WEB: [
        "UPDATE records_record SET data = ''",
        "DELETE FROM records_record",
        "INSERT INTO records_recordposition (record_id, position) VALUES (7, 7)",
        "UPDATE records_recordposition SET position = 7",
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
        "UPDATE records_record SET data = ''",
        "DELETE FROM records_record",
        "UPDATE records_recordposition SET position = 7",
        "DELETE FROM records_recordposition",
        "UPDATE records_tile SET data = ''",
        "INSERT INTO records_tile (path, data) VALUES ('x', '')",
        "UPDATE records_ledgerhead SET checkpoint = NULL",
        "DELETE FROM records_refusedrecord",
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
def test_database_refuses_forbidden_statements(postgres: EmbeddedPostgres, role: str, statement: str) -> None:
    with (
        psycopg.connect(postgres.make_address(role), autocommit=True) as web,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        web.execute(statement.encode())
