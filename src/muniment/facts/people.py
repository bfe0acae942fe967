"""People: persons and machines, and the accounts that are linked to each.

An identity is a string with its kind in front: `email:ada@example.test`, `login:github/ada-gh`,
`key:ssh-ed25519 AAAA...`, `person:ada`, `machine:update-bot`. Only an exact entry links one to a person or machine;
nothing is guessed from a name. `forge:github` is a forge itself, in a commit of its own whose signature it verified.
"""

from collections import Counter
from collections.abc import Iterable
from functools import cached_property
from typing import NamedTuple

from msgspec import Struct

from muniment.facts import canonical

SECURITY = "security"
FORGE_ACCOUNT = "forge"  # the kind of a forge's own identity


class Person(Struct, frozen=True, tag="person"):
    """Human being. `write_access` are patterns of repository names that this person may write to.

    `id` never changes. `handle` is what people type for it, and can change; "" where people type the id itself.
    `unconfirmed` are identities whose link to this person waits for a second person. They are in none of the other
    fields, so nothing that counts is found by them: their acts count as those of an unknown person. The person is a
    contributor to it all the same.
    """

    id: str
    name: str
    emails: tuple[str, ...]
    keys: tuple[str, ...]
    accounts: tuple[str, ...]
    roles: tuple[str, ...]
    active: bool
    write_access: tuple[str, ...]
    handle: str = ""
    unconfirmed: tuple[str, ...] = ()

    @property
    def unconfirmed_keys(self) -> tuple[str, ...]:
        """Keys among the unconfirmed identities."""
        return tuple(one.removeprefix("key:") for one in self.unconfirmed if one.startswith("key:"))


class Machine(Struct, frozen=True, tag="machine"):
    """Bot. `needs_requester`: people ask it to write (a coding agent), so each of its commits must name its
    requester.
    """

    id: str
    emails: tuple[str, ...]
    keys: tuple[str, ...]
    accounts: tuple[str, ...]
    needs_requester: bool


class SaltedHolder(Struct, frozen=True):
    """Person or machine as an object of the store: erased alone; its salt keeps guesses from being confirmed."""

    holder: Person | Machine
    salt: str


class PeopleList(Struct, frozen=True):
    """Digests of the objects (SaltedHolder) of everybody whom a fact about people names, in its order."""

    objects: tuple[str, ...]


class People(Struct, frozen=True, dict=True):
    """Everybody that an installation knows. Two entries never share an identity: the reader refuses that.

    `erased` are digests of stored objects that were erased, in a fact that is read again: an identity or id that is not
    among the others may be that of an erased person.
    """

    persons: tuple[Person, ...]
    machines: tuple[Machine, ...]
    erased: tuple[str, ...] = ()

    @cached_property
    def digest(self) -> str:
        """Digest of all people: the reference of a fact whose people are stored nowhere."""
        return canonical.digest_value(self)

    @cached_property
    def content_digests(self) -> tuple[str, ...]:
        """Digest of each of `holders` without a salt, by which a store finds their objects."""
        return tuple(canonical.digest_value(holder) for holder in self.holders)

    @property
    def holders(self) -> tuple[Person | Machine, ...]:
        """Persons, then machines: all that have identities."""
        return (*self.persons, *self.machines)

    @cached_property
    def security_officers(self) -> tuple[Person, ...]:
        """Active persons with the security role."""
        return tuple(person for person in self.persons if person.active and SECURITY in person.roles)

    @cached_property
    def by_id(self) -> dict[str, Person]:
        """Persons by their id."""
        return {person.id: person for person in self.persons}

    @cached_property
    def by_handle(self) -> dict[str, Person]:
        """Persons by the name that people type for them: in commands, refs and statements."""
        return {person.handle or person.id: person for person in self.persons}

    @cached_property
    def labels(self) -> dict[str, str]:
        """Name of each person in sentences, by id: the name, with the handle where two share it; else the typed id."""
        names = Counter(person.name for person in self.persons)
        return {
            person.id: (person.name if names[person.name] == 1 else f"{person.name} ({person.handle})")
            if person.handle
            else person.id
            for person in self.persons
        }

    @cached_property
    def by_identity(self) -> dict[str, Person | Machine]:
        """Persons and machines by every identity that is linked to them."""
        return {identity: holder for holder in self.holders for identity in list_identities(holder)}

    @cached_property
    def by_unconfirmed(self) -> dict[str, Person]:
        """Persons by every identity whose link to them waits for a second person."""
        return {identity: person for person in self.persons for identity in person.unconfirmed}


def list_identities(holder: Person | Machine) -> tuple[str, ...]:
    """List every identity that is linked to a person or a machine."""
    own = f"person:{holder.id}" if isinstance(holder, Person) else f"machine:{holder.id}"
    return (
        own,
        *(email_identity(email) for email in holder.emails),
        *(f"key:{key}" for key in holder.keys),
        *(f"login:{account}" for account in holder.accounts),
    )


class SharedIdentity(NamedTuple):
    """Identity of two entries: `entry` counts from 0 and is the later one, `other` is the id of the earlier one.

    An id that two entries have is the identity `id:...`.
    """

    entry: int
    identity: str
    other: str


def find_shared_identity(entries: Iterable[Person | Machine]) -> SharedIdentity | None:
    """Find the first id, address, key or account that two entries share: its holder would be unknown."""
    owners: dict[str, tuple[int, str]] = {}
    for number, entry in enumerate(entries):
        for identity in (f"id:{entry.id}", *list_identities(entry)):
            first, other = owners.setdefault(_comparison_key(identity), (number, entry.id))
            if first != number:
                return SharedIdentity(number, identity, other)
    return None


def _comparison_key(identity: str) -> str:
    """Key of an identity for comparison. Logins that differ in case are one account on every forge that we know."""
    return identity.casefold() if identity.startswith("login:") else identity


def email_identity(address: str) -> str:
    """Identity of an e-mail address. Case is folded: no mail system in use tells `Ada@` from `ada@`."""
    return f"email:{address.strip().casefold()}"
