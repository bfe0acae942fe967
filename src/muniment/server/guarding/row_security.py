"""What PostgreSQL checks of each record that is inserted, and the row that it adds for its position.

Row-level security is never forced: the owner has to be able to dump and restore the table.
"""

import hashlib
from collections.abc import Iterator

from django.db.backends.utils import CursorWrapper
from psycopg import sql

from muniment.ledger.writers import Writer, kinds_of
from muniment.server.running.database_roles import PREFIX, PROCESSES

_RECORDS, _POSITIONS = "records_record", "records_recordposition"
_FUNCTION, _TRIGGER = "muniment_add_position", "add_position"
_READ_ALL = "read_all"

_BODY = " BEGIN INSERT INTO public.records_recordposition (record_id) VALUES (NEW.id); RETURN NULL; END "
_CREATE_FUNCTION = (
    "CREATE OR REPLACE FUNCTION muniment_add_position() RETURNS trigger LANGUAGE plpgsql "
    f"SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $${_BODY}$$"
)  # as its owner: nobody else may add a position, and no record can be without the row


def find_missing(cursor: CursorWrapper, tables: frozenset[str]) -> Iterator[sql.Composable]:
    """The statements that bring policies and trigger up to date; none if they are, for each locks the table."""
    if not {_RECORDS, _POSITIONS} <= tables:
        return
    cursor.execute("SELECT policyname FROM pg_policies WHERE schemaname = 'public' AND tablename = %s", [_RECORDS])
    found = {row[0] for row in cursor.fetchall()}
    wanted = dict(_policies())
    for name in sorted(found - set(wanted)):
        yield sql.SQL("DROP POLICY {} ON {}").format(sql.Identifier(name), sql.Identifier(_RECORDS))
    for name in sorted(set(wanted) - found):
        yield wanted[name]
    cursor.execute("SELECT relrowsecurity FROM pg_class WHERE oid = %s::regclass", [_RECORDS])
    if cursor.fetchone() != (True,):
        yield sql.SQL("ALTER TABLE {} ENABLE ROW LEVEL SECURITY").format(sql.Identifier(_RECORDS))
    cursor.execute("SELECT prosrc FROM pg_proc WHERE proname = %s AND prosecdef", [_FUNCTION])
    if cursor.fetchone() != (_BODY,):
        yield sql.SQL(_CREATE_FUNCTION)
        yield sql.SQL("REVOKE ALL ON FUNCTION {}() FROM PUBLIC").format(sql.Identifier(_FUNCTION))
    cursor.execute("SELECT 1 FROM pg_trigger WHERE tgname = %s AND tgrelid = %s::regclass", [_TRIGGER, _RECORDS])
    if cursor.fetchone() is None:
        yield sql.SQL("CREATE TRIGGER {} AFTER INSERT ON {} FOR EACH ROW EXECUTE FUNCTION {}()").format(
            sql.Identifier(_TRIGGER), sql.Identifier(_RECORDS), sql.Identifier(_FUNCTION)
        )


def _policies() -> Iterator[tuple[str, sql.Composed]]:
    """(name, statement) of each policy. A name holds a digest of its kinds, so that another list is another policy."""
    readers = sql.SQL(", ").join(map(sql.Identifier, PROCESSES))
    table = sql.Identifier(_RECORDS)
    yield (
        _READ_ALL,
        sql.SQL("CREATE POLICY {} ON {} FOR SELECT TO {} USING (true)").format(
            sql.Identifier(_READ_ALL), table, readers
        ),
    )
    for writer in Writer:
        kinds, role = kinds_of(writer), f"{PREFIX}{writer}"
        if role not in PROCESSES or not kinds:
            continue
        name = f"add_as_{writer}_{hashlib.sha256(' '.join(kinds).encode()).hexdigest()[:12]}"
        yield (
            name,
            sql.SQL("CREATE POLICY {} ON {} FOR INSERT TO {} WITH CHECK (kind IN ({}) AND writer = {})").format(
                sql.Identifier(name),
                table,
                sql.Identifier(role),
                sql.SQL(", ").join(map(sql.Literal, kinds)),
                sql.Literal(role),
            ),
        )
