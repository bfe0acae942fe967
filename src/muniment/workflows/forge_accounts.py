"""Accounts of a repository at a forge, for a draft of people.toml: who may write, and who took part in changes."""

from typing import NamedTuple

from muniment.errors import ForgeCode, ForgeError
from muniment.facts.maybe import Known
from muniment.forges.forge import Forge
from muniment.forges.shapes import Account, ChangeState, ForgeRepository
from muniment.policy.people_draft import DraftAccount

_MOST_ASKED = 50  # accounts about which a forge without a list of writers is asked one by one


class FoundAccounts(NamedTuple):
    """Accounts of a repository. `unread`: why it is unknown who may write, "" if it is known."""

    accounts: tuple[DraftAccount, ...]
    unread: str = ""


def list_forge_accounts(forge: Forge, repository: ForgeRepository, since: str) -> FoundAccounts:
    """Accounts that may write, and those that opened or merged a change at or after the moment `since`.

    Raises ForgeError if the changes cannot be read.
    """
    taken_part: dict[str, Account] = {}
    for change in forge.reader.list_changes(repository, ChangeState.MERGED, since):
        for account in (change.opener, *([change.merged_by.value] if isinstance(change.merged_by, Known) else [])):
            if account.id and account.login:
                taken_part.setdefault(account.id, account)
    writers: dict[str, Account] = {}
    unread = ""
    try:
        writers = {account.id: account for account in forge.reader.list_writer_accounts(repository)}
    except ForgeError as error:
        if error.code is ForgeCode.UNSUPPORTED:
            writers, unread = _ask_one_by_one(forge, repository, taken_part)
        else:
            unread = error.message
    return FoundAccounts(
        tuple(
            DraftAccount(account.id, account.login, machine=account.machine, writes=account.id in writers)
            for account in {**taken_part, **writers}.values()
        ),
        unread,
    )


def _ask_one_by_one(
    forge: Forge, repository: ForgeRepository, accounts: dict[str, Account]
) -> tuple[dict[str, Account], str]:
    found: dict[str, Account] = {}
    for account in list(accounts.values())[:_MOST_ASKED]:
        try:
            if forge.reader.can_write(repository, account):
                found[account.id] = account
        except ForgeError as error:
            return found, error.message
    return found, ""
