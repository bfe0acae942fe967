"""An account at a forge becomes the identity of whoever it belongs to; what is not clear stays nobody's.

People name an account by its login (`gitea/ada`) or, better, by the id that it keeps for good (`gitea/#17`). Logins are
compared without case, as all forges do. An account whose id and login belong to two people belongs to neither, and
neither does one that has but the login of somebody whose id there is another: it took a name that was free.
"""

import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType

from muniment.facts.people import Machine, People, Person, email_identity
from muniment.forges.shapes import Account

_NUMBERED = re.compile(r"email:(?P<id>[0-9]+)(?:\+|-)(?P<login>[^@]+)@(?P<domain>[^@]+)")
_NAMED = re.compile(r"email:(?P<login>[^@+]+)@(?P<domain>[^@]+)")


class Accounts:
    """The accounts of one forge, `name`, among `people`. `noreply` are the domains of its own addresses.

    `numbered`: those addresses carry the account's id (`17+ada@...`), which says whose they are; the login in them is
    anybody's word. `seen` are accounts that the forge itself told of, `proven` the owners of addresses that it proved.
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

    def identity(self, account: Account) -> str:
        """The identity (`facts.people`) of an account; one that people.toml has, or one that it lacks."""
        by_id = self._exact.get(f"login:{self._name}/#{account.id}".casefold()) if account.id else None
        by_login = self._exact.get(f"login:{self._name}/{account.login}".casefold())
        if account.id and by_login and self._is_anothers(by_id, by_login):
            return f"login:{self._name}/#{account.id}/{account.login}"  # a login that changed hands: nobody's
        return by_id or by_login or self._waiting(account) or f"login:{self._name}/{account.login or '#' + account.id}"

    def _is_anothers(self, by_id: str | None, by_login: str) -> bool:
        """Whether a login belongs to somebody whom the account's id does not."""
        holder = self._holder(by_login)
        if by_id is not None:
            return self._holder(by_id) is not holder
        return holder is not None and (type(holder), holder.id) in self._with_id

    def _waiting(self, account: Account) -> str | None:
        """The identity of an account whose link to its owner waits for a second person."""
        by_id = self._unconfirmed.get(f"login:{self._name}/#{account.id}".casefold()) if account.id else None
        return by_id or self._unconfirmed.get(f"login:{self._name}/{account.login}".casefold())

    def unconfirmed_holder(self, account: Account) -> Person | None:
        """To whom it is linked, where that waits for a second person; None for any other."""
        return self._people.by_unconfirmed.get(self.identity(account))

    def has_unconfirmed(self, person: Person) -> bool:
        """Whether a link of an account here to this person waits for a second person."""
        return any(one.casefold().startswith(f"login:{self._name}/".casefold()) for one in person.unconfirmed)

    def holder(self, account: Account) -> Person | Machine | None:
        """Whose it is; None if nobody is known to own it."""
        return self._holder(self.identity(account))

    def of(self, person: Person) -> tuple[Account, ...]:
        """The accounts of a person at this forge, as far as their logins are known."""
        here = f"{self._name}/".casefold()
        named = [account[len(here) :] for account in person.accounts if account.casefold().startswith(here)]
        ids = [name[1:] for name in named if name.startswith("#")]
        logins = [name for name in named if not name.startswith("#")]
        if len(ids) == len(logins) == 1:
            return (self._seen.get(ids[0]) or Account(ids[0], logins[0]),)
        if ids:  # which login is whose id is not known: somebody else may have one of the logins by now
            return tuple(self._seen[id] for id in ids if id in self._seen)
        return tuple(Account("", login) for login in logins)

    def address(self, identity: str) -> str:
        """The identity that an address stands for: a noreply address belongs to the account whose id it carries.

        If nobody is known to own that account, the address is whose people.toml says; of which people.toml says
        nothing, whose the forge says.
        """
        numbered = _NUMBERED.fullmatch(identity)
        if numbered and self._numbered and numbered["domain"] in self._noreply:
            account = self._seen.get(numbered["id"]) or Account(numbered["id"], numbered["login"])
            if self.holder(account) is not None or identity not in self._people.by_identity:
                return self.identity(account)
        if identity in self._people.by_identity:
            return identity
        named = _NAMED.fullmatch(identity)
        if named and named["domain"] in self._noreply:
            return self.identity(Account("", named["login"]))
        return self.identity(self._proven[identity]) if identity in self._proven else identity

    def holder_of(self, identity: str) -> Person | Machine | None:
        """Whose an identity is; None if nobody is known to own it."""
        return self._holder(identity)

    def _holder(self, identity: str) -> Person | Machine | None:
        return self._people.by_identity.get(identity)
