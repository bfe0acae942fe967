"""people.toml, read strictly into People: who is who, and no identity that two share."""

import re

from muniment.errors import PeopleError
from muniment.facts.people import Machine, People, Person, identities
from muniment.policy.keys import parse_key
from muniment.policy.reading import Document, Table

ROLES = (
    *("developer", "security", "dpo", "analyst", "stakeholder"),
    *("owner", "auditor", "management", "admin"),
)
ID = r"[a-z0-9][a-z0-9._-]*"
_LOGIN = r"\S+"
_EMAIL = r"[^\s@<>,;\"]+@[^\s@<>,;\"]+"


def read_people(text: str, where: str) -> People:
    """The people in `text`, which stands in the file `where`.

    Raises PeopleError naming file, line, key and what was expected; also where two entries share an id, an address, a
    key or an account, since nobody could tell whose it is.
    """
    top = Document(text, where, PeopleError).top
    entries: list[tuple[Table, Person | Machine]] = []
    entries += [(table, _person(table)) for table in top.tables("person")]
    entries += [(table, _machine(table)) for table in top.tables("machine")]
    top.done()
    _refuse_sharing(entries)
    return People(
        persons=tuple(entry for _, entry in entries if isinstance(entry, Person)),
        machines=tuple(entry for _, entry in entries if isinstance(entry, Machine)),
    )


def _person(table: Table) -> Person:
    person = Person(
        id=_id(table),
        name=table.text("name", "the person's name"),
        emails=_emails(table),
        keys=_keys(table),
        accounts=_accounts(table),
        roles=_roles(table),
        active=table.value("active", bool, "true or false"),
        writes=table.texts("writes", 'a list of repository patterns, such as ["*"], or [] for none'),
    )
    table.done()
    return person


def _machine(table: Table) -> Machine:
    machine = Machine(
        id=_id(table),
        emails=_emails(table),
        keys=_keys(table),
        accounts=_accounts(table),
        asked=table.value("asked", bool, "true if people ask it to write, else false") if table.has("asked") else False,
    )
    table.done()
    return machine


def _id(table: Table) -> str:
    return table.text("id", "an id of lower-case letters, digits, dots, dashes and underscores", ID)


def _emails(table: Table) -> tuple[str, ...]:
    return table.texts("emails", "a list of e-mail addresses", _EMAIL) if table.has("emails") else ()


def _keys(table: Table) -> tuple[str, ...]:
    lines = table.texts("keys", "a list of SSH public keys") if table.has("keys") else ()
    try:
        return tuple(parse_key(line) for line in lines)
    except ValueError as error:
        raise table.wrong("keys", "SSH public keys", str(error)) from error


def _roles(table: Table) -> tuple[str, ...]:
    return table.texts("roles", f"a list of {', '.join(ROLES)}", "|".join(ROLES))


def _accounts(table: Table) -> tuple[str, ...]:
    accounts = table.table("accounts")
    found: list[str] = []
    for forge, _ in accounts.items():
        if not re.fullmatch(ID, forge):
            raise accounts.wrong(forge, "the name of a forge in lower case", repr(forge))
        found.append(f"{forge}/{accounts.text(forge, 'a login', _LOGIN)}")
    return tuple(found)


def _refuse_sharing(entries: list[tuple[Table, Person | Machine]]) -> None:
    ids: set[str] = set()
    owners: dict[str, str] = {}
    for table, entry in entries:
        if entry.id in ids:
            raise table.wrong("id", "an id that nobody else has", repr(entry.id))
        ids.add(entry.id)
        for identity in identities(entry):
            other = owners.setdefault(identity, entry.id)
            if other != entry.id:
                kind, _, value = identity.partition(":")
                key = {"email": "emails", "key": "keys"}.get(kind, "accounts")
                raise table.wrong(key, "what belongs to one entry only", f"{value}, which is also of {other}")
