"""Keeps which account at a forge a login is: first seen, it stays that one, though the name may become another's."""

from collections.abc import Iterable

from django.db import IntegrityError, transaction

from muniment.forges.shapes import Account as AtForge
from muniment.server.connections.models import Connection
from muniment.server.people.models import Account, ForgeAccount


def note(connection: Connection, accounts: Iterable[AtForge]) -> None:
    """Keep the ids of accounts whose logins belong to somebody here, and of which no id is known yet.

    An id that somebody has already is nobody else's: whoever has the login then belongs to neither.
    """
    found = {_same(connection, account.login): account for account in accounts if account.id and account.login}
    for row in Account.objects.filter(identity_hash__in=list(found), forge_account=None):
        number = found[row.identity_hash].id
        if Account.objects.filter(identity_hash=_same(connection, f"#{number}")).exists():
            continue
        try:
            with transaction.atomic():
                ForgeAccount.objects.create(account=row, forge=connection.slug, number=number)
        except IntegrityError:
            continue


def _same(connection: Connection, login: str) -> str:
    return Account.hash_identity(Account.Kind.LOGIN, f"{connection.slug}/{login}")
