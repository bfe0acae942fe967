"""Plans the people of a company's file: who is added, which accounts are linked, which roles are granted."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from django.utils.translation import gettext as _

from muniment.access.roles import Role
from muniment.errors import RefusedError
from muniment.server.organisations.company_file import WantedPerson
from muniment.server.organisations.people_acts import MOST_PEOPLE, ImportedPerson, ImportPeople, format_person_lines
from muniment.server.organisations.planned_acts import PlannedAct
from muniment.server.people.account_acts import MOST_AT_ONCE, ConfirmAccounts, ImportAccounts
from muniment.server.people.account_values import read_account_value
from muniment.server.people.models import Account, Person, RoleGrant, build_in_force_condition
from muniment.server.people.person_acts import ChangePerson
from muniment.server.people.role_acts import GrantRole, is_changing_role
from muniment.server.people.role_import_acts import MOST_GRANTS, GrantRoles
from muniment.server.requests.models import Request
from muniment.server.requests.registry import decode_stored_act

_MOST_CHARACTERS = 90_000  # of the accounts that one act imports


class _AccountLine(NamedTuple):
    handle: str
    kind: str
    value: str

    def __str__(self) -> str:
        return " ".join(self)


class _Waiting(NamedTuple):
    """Accounts and grants for which a request waits: (person, role, product) by internal id."""

    accounts: frozenset[int]
    grants: frozenset[tuple[str, str, str]]


def plan_people(wanted: Sequence[WantedPerson]) -> Iterator[PlannedAct]:
    """Acts on people. Raises RefusedError for an account that belongs to somebody else."""
    rows = Person.objects.filter(slug__in=[one.handle for one in wanted])
    found = {row.slug: row for row in rows}
    new = [ImportedPerson(one.handle, one.name, one.email) for one in wanted if one.handle not in found]
    for at in range(0, len(new), MOST_PEOPLE):
        part = tuple(new[at : at + MOST_PEOPLE])
        lines = tuple(_("add %(name)s (%(handle)s)") % {"name": one.name, "handle": one.handle} for one in part)
        yield PlannedAct(ImportPeople, {"people": format_person_lines(part)}, lines)
    for one in wanted:
        row = found.get(one.handle)
        if row is not None and (row.name, row.email or "") != (one.name, one.email or row.email or ""):
            fields = {"person": one.handle, "name": one.name, "email": one.email or row.email or ""}
            text = _("change the name or address of %(handle)s") % {"handle": one.handle}
            yield PlannedAct(ChangePerson, fields, (text,))
    waiting = _read_waiting()
    yield from _plan_accounts(wanted, found, waiting)
    yield from _plan_roles(wanted, found, waiting)


def _read_waiting() -> _Waiting:
    accounts: set[int] = set()
    grants: set[tuple[str, str, str]] = set()
    for row in Request.objects.filter(state=Request.State.WAITING):
        act = decode_stored_act(row.act, row.digest)
        if isinstance(act, ConfirmAccounts):
            accounts.update(map(int, act.accounts.split()))
        listed = tuple(act.list_grants()) if isinstance(act, GrantRoles) else (act,)
        grants.update((one.person, one.role.value, one.product) for one in listed if isinstance(one, GrantRole))
    return _Waiting(frozenset(accounts), frozenset(grants))


def _plan_accounts(wanted: Sequence[WantedPerson], found: dict[str, Person], waiting: _Waiting) -> Iterator[PlannedAct]:
    """Import the accounts that nobody has; one request then confirms all of them. Of those that were imported before
    and that no request names any more, request the confirmation again.
    """
    new, unconfirmed = _compare_accounts(wanted, found)
    part: list[_AccountLine] = []
    for line in new:
        if len(part) == MOST_AT_ONCE or sum(len(str(one)) + 1 for one in (*part, line)) > _MOST_CHARACTERS:
            yield _plan_import(part)
            part = []
        part.append(line)
    if part:
        yield _plan_import(part)
    numbers = [number for number in unconfirmed if number not in waiting.accounts]
    for at in range(0, len(numbers), MOST_AT_ONCE):
        some = numbers[at : at + MOST_AT_ONCE]
        text = _("request the confirmation of %(number)d accounts") % {"number": len(some)}
        yield PlannedAct(ConfirmAccounts, {"accounts": " ".join(map(str, some))}, (text,), may_wait=True)


def _compare_accounts(wanted: Sequence[WantedPerson], found: dict[str, Person]) -> tuple[list[_AccountLine], list[int]]:
    """Accounts that nobody has, and the numbers of those that a second person has not confirmed."""
    lines = [_read_account(one.handle, account) for one in wanted for account in one.accounts]
    hashes = {Account.hash_identity(line.kind, line.value): line for line in lines}
    rows = {row.identity_hash: row for row in Account.objects.filter(identity_hash__in=list(hashes))}
    new: list[_AccountLine] = []
    unconfirmed: list[int] = []
    for identity, line in hashes.items():
        row, person = rows.get(identity), found.get(line.handle)
        if row is None:
            new.append(line)
        elif person is None or row.person_id != person.pk:
            raise RefusedError(
                "account-taken",
                _("The account %(value)s belongs to somebody else than %(handle)s.")
                % {"value": line.value[:80], "handle": line.handle},
                _("Unlink it on the page of its person, or remove it from the file."),
            )
        elif not row.counts:
            unconfirmed.append(row.pk)
    return new, unconfirmed


def _read_account(handle: str, account: str) -> _AccountLine:
    kind, value = account.split(None, 1)
    if kind not in Account.Kind.values:
        raise RefusedError(
            "no-account",
            _("%(account)s names no account of %(handle)s.") % {"account": account[:80], "handle": handle},
            _("Write email, key or login, then the value, such as: login github/ada"),
        )
    return _AccountLine(handle, kind, read_account_value(kind, value, "accounts"))


def _plan_import(part: Sequence[_AccountLine]) -> PlannedAct:
    lines = tuple(
        _("link the %(kind)s %(value)s to %(handle)s; one request confirms all of them")
        % {"kind": Account.Kind(one.kind).label, "value": one.value[:80], "handle": one.handle}
        for one in part
    )
    return PlannedAct(ImportAccounts, {"accounts": "\n".join(map(str, part))}, lines, may_wait=True)


def _plan_roles(wanted: Sequence[WantedPerson], found: dict[str, Person], waiting: _Waiting) -> Iterator[PlannedAct]:
    rows = RoleGrant.objects.filter(build_in_force_condition(), person__in=[row.pk for row in found.values()])
    held = {(person, role, slug or "") for person, role, slug in rows.values_list("person", "role", "product__slug")}
    missing = [
        (one.handle, role, product)
        for one in wanted
        for role, _colon, product in (given.partition(":") for given in dict.fromkeys(one.roles))
        if one.handle not in found or (found[one.handle].pk, role, product) not in held | waiting.grants
    ]
    for at in range(0, len(missing), MOST_GRANTS):
        part = missing[at : at + MOST_GRANTS]
        grants = "\n".join(" ".join(one).strip() for one in part)
        waits = any(is_changing_role(Role(role)) for _handle, role, _product in part)
        yield PlannedAct(GrantRoles, {"grants": grants}, tuple(map(_describe_grant, part)), may_wait=waits)


def _describe_grant(grant: tuple[str, str, str]) -> str:
    details = dict(zip(("handle", "role", "product"), grant, strict=True))
    if details["product"]:
        return _("grant %(handle)s the role %(role)s for the product %(product)s") % details
    return _("grant %(handle)s the role %(role)s") % details
