"""Maps accounts of a forge to persons and machines. An ambiguous account belongs to none of them.

People name an account by its login (`gitea/ada`) or, better, by its permanent id (`gitea/#17`). Logins are compared
without case, as all forges do. An account whose id and login belong to two people belongs to neither. The same is true
of an account with only the login of a person whose id there is another: it took a login that was free.
"""

import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType

from muniment.facts.maybe import Known
from muniment.facts.people import Machine, People, Person, email_identity
from muniment.forges.shapes import Account, Reading

_NUMBERED = re.compile(r"email:(?P<id>[0-9]+)(?:\+|-)(?P<login>[^@]+)@(?P<domain>[^@]+)")
_NAMED = re.compile(r"email:(?P<login>[^@+]+)@(?P<domain>[^@]+)")


class Accounts:
    """Accounts of one forge, `name`, and the persons and machines of `people` that they are linked to.

    `noreply`: domains of the forge's own noreply addresses. `numbered`: those addresses carry the account's id
    (`17+ada@...`), which identifies the owner; the login in them can be written by anybody. `seen`: accounts that the
    forge itself returned. `proven`: owners of addresses that the forge verified.
    """

    def __init__(
        self,
        name: str,
        people: People,
        noreply: Iterable[str] = (),
        *,
        numbered: bool = True,
        seen: Iterable[Account] = (),
        proven: Mapping[str, Account] = MappingProxyType({}),
    ) -> None:
        self._name = name
        self._people = people
        self._noreply = {domain.casefold() for domain in noreply}
        self._numbered = numbered
        self._seen = {account.id: account for account in seen if account.id}
        self._proven = {email_identity(address): account for address, account in proven.items()}
        self._exact = {identity.casefold(): identity for identity in people.by_identity}
        ids = (holder for known, holder in people.by_identity.items() if known.startswith(f"login:{name}/#"))
        self._with_id = {(type(holder), holder.id) for holder in ids}
        self._unconfirmed = {identity.casefold(): identity for identity in people.by_unconfirmed}

    def resolve_identity(self, account: Account) -> str:
        """Identity (`facts.people`) of an account: one that people.toml has, or one that is linked to no person."""
        by_id = self._exact.get(f"login:{self._name}/#{account.id}".casefold()) if account.id else None
        by_login = self._exact.get(f"login:{self._name}/{account.login}".casefold())
        if account.id and by_login and self._is_login_of_another(by_id, by_login):
            return f"login:{self._name}/#{account.id}/{account.login}"  # a login that changed hands: nobody's
        return (
            by_id
            or by_login
            or self._find_unconfirmed_identity(account)
            or f"login:{self._name}/{account.login or '#' + account.id}"
        )

    def _is_login_of_another(self, by_id: str | None, by_login: str) -> bool:
        """Whether a login belongs to a person or machine that does not own the account's id."""
        holder = self._find_holder(by_login)
        if by_id is not None:
            return self._find_holder(by_id) is not holder
        return holder is not None and (type(holder), holder.id) in self._with_id

    def _find_unconfirmed_identity(self, account: Account) -> str | None:
        """Identity of an account whose link to its owner waits for a second person."""
        by_id = self._unconfirmed.get(f"login:{self._name}/#{account.id}".casefold()) if account.id else None
        return by_id or self._unconfirmed.get(f"login:{self._name}/{account.login}".casefold())

    def find_unconfirmed_owner(self, account: Account) -> Person | None:
        """Person to whom the account is linked, where a second person has not confirmed the link; else None."""
        return self._people.by_unconfirmed.get(self.resolve_identity(account))

    def has_unconfirmed_account(self, person: Person) -> bool:
        """Whether a link of an account at this forge to this person waits for a second person."""
        return any(one.casefold().startswith(f"login:{self._name}/".casefold()) for one in person.unconfirmed)

    def find_account_owner(self, account: Account) -> Person | Machine | None:
        """Person or machine that owns the account; None if it is linked to neither."""
        return self._find_holder(self.resolve_identity(account))

    def list_accounts_of(self, person: Person) -> tuple[Account, ...]:
        """Accounts of a person at this forge, as far as their logins are known."""
        here = f"{self._name}/".casefold()
        named = [account[len(here) :] for account in person.accounts if account.casefold().startswith(here)]
        ids = [name[1:] for name in named if name.startswith("#")]
        logins = [name for name in named if not name.startswith("#")]
        if len(ids) == len(logins) == 1:
            return (self._seen.get(ids[0]) or Account(ids[0], logins[0]),)
        if ids:  # which login is whose id is not known: somebody else may have one of the logins by now
            return tuple(self._seen[id] for id in ids if id in self._seen)
        return tuple(Account("", login) for login in logins)

    def resolve_address(self, address_identity: str) -> str:
        """Identity that an address stands for: a noreply address belongs to the account whose id it carries.

        If that account has no known owner, people.toml decides; where people.toml does not have the address, the forge.
        """
        numbered = _NUMBERED.fullmatch(address_identity)
        if numbered and self._numbered and numbered["domain"] in self._noreply:
            account = self._seen.get(numbered["id"]) or Account(numbered["id"], numbered["login"])
            if self.find_account_owner(account) is not None or address_identity not in self._people.by_identity:
                return self.resolve_identity(account)
        if address_identity in self._people.by_identity:
            return address_identity
        named = _NAMED.fullmatch(address_identity)
        if named and named["domain"] in self._noreply:
            return self.resolve_identity(Account("", named["login"]))
        return (
            self.resolve_identity(self._proven[address_identity])
            if address_identity in self._proven
            else address_identity
        )

    def find_identity_owner(self, identity: str) -> Person | Machine | None:
        """Person or machine that owns an identity; None if it is linked to neither."""
        return self._find_holder(identity)

    def _find_holder(self, identity: str) -> Person | Machine | None:
        return self._people.by_identity.get(identity)


def list_named_accounts(reading: Reading) -> list[Account]:
    """Every account that a reading names: the forge itself returned their ids and logins."""
    found = [reading.change.opener]
    found += reading.addresses.value.values() if isinstance(reading.addresses, Known) else ()
    if isinstance(reading.change.merged_by, Known):
        found.append(reading.change.merged_by.value)
    for review in reading.reviews.value if isinstance(reading.reviews, Known) else ():
        found.append(review.by)
    for move in reading.moves.value if isinstance(reading.moves, Known) else ():
        if isinstance(move.who, Known):
            found.append(move.who.value)
    return found
