"""people.toml, read strictly into People: who is who, and no identity that two share."""

import re
from collections.abc import Sequence
from functools import lru_cache

from muniment.errors import ConfigurationError, ParseError, PeopleError
from muniment.facts.people import Machine, People, Person, find_shared_identity
from muniment.policy.keys import parse_key
from muniment.policy.reading import Document, Table, shown

ROLES = (
    *("developer", "security", "dpo", "analyst", "stakeholder"),
    *("owner", "auditor", "management", "admin"),
)
# Ids are parts of ref names, so what git forbids there is forbidden here (git-check-ref-format).
ID = r"(?!.*\.\.)(?!.*\.lock$)[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9_-])?"

_FORGE = r"[a-z0-9][a-z0-9.-]*"
_LOGIN = r"[^\s/]+"
_EMAIL = r"[^\s@<>,;\"]+@[^\s@<>,;\"]+"
_KEPT_AS = {"email": "emails", "key": "keys", "login": "accounts"}


def read_people(text: str, where: str) -> People:
    """Parse the people in `text`, which stands in the file `where`; each text once in a process.

    Raises PeopleError naming file, line, key and what was expected; also where two entries share an id, an address, a
    key or an account, since nobody could tell whose it is.
    """
    try:
        return _read_once(text)
    except PeopleError:
        return _read(text, where)  # raises the same, naming this file


@lru_cache(maxsize=16)
def _read_once(text: str) -> People:
    return _read(text, "")


def _read(text: str, where: str) -> People:
    top = Document(text, where, PeopleError).top
    persons = [(table, _person(table)) for table in top.tables("person")]
    machines = [(table, _machine(table)) for table in top.tables("machine")]
    top.done()
    _refuse_sharing((*persons, *machines))
    return People(tuple(person for _, person in persons), tuple(machine for _, machine in machines))


def _person(table: Table) -> Person:
    person = Person(
        id=_id(table),
        name=table.text("name", "the person's name"),
        emails=_emails(table),
        keys=_keys(table),
        accounts=_accounts(table.table("accounts")),
        roles=_roles(table),
        active=table.value("active", bool, "true or false"),
        write_access=table.patterns("write_access", 'repository patterns, such as ["*"], or [] for none'),
    )
    table.done()
    return person


def _machine(table: Table) -> Machine:
    machine = Machine(
        id=_id(table),
        emails=_emails(table),
        keys=_keys(table),
        accounts=_accounts(table.table("accounts")),
        needs_requester=table.value("needs_requester", bool, "true if people ask it to write, else false")
        if table.has("needs_requester")
        else False,
    )
    table.done()
    return machine


def _id(table: Table) -> str:
    return table.text("id", "an id of at most 64 lower-case letters, digits, and . _ - between them", ID)


def _emails(table: Table) -> tuple[str, ...]:
    return table.texts("emails", "a list of e-mail addresses", _EMAIL) if table.has("emails") else ()


def _roles(table: Table) -> tuple[str, ...]:
    return table.texts("roles", f"a list of roles ({', '.join(ROLES)}), or [] for none", "|".join(ROLES))


def _keys(table: Table) -> tuple[str, ...]:
    lines = table.texts("keys", "a list of SSH public keys") if table.has("keys") else ()
    keys: list[str] = []
    for line in lines:
        try:
            key = parse_key(line)
        except ParseError as error:
            remedy = "Copy the one line of the file that ends in .pub, without anything in front of it."
            raise table.wrong("keys", "an SSH public key", f"{shown(line)}: {error}", remedy) from error
        if key in keys:
            raise table.wrong("keys", "different keys", f"{shown(line)} twice", "Remove one of the two.")
        keys.append(key)
    return tuple(keys)


def _accounts(table: Table) -> tuple[str, ...]:
    """Logins by forge, one or a list of them: `github = "ada-gh"` becomes `github/ada-gh`."""
    found: list[str] = []
    for forge, value in table.items():
        if not re.fullmatch(_FORGE, forge):
            raise table.wrong(forge, "the name of a forge in lower case", f'"{forge}"', 'Write such as github = "ada".')
        expected = f"the login at {forge}, or a list of them"
        several = isinstance(value, list)
        logins = table.texts(forge, expected, _LOGIN) if several else (table.text(forge, expected, _LOGIN),)
        found += [f"{forge}/{login}" for login in logins]
    return tuple(found)


def _refuse_sharing(entries: Sequence[tuple[Table, Person | Machine]]) -> None:
    shared = find_shared_identity(entry for _, entry in entries)
    if shared is not None:
        raise _shared(entries[shared.entry][0], shared.identity, shared.other)


def _shared(table: Table, identity: str, other: str) -> ConfigurationError:
    kind, _, value = identity.partition(":")
    if kind == "id":
        return table.wrong("id", "an id that no other entry has", shown(value), "Give one of the two another.")
    return table.wrong(
        _KEPT_AS[kind],
        "what belongs to this entry alone",
        f'{value}, which is also of "{other}"',
        "Keep it in one entry; if both are one person, make one entry of them.",
    )
