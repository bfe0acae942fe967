"""Row-level security and triggers of PostgreSQL for records and requests, beyond rights on tables.

Row-level security is never forced: the owner has to be able to dump and restore the table.
"""

import hashlib
from collections.abc import Iterator
from typing import NamedTuple

from django.db.backends.utils import CursorWrapper
from psycopg import sql

from muniment.ledger.writers import Writer, list_kinds
from muniment.server.guarding.database_roles import CONFIRMATION, PROCESSES, ROLE_PREFIX

_RECORDS, _POSITIONS = "records_record", "records_recordposition"
_READ_ALL = "read_all"


class _Trigger(NamedTuple):
    """A trigger with its function. `definer`: the function runs as its owner."""

    table: str
    name: str
    when: str
    function: str
    body: str
    definer: bool = False


def _refuse_where(condition: str, sentence: str) -> str:
    """Body of a trigger that refuses what web and worker write where a condition holds."""
    return f"""
    BEGIN
        IF current_user IN ('muniment_web', 'muniment_worker') AND {condition} THEN
            RAISE EXCEPTION '{sentence}' USING ERRCODE = 'insufficient_privilege';
        END IF;
        RETURN coalesce(NEW, OLD);
    END """


_CLOSED = "EXISTS (SELECT FROM public.minutes_minutes m WHERE m.{} AND m.closed_at IS NOT NULL)"
_FROZEN = "minutes that are frozen are not changed"
_OF_MEETING = _refuse_where(_CLOSED.format("meeting_id = NEW.meeting_id"), _FROZEN)

# What several people did together stays so, whoever has the login of web or worker: no act changes it either.
_OF_MEETINGS = (
    _Trigger(  # a meeting was held if its minutes say so
        "meetings_productmeeting",
        "guard_meeting",
        "BEFORE INSERT OR UPDATE",
        "muniment_guard_meeting",
        _refuse_where(
            "NEW.held_on IS DISTINCT FROM OLD.held_on AND (OLD.held_on IS NOT NULL OR NOT "
            + _CLOSED.format("meeting_id = NEW.id")
            + ")",
            "a meeting is held once, and has minutes",
        ),
    ),
    _Trigger(  # whoever sat there has to sign
        "meetings_meetingattendee",
        "guard_seat",
        "BEFORE INSERT OR UPDATE OR DELETE",
        "muniment_guard_seat",
        _refuse_where(_CLOSED.format("meeting_id = coalesce(NEW.meeting_id, OLD.meeting_id)"), _FROZEN),
    ),
    _Trigger(
        "minutes_minutes",
        "guard_minutes",
        "BEFORE UPDATE",
        "muniment_guard_minutes",
        _refuse_where(  # the worker notes once that the days for objections are over
            "OLD.closed_at IS NOT NULL AND (OLD.silent_since IS NOT NULL OR NEW.silent_since IS NULL OR"
            " (NEW.meeting_id, NEW.opened_at, NEW.agenda, NEW.agenda_digest, NEW.closed_at, NEW.text, NEW.digest)"
            " IS DISTINCT FROM"
            " (OLD.meeting_id, OLD.opened_at, OLD.agenda, OLD.agenda_digest, OLD.closed_at, OLD.text, OLD.digest))",
            _FROZEN,
        ),
    ),
    _Trigger(
        "minutes_attendance",
        "guard_attendance",
        "BEFORE INSERT OR UPDATE",
        "muniment_guard_attendance",
        _OF_MEETING,
    ),
    _Trigger("minutes_minutesentry", "guard_entry", "BEFORE INSERT", "muniment_guard_entry", _OF_MEETING),
    _Trigger(
        "minutes_agendaitem",
        "guard_item",
        "BEFORE INSERT OR UPDATE",
        "muniment_guard_item",
        _refuse_where(_CLOSED.format("id = NEW.minutes_id"), _FROZEN),
    ),
    _Trigger(
        "minutes_minutessignature",
        "guard_signature",
        "BEFORE INSERT",
        "muniment_guard_signature",
        _refuse_where(
            f"NOT ({_CLOSED.format('id = NEW.minutes_id AND m.digest = NEW.digest')})",
            "a signature is over frozen minutes",
        ),
    ),
    _Trigger(
        "reviews_usabilityopinion",
        "guard_opinion",
        "BEFORE INSERT OR UPDATE",
        "muniment_guard_opinion",
        _refuse_where(
            "EXISTS (SELECT FROM public.minutes_minutes m WHERE m.meeting_id = NEW.meeting_id)",
            "an agenda that is frozen takes no opinion",
        ),
    ),
    _Trigger(  # whoever assesses a threat does not accept it by the same statement, and nobody accepts it twice
        "retros_retrothreat",
        "guard_threat",
        "BEFORE INSERT OR UPDATE",
        "muniment_guard_threat",
        _refuse_where(
            "NEW.accepted_on IS NOT NULL AND (TG_OP = 'INSERT' OR OLD.accepted_on IS NOT NULL)",
            "a threat is accepted once, after it was assessed",
        ),
    ),
)
_TRIGGERS = (
    *_OF_MEETINGS,
    _Trigger(  # as its owner: nobody else may add a position, and no record can be without the row
        _RECORDS,
        "add_position",
        "AFTER INSERT",
        "muniment_add_position",
        " BEGIN INSERT INTO public.records_recordposition (record_id) VALUES (NEW.id); RETURN NULL; END ",
        definer=True,
    ),
    _Trigger(  # a request that ended stays so, what was requested stays so, and the worker only withdraws
        "requests_request",
        "guard_request",
        "BEFORE UPDATE",
        "muniment_guard_request",
        """
    BEGIN
        IF current_user = 'muniment_owner' OR current_user NOT LIKE 'muniment\\_%' THEN
            RETURN NEW;
        END IF;
        IF (OLD.state <> 'waiting' AND (NEW.state, NEW.act, NEW.decided_at, NEW.second_person_id)
                IS DISTINCT FROM (OLD.state, OLD.act, OLD.decided_at, OLD.second_person_id))
            OR NEW.act NOT IN (OLD.act, '') OR NEW.shown NOT IN (OLD.shown, '')
            OR (NEW.state = 'waiting' AND NEW.summary <> OLD.summary)
            OR (current_user <> 'muniment_web' AND NEW.state NOT IN (OLD.state, 'withdrawn')) THEN
            RAISE EXCEPTION 'a request is ended once, and is not changed' USING ERRCODE = 'insufficient_privilege';
        END IF;
        RETURN NEW;
    END """,
    ),
    _Trigger(  # how old it is, and whether it was removed, is the database's to say: no process dates it back
        "people_enrolledauthenticator",
        "guard_authenticator",
        "BEFORE INSERT OR UPDATE",
        "muniment_guard_authenticator",
        """
    BEGIN
        IF current_user = 'muniment_owner' OR current_user NOT LIKE 'muniment\\_%' THEN
            RETURN NEW;
        END IF;
        IF TG_OP = 'INSERT' THEN
            NEW.enrolled_at := now();
            NEW.removed_at := NULL;
        ELSE
            NEW.removed_at := coalesce(OLD.removed_at, now());
        END IF;
        RETURN NEW;
    END """,
    ),
    _Trigger(
        "people_bootstrap",
        "date_bootstrap",
        "BEFORE INSERT",
        "muniment_date_bootstrap",
        """
    BEGIN
        IF current_user LIKE 'muniment\\_%' AND current_user <> 'muniment_owner' THEN
            NEW.finished_at := now();
        END IF;
        RETURN NEW;
    END """,
    ),
    _Trigger(  # an erasure makes a password unusable ("!..."): the eraser, taken over, signs in as and renames nobody
        "people_person",
        "guard_password",
        "BEFORE UPDATE",
        "muniment_guard_password",
        """
    BEGIN
        IF current_user = 'muniment_eraser' AND NEW.password <> OLD.password AND left(NEW.password, 1) <> '!' THEN
            RAISE EXCEPTION 'the eraser sets no password' USING ERRCODE = 'insufficient_privilege';
        END IF;
        IF current_user = 'muniment_eraser' AND (NEW.slug, NEW.name, NEW.email)
                IS DISTINCT FROM (OLD.slug, OLD.name, OLD.email)
            AND (OLD.active OR left(NEW.slug, 7) <> 'erased-' OR NEW.email IS NOT NULL) THEN
            RAISE EXCEPTION 'the eraser renames nobody' USING ERRCODE = 'insufficient_privilege';
        END IF;
        RETURN NEW;
    END """,
    ),
    _Trigger(  # a pusher that is erased is unknown, which denies; the eraser, taken over, names no other
        "connections_firstpush",
        "guard_first_push",
        "BEFORE UPDATE",
        "muniment_guard_first_push",
        """
    BEGIN
        IF current_user = 'muniment_eraser'
            AND (NEW.account_id, NEW.login, NEW.machine) IS DISTINCT FROM ('', '', false)
            AND (NEW.account_id, NEW.login, NEW.machine) IS DISTINCT FROM (OLD.account_id, OLD.login, OLD.machine) THEN
            RAISE EXCEPTION 'the eraser names nobody' USING ERRCODE = 'insufficient_privilege';
        END IF;
        RETURN NEW;
    END """,
    ),
    _Trigger(  # an open incident denies, whoever has the eraser's login
        "incidents_incident",
        "guard_incident",
        "BEFORE DELETE",
        "muniment_guard_incident",
        """
    BEGIN
        IF current_user = 'muniment_eraser' AND OLD.closed_at IS NULL THEN
            RAISE EXCEPTION 'an open incident is not deleted' USING ERRCODE = 'insufficient_privilege';
        END IF;
        RETURN OLD;
    END """,
    ),
    _Trigger(  # a statement that blocks an open change does so until it is withdrawn
        "connections_reviewstatement",
        "guard_statement",
        "BEFORE DELETE",
        "muniment_guard_statement",
        """
    BEGIN
        IF current_user = 'muniment_eraser' AND EXISTS (
                SELECT FROM public.changes_change c WHERE c.id = OLD.change_id AND c.state = 'open') THEN
            RAISE EXCEPTION 'a statement on an open change is not deleted' USING ERRCODE = 'insufficient_privilege';
        END IF;
        RETURN OLD;
    END """,
    ),
)

_SHOW = "muniment_show_request"
_SHOW_BODY = """
    SELECT json_build_object(
        'number', r.id, 'act', r.act, 'shown', r.shown, 'requester', r.requester_id, 'signer_name', p.name,
        'waiting', r.state = 'waiting', 'keys', coalesce((
            SELECT json_agg(json_build_object(
                'id', a.id, 'kind', a.kind, 'identifier', a.identifier, 'public_key', a.public_key) ORDER BY a.id)
            FROM public.people_enrolledauthenticator a WHERE a.person_id = p.id AND a.removed_at IS NULL), '[]'))
    FROM public.requests_request r, public.people_person p
    WHERE r.internal_id = $1 AND p.id = $2 AND p.active
"""  # as its owner: the confirmation process reads no table, and nothing of which it does not have the random id
_SHOW_MINUTES = "muniment_show_minutes"
_SHOW_MINUTES_BODY = """
    SELECT json_build_object(
        'number', m.id, 'meeting', g.id, 'kind', g.kind, 'product', q.name, 'text', m.text, 'digest', m.digest,
        'signer_name', p.name,
        'roles', coalesce((
            SELECT json_agg(s.role ORDER BY s.id)
            FROM public.meetings_meetingattendee s WHERE s.meeting_id = g.id AND s.person_id = p.id), '[]'),
        'names', coalesce((
            SELECT json_object_agg(n.id, n.name) FROM public.people_person n WHERE n.id IN (
                SELECT s.person_id FROM public.meetings_meetingattendee s WHERE s.meeting_id = g.id
                UNION SELECT e.author_id FROM public.minutes_minutesentry e WHERE e.meeting_id = g.id
                UNION SELECT e.owner_id FROM public.minutes_minutesentry e WHERE e.meeting_id = g.id)), '{}'),
        'keys', coalesce((
            SELECT json_agg(json_build_object(
                'id', a.id, 'kind', a.kind, 'identifier', a.identifier, 'public_key', a.public_key) ORDER BY a.id)
            FROM public.people_enrolledauthenticator a WHERE a.person_id = p.id AND a.removed_at IS NULL), '[]'))
    FROM public.minutes_minutes m
    JOIN public.meetings_productmeeting g ON g.id = m.meeting_id
    JOIN public.products_product q ON q.id = g.product_id, public.people_person p
    WHERE m.internal_id = $1 AND m.closed_at IS NOT NULL AND p.id = $2 AND p.active
"""
_SHOW_FUNCTIONS = {_SHOW: _SHOW_BODY, _SHOW_MINUTES: _SHOW_MINUTES_BODY}


def find_missing_statements(cursor: CursorWrapper, tables: frozenset[str]) -> Iterator[sql.Composable]:
    """Statements that bring policies and triggers up to date; none if they are, since each locks the table."""
    if not {_RECORDS, _POSITIONS} <= tables:
        return
    cursor.execute("SELECT policyname FROM pg_policies WHERE schemaname = 'public' AND tablename = %s", [_RECORDS])
    found = {row[0] for row in cursor.fetchall()}
    wanted = dict(_build_policies())
    for name in sorted(found - set(wanted)):
        yield sql.SQL("DROP POLICY {} ON {}").format(sql.Identifier(name), sql.Identifier(_RECORDS))
    for name in sorted(set(wanted) - found):
        yield wanted[name]
    cursor.execute("SELECT relrowsecurity FROM pg_class WHERE oid = %s::regclass", [_RECORDS])
    if cursor.fetchone() != (True,):
        yield sql.SQL("ALTER TABLE {} ENABLE ROW LEVEL SECURITY").format(sql.Identifier(_RECORDS))
    for trigger in _TRIGGERS:
        yield from _find_missing_trigger(cursor, trigger)
    for name, body in _SHOW_FUNCTIONS.items():
        cursor.execute("SELECT prosrc, prosecdef FROM pg_proc WHERE proname = %s", [name])
        if cursor.fetchall() != [(body, True)]:
            yield sql.SQL(
                "CREATE OR REPLACE FUNCTION {}(text, text) RETURNS json LANGUAGE sql STABLE SECURITY DEFINER"
                " SET search_path = pg_catalog, pg_temp AS {}"
            ).format(sql.Identifier(name), sql.Literal(body))


def revoke_functions(tables: frozenset[str]) -> Iterator[sql.Composable]:
    """Statements after which no process can create a trigger with a function that runs as the owner."""
    if not {_RECORDS, _POSITIONS} <= tables:
        return
    roles = sql.SQL(", ").join(map(sql.Identifier, PROCESSES))
    for trigger in _TRIGGERS:
        yield sql.SQL("REVOKE ALL ON FUNCTION {}() FROM PUBLIC, {}").format(sql.Identifier(trigger.function), roles)
    reader = sql.Identifier(CONFIRMATION)
    for name in map(sql.Identifier, _SHOW_FUNCTIONS):
        yield sql.SQL("REVOKE ALL ON FUNCTION {}(text, text) FROM PUBLIC, {}").format(name, roles)
        yield sql.SQL("GRANT EXECUTE ON FUNCTION {}(text, text) TO {}").format(name, reader)


def _find_missing_trigger(cursor: CursorWrapper, trigger: _Trigger) -> Iterator[sql.Composable]:
    table, function = sql.Identifier(trigger.table), sql.Identifier(trigger.function)
    cursor.execute("SELECT prosrc, prosecdef FROM pg_proc WHERE proname = %s", [trigger.function])
    if cursor.fetchall() != [(trigger.body, trigger.definer)]:
        security = sql.SQL("SECURITY DEFINER" if trigger.definer else "SECURITY INVOKER")
        yield sql.SQL(
            "CREATE OR REPLACE FUNCTION {}() RETURNS trigger LANGUAGE plpgsql {}"
            " SET search_path = pg_catalog, pg_temp AS {}"
        ).format(function, security, sql.Literal(trigger.body))
    cursor.execute(
        "SELECT tgenabled FROM pg_trigger WHERE tgname = %s AND tgrelid = %s::regclass", [trigger.name, trigger.table]
    )
    if cursor.fetchone() != ("O",):
        yield sql.SQL("DROP TRIGGER IF EXISTS {} ON {}").format(sql.Identifier(trigger.name), table)
        yield sql.SQL("CREATE TRIGGER {} {} ON {} FOR EACH ROW EXECUTE FUNCTION {}()").format(
            sql.Identifier(trigger.name), sql.SQL(trigger.when), table, function
        )


def _build_policies() -> Iterator[tuple[str, sql.Composed]]:
    """(name, statement) of each policy. A name has a digest of its kinds, so that another list is another policy."""
    readers = sql.SQL(", ").join(map(sql.Identifier, PROCESSES))
    table = sql.Identifier(_RECORDS)
    yield (
        _READ_ALL,
        sql.SQL("CREATE POLICY {} ON {} FOR SELECT TO {} USING (true)").format(
            sql.Identifier(_READ_ALL), table, readers
        ),
    )
    for writer in Writer:
        kinds, role = list_kinds(writer), f"{ROLE_PREFIX}{writer}"
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
