"""Stores the permanent id of each login at a forge: first seen, it stays, though the login may become another's."""

from collections.abc import Iterable, Sequence

from django.db import IntegrityError, transaction
from django.db import connection as database

from muniment.forges.shapes import Account as AtForge
from muniment.forges.shared_answers import read_shared
from muniment.server.connections.models import Connection
from muniment.server.people.models import Account, ForgeAccount, ForgeMachine
from muniment.server.people.unlinked_accounts import find_unlinked_forge_accounts

_MOST_MACHINES = 200  # proposals of one forge: whoever may open a change there could make more
_WITHOUT_NUMBER = """
    SELECT account.id FROM people_account AS account
        LEFT JOIN people_forgeaccount AS known ON known.account_id = account.id
    WHERE account.identity_hash = ANY (%s) AND known.id IS NULL
"""
_GHOST = "ghost"  # whom a forge shows in place of somebody who was deleted


def store_account_ids(connection: Connection, accounts: Iterable[AtForge]) -> None:
    """Store the ids of accounts whose logins are linked to somebody here, and of which no id is known yet.

    An id that is linked already is not linked again: the present owner of the login then is neither. An account that
    the forge calls a machine, and nobody declared one, is stored as a proposal.
    """
    accounts = list(accounts)
    _propose_machines(connection, [one for one in accounts if one.machine and one.id and one.login])
    found = {_hash_login(connection, account.login): account for account in accounts if account.id and account.login}
    identities = tuple(sorted(found))
    new = read_shared(("accounts without number", identities), lambda: _find_accounts_without_number(identities))
    for row in Account.objects.filter(pk__in=new) if new else ():
        number = found[row.identity_hash].id
        if Account.objects.filter(identity_hash=_hash_login(connection, f"#{number}")).exists():
            continue
        find_unlinked_forge_accounts().filter(forge=connection.slug, number=number).delete()
        try:
            with transaction.atomic():
                ForgeAccount.objects.create(account=row, forge=connection.slug, number=number)
        except IntegrityError:
            continue


def _find_accounts_without_number(identities: tuple[str, ...]) -> list[int]:
    with database.cursor() as cursor:  # for each evaluation, and there is hardly ever one: without models
        cursor.execute(_WITHOUT_NUMBER, [list(identities)])
        return [key for (key,) in cursor.fetchall()]


def _propose_machines(connection: Connection, accounts: Sequence[AtForge]) -> None:
    new = {one.id: one for one in accounts if one.id != connection.account_id and one.login.casefold() != _GHOST}
    there = ForgeMachine.objects.filter(forge=connection.slug)
    for number in there.filter(number__in=list(new)).values_list("number", flat=True):
        del new[number]
    if not new:
        return
    same = {_hash_login(connection, name): one.id for one in new.values() for name in (one.login, f"#{one.id}")}
    for identity in Account.objects.filter(identity_hash__in=list(same)).values_list("identity_hash", flat=True):
        new.pop(same[identity], None)
    left = max(0, _MOST_MACHINES - there.count())
    rows = [ForgeMachine(forge=connection.slug, number=one.id, login=one.login[:300]) for one in new.values()]
    ForgeMachine.objects.bulk_create(rows[:left], ignore_conflicts=True)


def _hash_login(connection: Connection, login: str) -> str:
    return Account.hash_identity(Account.Kind.LOGIN, f"{connection.slug}/{login}")
