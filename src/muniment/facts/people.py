"""Who is who: persons and machines, and which account belongs to whom.

An identity is a string with its kind in front: `email:ada@example.test`, `login:github/ada-gh`,
`key:ssh-ed25519 AAAA...`, `person:ada`, `machine:update-bot`. Only an exact entry maps one to somebody; nothing
is guessed from a name. `forge:github` is a forge itself, in a commit of its own whose signature it verified.
"""

from functools import cached_property

from msgspec import Struct

SECURITY = "security"
FORGE = "forge"  # the kind of a forge's own identity


class Person(Struct, frozen=True):
    """A human being. `writes` are patterns of repository names that this person may write to."""

    id: str
    name: str
    emails: tuple[str, ...]
    keys: tuple[str, ...]
    accounts: tuple[str, ...]
    roles: tuple[str, ...]
    active: bool
    writes: tuple[str, ...]


class Machine(Struct, frozen=True):
    """A bot. `asked`: people ask it to write (a coding agent), so each commit of its must tell who did."""

    id: str
    emails: tuple[str, ...]
    keys: tuple[str, ...]
    accounts: tuple[str, ...]
    asked: bool


class People(Struct, frozen=True, dict=True):
    """Everybody that an installation knows. Two entries never share an identity: the reader refuses that."""

    persons: tuple[Person, ...]
    machines: tuple[Machine, ...]

    @cached_property
    def by_id(self) -> dict[str, Person]:
        """Persons by id."""
        return {person.id: person for person in self.persons}

    @cached_property
    def by_identity(self) -> dict[str, Person | Machine]:
        """Persons and machines by every identity that is theirs."""
        holders: list[Person | Machine] = [*self.persons, *self.machines]
        return {identity: holder for holder in holders for identity in identities(holder)}


def identities(holder: Person | Machine) -> tuple[str, ...]:
    """Every identity that belongs to a person or a machine."""
    own = f"person:{holder.id}" if isinstance(holder, Person) else f"machine:{holder.id}"
    return (
        own,
        *(email_identity(email) for email in holder.emails),
        *(f"key:{key}" for key in holder.keys),
        *(f"login:{account}" for account in holder.accounts),
    )


def email_identity(address: str) -> str:
    """An e-mail address as an identity. Case is folded: no mail system in use tells `Ada@` from `ada@`."""
    return f"email:{address.strip().casefold()}"
