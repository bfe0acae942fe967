"""Erases a person: first their own rows, then everything that names them, until nothing more is found.

The person's row becomes nameless first. A transaction that ran while a trace was still there may have read the name,
and write it again: the search goes on until each has ended that ran when the newest trace was erased. The last step
searches everything once more.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount
from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.contrib.auth.hashers import make_password
from django.contrib.sessions.models import Session
from django.db import connection, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from muniment.access.actions import Action
from muniment.access.roles import Role
from muniment.errors import RefusedError
from muniment.facts.people import Person as KnownPerson
from muniment.ledger import record_kinds, record_objects
from muniment.server import moments
from muniment.server.guarding.database_passwords import find_password_file
from muniment.server.guarding.database_roles import ERASER
from muniment.server.people.messages import find_role_holders, notify_people
from muniment.server.people.models import (
    Account,
    AccountNotice,
    AccountVerification,
    ApiToken,
    EnrolledAuthenticator,
    ForgeAccount,
    FormerHandle,
    Invitation,
    Message,
    PendingErasure,
    Person,
    RoleGrant,
    SignInState,
    new_person_id,
)
from muniment.server.people.personal_traces import PersonalTrace, find_traces
from muniment.server.people.privacy import NAMELESS, REASON, compile_name_pattern, erase_texts, load_known_person
from muniment.server.people.session_store import read_session_content
from muniment.server.people.waiting_requests import waiting_requests
from muniment.server.records import row_checks
from muniment.server.records.erasure_lists import add_erasures, read_erasures
from muniment.server.records.installation import open_store
from muniment.server.records.models import Record, RowState
from muniment.server.records.record_details import read_details
from muniment.server.records.record_writing import action_code, recording_erasure
from muniment.server.records.recorded_acts import make_unrecorded_error
from muniment.server.records.recorded_rows import note_rows
from muniment.server.registration import read_contributions
from muniment.store.erasure_list import ErasureLine, make_erasure_line
from muniment.workflows.erase import erase_person_objects as erase_objects
from muniment.workflows.erase import find_person_objects

_NOTHING = "Nothing that was searched names this person any more."
_MISTAKE = "left behind, which is a defect"
_POSSIBLE = (
    "Their handle, login or one-word name also stands here, and may be somebody else's or a word of the language"
)

_MOST_ROUNDS = 20
# Each transaction holds the lock on its virtual id to its end. Everybody may read that, unlike when it began.
_RUNNING = """
    SELECT virtualxid FROM pg_locks JOIN pg_stat_activity USING (pid)
    WHERE locktype = 'virtualxid' AND mode = 'ExclusiveLock' AND datname = current_database()
        AND pid <> pg_backend_pid() ORDER BY virtualxid
"""
_FINISHED_JOBS = """
    DELETE FROM procrastinate_jobs WHERE status IN ('succeeded', 'failed', 'cancelled', 'aborted')
        AND (args::text ~* %s OR lock ~* %s)
"""


def find_approved_erasures() -> tuple[str, ...]:
    """Internal ids of persons whose erasure waits or is under way, as the table says."""
    approved = Person.objects.filter(active=False, legal_hold="", erased_at=None).exclude(erasure_approved_at=None)
    pending = PendingErasure.objects.values_list("person", flat=True)
    return tuple(dict.fromkeys((*pending, *approved.values_list("pk", flat=True))))


def erase_person(number: str) -> None:
    """Erase a person who left, unless a legal hold is placed. If interrupted, run it again. For the eraser.

    Erases only if two people approved it, as the records say. Raises RowsDifferError otherwise.
    """
    pending = PendingErasure.objects.filter(person=number).first()
    if pending is None:
        person = Person.objects.filter(pk=number, active=False, legal_hold="", erased_at=None).first()
        if person is None:
            return
        require_confirmations(person)
        if find_obstacles(load_known_person(person)):
            return  # one came meanwhile, such as a policy: it is changed first
        pending = begin_erasure(person)
        # Only now, after its transaction: one that begins before that has ended may read the name in the row.
        _store_transactions(pending, _list_running())
    known = msgspec.convert(pending.known_as, KnownPerson)
    for _round in range(_MOST_ROUNDS):
        # Before the search: what ends during it may have written after it passed.
        before, left = pending.transactions, _find_running(pending.transactions)
        # Interrupted from here on, nobody knows what ran when the newest trace was erased: all that runs later counts.
        _store_transactions(pending, None)
        if _erase_all_traces(known) or before is None:
            _store_transactions(pending, _list_running())
        elif not left:
            finish_erasure(pending, find_traces(known, Path(settings.HOME)))
            return
        else:
            _store_transactions(pending, left)
            # Returned, not waited for: a transaction can stay open for long, and others wait for their erasure too.
            return  # the search goes on at the next round


def require_confirmations(person: Person) -> None:
    """Raise RowsDifferError unless one person requested the erasure of this one, and another approved it.

    The row of the person says that it was approved, and its newest state is of the act of the second of them. During
    the bootstrap it is one person, marked on the record.
    """
    # The row says that it was approved, and whoever can write rows could write that too: the records decide.
    row_checks.require_recorded(person)
    states = RowState.objects.filter(table=person._meta.db_table, key=person.pk, record__refusal=None)
    newest = states.select_related("record").order_by("-record").first()
    approval = _read_step(newest.record) if newest is not None else None
    if approval is None or person.erasure_approved_at is None:
        raise make_unrecorded_error()
    entry, act = approval
    step, digest = act.details.get("step"), act.details.get("act_digest", "")
    if entry.action != action_code(Action.ERASE_PERSONAL_DATA) or act.resource != f"person:{person.pk}" or not digest:
        raise make_unrecorded_error()
    if step == "performed" and entry.without_second_person:
        return
    requests = waiting_requests().find_records(digest)
    rows = Record.objects.filter(kind="person-action", details_digest__in=requests, refusal=None)
    steps = [found for found in map(_read_step, rows) if found is not None]
    requested = any(
        (one.action, act_details.resource, act_details.details.get("step")) == (entry.action, act.resource, "requested")
        and act_details.details.get("act_digest") == digest
        and act_details.person != act.person
        for one, act_details in steps
    )
    if step != "approved" or not requested:
        raise make_unrecorded_error()


def _read_step(row: Record) -> tuple[record_kinds.PersonActionRecord, record_objects.PersonAction] | None:
    """The record of a step of an act, with its details; None if it is none, or they were erased."""
    entry = record_kinds.decode_record(bytes(row.data), row.pk)
    if not isinstance(entry, record_kinds.PersonActionRecord) or entry.object != row.details_digest:
        return None
    details = read_details(entry.object, record_objects.PersonAction)
    return (entry, details) if isinstance(details, record_objects.PersonAction) else None


def erase_restored_persons(lines: frozenset[ErasureLine]) -> int:
    """Erase again the persons on the list whom a backup brought back; their number.

    For a restore, as the owner of the schema: the eraser may not deactivate anybody, and alone may record an erasure.
    """
    found = [one for one in Person.objects.filter(erased_at=None) if any(line.is_about(one.pk) for line in lines)]
    grants = list(RoleGrant.objects.filter(person__in=found, ended_at=None).values_list("pk", flat=True))
    with transaction.atomic():
        Person.objects.filter(pk__in=[person.pk for person in found]).update(active=False, legal_hold="")
        RoleGrant.objects.filter(pk__in=grants).update(ended_at=timezone.now())
    with _connect_as_eraser():
        add_erasures(lines)
        with transaction.atomic(), recording_erasure(REASON):
            note_rows(RoleGrant, grants)
        for person in found:
            pending = PendingErasure.objects.filter(person=person).first() or begin_erasure(person)
            known = msgspec.convert(pending.known_as, KnownPerson)
            for _round in range(_MOST_ROUNDS):
                if not _erase_all_traces(known):
                    break
            finish_erasure(pending, find_traces(known, Path(settings.HOME)))
    return len(found)


@contextmanager
def _connect_as_eraser() -> Iterator[None]:
    """Connect to the embedded database as the eraser."""
    before = str(connection.settings_dict["USER"])
    _reconnect_as(ERASER)
    try:
        yield
    finally:
        _reconnect_as(before)


def _reconnect_as(role: str) -> None:
    connection.close()
    connection.settings_dict["USER"] = role
    connection.settings_dict["OPTIONS"]["passfile"] = str(find_password_file(Path(settings.HOME).absolute(), role))


def begin_erasure(person: Person) -> PendingErasure:
    """Delete the rows of a person and remove the name from theirs; the names, until the erasure is finished."""
    known = load_known_person(person)
    with transaction.atomic(), recording_erasure(REASON):
        _erase_rows(person)
        return PendingErasure.objects.create(person=person, known_as=msgspec.to_builtins(known))


def finish_erasure(pending: PendingErasure, traces: tuple[PersonalTrace, ...]) -> None:
    """Delete the stored names of the person, and notify the officers of the traces that are left, and why."""
    with transaction.atomic():
        Person.objects.filter(pk=pending.person_id).update(erased_at=timezone.now())
        if not any(line.is_about(pending.person_id) for line in read_erasures()):
            add_erasures(frozenset({make_erasure_line(pending.person_id, moments.current_moment())}))
        pending.delete()
        handle = Person.objects.get(pk=pending.person_id).slug
        text = f"Personal data erased: {handle}. {describe_traces(traces)}"
        notify_people(find_role_holders([Role.DPO], None), text, f"/people/{handle}")


def describe_traces(traces: tuple[PersonalTrace, ...]) -> str:
    """Sentences with the traces that are left, and why; then words that may also be about another person."""
    lines = [f"{one.place} ({one.rows}): {one.reason or _MISTAKE}" for one in traces if one.certain]
    description = f"What still names this person: {'; '.join(lines)}." if lines else _NOTHING
    places = ", ".join(f"{one.place} ({one.rows})" for one in traces if not one.certain)
    return f"{description} {_POSSIBLE}: {places}." if places else description


def refuse_with_obstacles(person: Person) -> None:
    """Raise RefusedError where a policy in use names a person: it cannot be erased, so it is changed first."""
    found = find_obstacles(load_known_person(person))
    if found:
        raise RefusedError(
            "policy-names-person",
            _("A policy in use names %(name)s: %(lines)s") % {"name": person.name, "lines": "; ".join(found)},
            _("Have the security officers apply a policy without the name, then request the erasure again."),
        )


def find_obstacles(known: KnownPerson) -> tuple[str, ...]:
    """The places that name a person, of every app, that cannot be erased as long as they are in use."""
    return tuple(place for app in read_contributions() for find in app.erasure_obstacles for place in find(known))


def read_policies_in_use() -> frozenset[str]:
    """The digests of policies without whose objects something could not be evaluated, or not be explained."""
    policy = open_store().load_policy()
    current = {policy.policy.digest} if policy is not None else set()
    used = {digest for app in read_contributions() for read in app.policies_in_use for digest in read()}
    return frozenset(current | used)


def _erase_rows(person: Person) -> None:
    """Delete the rows of a person, and make theirs nameless."""
    ForgeAccount.objects.filter(account__person=person).delete()
    Account.objects.filter(person=person).delete()
    for number in EnrolledAuthenticator.objects.filter(person=person).values_list("pk", flat=True):
        nothing = {"identifier": f"erased-{number}", "public_key": "", "removed_at": timezone.now()}
        EnrolledAuthenticator.objects.filter(pk=number).update(**nothing)
    FormerHandle.objects.filter(person=person).delete()
    AccountNotice.objects.filter(person=person).delete()
    SignInState.objects.filter(person=person).delete()
    AccountVerification.objects.filter(person=person).delete()
    EmailAddress.objects.filter(user=person).delete()
    SocialAccount.objects.filter(user=person).delete()
    Authenticator.objects.filter(user=person).delete()
    Message.objects.filter(person=person).delete()
    ApiToken.objects.filter(person=person).delete()
    Invitation.objects.filter(person=person).delete()
    nobody = {"slug": f"erased-{new_person_id()}", "name": NAMELESS, "email": None, "password": make_password(None)}
    Person.objects.filter(pk=person.pk).update(**nobody)


def _store_transactions(pending: PendingErasure, transactions: list[str] | None) -> None:
    pending.transactions = transactions
    pending.save(update_fields=["transactions"])


def _find_running(transactions: list[str] | None) -> list[str]:
    """The transactions among these that have not ended."""
    return sorted(set(_list_running()).intersection(transactions or ()))


def _list_running() -> list[str]:
    """Virtual ids of all transactions of others in this database, those that have written nothing so far too."""
    with connection.cursor() as cursor:
        cursor.execute(_RUNNING)
        return [row[0] for row in cursor.fetchall()]


def _erase_all_traces(known: KnownPerson) -> int:
    """Erase every object and text that names a person; in how many places."""
    exempt = read_policies_in_use()
    found = len(find_person_objects(open_store(), known, exempt))
    if found:
        erase_objects(open_store(), known, REASON, moments.current_moment(), exempt)
    words = compile_name_pattern(known)
    found += sum(erase(known, words) for app in read_contributions() for erase in app.text_erasures)
    return found + erase_texts(known) + _delete_copies(known, words)


def _delete_copies(known: KnownPerson, words: re.Pattern[str]) -> int:
    """Delete copies that name a person and are made again where they are needed: sessions, responses, jobs."""
    pattern = words.pattern
    contents = ((row.pk, read_session_content(row.session_data)) for row in Session.objects.iterator())
    sessions = [key for key, content in contents if content is None or _is_session_of(content, known, words)]
    found = Session.objects.filter(pk__in=sessions).delete()[0]
    with connection.cursor() as cursor:
        cursor.execute(_FINISHED_JOBS, [pattern, pattern])
        return found + int(cursor.rowcount)


def _is_session_of(session: dict[str, object], known: KnownPerson, words: re.Pattern[str]) -> bool:
    """Whether a session belongs to a person, or names them."""
    return session.get(SESSION_KEY) == known.id or words.search(str(session)) is not None
