"""Write access by a team of the organisation: newer versions answer "none" about such an account's own permission.

A team gives access to each unit of a repository by itself. Its members are shown only to those who own the organisation
or belong to the team. To others the repository's list of assignees shows the members of all its teams together.
"""

from muniment.errors import ForgeCode, ForgeError
from muniment.forges.forge_client import ForgeClient, malformed_error
from muniment.forges.gitea import wire
from muniment.forges.gitea.client import api_path, convert_account, quote_segment
from muniment.forges.shapes import Account, ForgeRepository
from muniment.forges.shared_answers import read_shared

_ADMINISTERS = ("admin", "owner")  # by such a team, the account's own permission says so
_WRITES = ("write", *_ADMINISTERS)


def can_write_by_team(client: ForgeClient, repository: ForgeRepository, account: Account) -> bool:
    """Whether a team gives an account write access to the code. Raises ForgeError where this cannot be determined."""
    teams = _list_teams(client, repository)
    writing = [team for team in teams if _gives_write_access(team)]
    if not writing or not _is_assignee(client, repository, account):
        return False
    if len(writing) == len(teams):
        return True
    return any(_is_member(client, team, account) for team in writing if team.permission not in _ADMINISTERS)


def _list_teams(client: ForgeClient, repository: ForgeRepository) -> list[wire.Team]:
    """Teams with access to a repository; none for a repository of a user."""
    try:
        where = api_path(repository.path, "teams")
        return read_shared((client, where), lambda: client.read_one(list[wire.Team], where))
    except ForgeError as error:
        if error.code is ForgeCode.REFUSED:  # the repository belongs to no organisation
            return []
        raise


def _gives_write_access(team: wire.Team) -> bool:
    return team.units_map.get("repo.code") in _WRITES or team.permission in _ADMINISTERS


def list_assignees(client: ForgeClient, repository: ForgeRepository) -> tuple[Account, ...]:
    """Accounts that may be assigned: each account with write access may, and some that only read pull requests."""
    where = api_path(repository.path, "assignees")
    rows = read_shared((client, where), lambda: client.read_one(list[wire.User], where))  # whole, in one answer
    return tuple(map(convert_account, rows))


def _is_assignee(client: ForgeClient, repository: ForgeRepository, account: Account) -> bool:
    listed = list_assignees(client, repository)
    if account.id:
        return account.id in {one.id for one in listed}
    return account.login.casefold() in {one.login.casefold() for one in listed}


def _is_member(client: ForgeClient, team: wire.Team, account: Account) -> bool:
    where = f"teams/{team.id}"
    try:
        client.get_json(where)
    except ForgeError as error:
        if error.code not in (ForgeCode.FORBIDDEN, ForgeCode.NOT_FOUND):
            raise
        problem = (
            f"whether {account.login} may write is unknown, because our account may not see the members of the team "
            f"{team.name}: make it an owner of the organisation, or {account.login} a "
            "collaborator of the repository"
        )
        raise ForgeError(ForgeCode.FORBIDDEN, problem, "Give our account the permission that is missing.") from None
    where = f"{where}/members/{quote_segment(account.login)}"
    try:
        found = convert_account(client.read_one(wire.User, where))
    except ForgeError as error:
        if error.code is ForgeCode.NOT_FOUND:
            return False
        raise
    if account.id and found.id != account.id:
        raise malformed_error(where)  # the login has another owner meanwhile
    return True
