"""Stores the first push of each commit, over all repositories of a connection: an earlier push replaces a later one."""

from collections.abc import Collection, Mapping
from datetime import UTC, datetime

from django.db import transaction
from django.db.models import QuerySet

from muniment.facts.maybe import Known, Maybe, Unknown
from muniment.forges.first_pushes import FirstPush as KnownFirstPush
from muniment.forges.shapes import Account
from muniment.server.connections.models import Connection, FirstPush
from muniment.server.remembered_sql import remember_instances

_AT_ONCE = 1000
_LONG_AGO = datetime.min.replace(tzinfo=UTC)
FORGOTTEN = "who pushed it is not kept any more"


def load_first_pushes(connection: Connection, commits: Collection[str]) -> dict[str, KnownFirstPush]:
    """The stored first push of each commit that has one."""
    rows = _find_pushes(connection.pk, tuple(commits))
    return {row.commit: KnownFirstPush(_read_account(row), row.pushed_at) for row in rows}


@remember_instances
def _find_pushes(connection: int, commits: tuple[str, ...]) -> "QuerySet[FirstPush]":
    return FirstPush.objects.filter(connection=connection, commit__in=commits)


def read_recording_moments(connection: Connection, commits: Collection[str]) -> dict[str, datetime]:
    """When the first push of each commit was stored; commits whose pusher is unknown were stored long ago."""
    rows = FirstPush.objects.filter(connection=connection, commit__in=list(commits))
    return {row.commit: row.recorded_at if row.account_id else _LONG_AGO for row in rows}


def store_first_pushes(connection: Connection, found: Mapping[str, KnownFirstPush]) -> bool:
    """Store first pushes, unless an earlier one of the same commit is stored; whether another pusher was replaced.

    Other processes may store the same commits at the same time, found in another repository: the earliest stays.
    """
    replaced = False
    commits = sorted(found)
    for at in range(0, len(commits), _AT_ONCE):
        with transaction.atomic():
            replaced |= _store_batch(connection, {commit: found[commit] for commit in commits[at : at + _AT_ONCE]})
    return replaced


def erase_pusher_accounts(rows: "QuerySet[FirstPush]") -> int:
    """Erase the accounts of rows; their number. The rows stay: without one, a later push would seem to be the first."""
    known = rows.exclude(account_id="")
    return known.update(account_id="", login="", machine=False, unknown_reason=FORGOTTEN)


def _store_batch(connection: Connection, found: Mapping[str, KnownFirstPush]) -> bool:
    # What is stored meanwhile is waited for by the insert, and so among the rows that are read after it.
    new = [FirstPush(connection=connection, commit=commit, **_column_values(push)) for commit, push in found.items()]
    FirstPush.objects.bulk_create(new, ignore_conflicts=True)
    # Locked in the order of their ids: two processes that store the same commits would else wait for each other.
    rows = (
        FirstPush.objects.select_for_update().filter(connection=connection, commit__in=list(found)).order_by("commit")
    )
    known = {row.commit: row for row in rows}
    later = [row for commit, row in known.items() if found[commit].at < row.pushed_at]
    replaced = any(_read_account(row) != found[row.commit].who for row in later)
    for row in later:
        for name, value in _column_values(found[row.commit]).items():
            setattr(row, name, value)
    FirstPush.objects.bulk_update(later, ["pushed_at", "account_id", "login", "machine", "unknown_reason"])
    return replaced


def _column_values(push: KnownFirstPush) -> dict[str, str | bool]:
    values: dict[str, str | bool]
    if isinstance(push.who, Unknown):
        values = {"account_id": "", "login": "", "machine": False, "unknown_reason": push.who.reason}
    else:
        by = push.who.value
        values = {"account_id": by.id, "login": by.login, "machine": by.machine, "unknown_reason": ""}
    return {**values, "pushed_at": push.at}


def _read_account(row: FirstPush) -> Maybe[Account]:
    if not row.account_id:
        return Unknown(row.unknown_reason or FORGOTTEN)
    return Known(Account(row.account_id, row.login, row.machine))
