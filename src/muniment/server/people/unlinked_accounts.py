"""Finds the ids at forges of accounts that an act unlinked: another account may have such an id from then on."""

from django.db.models import QuerySet

from muniment.server.people.models import Account, ForgeAccount
from muniment.server.records import row_checks


def find_unlinked_forge_accounts() -> "QuerySet[ForgeAccount]":
    """Rows without an account, whose deletion is recorded. One that was deleted by no act keeps its id."""
    known = Account.objects.values("pk")
    if not ForgeAccount.objects.exclude(account_id__in=known).exists():
        return ForgeAccount.objects.none()
    deleted_by_no_act = [one.key for one in row_checks.find_row_problems((Account,))]
    return ForgeAccount.objects.exclude(account_id__in=known).exclude(account_id__in=deleted_by_no_act)
