"""people.toml, read strictly into People: persons and machines, of which no two share an identity."""

import re
from collections.abc import Sequence
from functools import lru_cache

from muniment.errors import ConfigurationError, ParseError, PeopleError
from muniment.facts.people import Machine, People, Person, find_shared_identity
from muniment.policy.ssh_keys import parse_ssh_key
from muniment.policy.toml_reading import TomlDocument, TomlTable, quote_value

ROLE_VALUES = (
    *("developer", "security", "dpo", "analyst", "stakeholder"),
    *("owner", "auditor", "management", "admin"),
)
# Ids are parts of ref names, so what git forbids there is forbidden here (git-check-ref-format).
PERSON_ID = r"(?!.*\.\.)(?!.*\.lock$)[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9_-])?"

FORGE_PATTERN = r"[a-z0-9][a-z0-9.-]*"
LOGIN = r"[^\s/]+"
EMAIL = r"[^\s@<>,;\"]+@[^\s@<>,;\"]+"
_KEY_BY_KIND = {"email": "emails", "key": "keys", "login": "accounts"}


def parse_people(text: str, where: str) -> People:
    """Parse the people in `text`, which stands in the file `where`; each text once in a process.

    Raises PeopleError naming file, line, key and the expected value; also where two entries share an id, an address, a
    key or an account, since its holder would be unknown.
    """
    try:
        return _parse_cached(text)
    except PeopleError:
        return _parse_document(text, where)  # raises the same, naming this file


@lru_cache(maxsize=16)
def _parse_cached(text: str) -> People:
    return _parse_document(text, "")


def _parse_document(text: str, where: str) -> People:
    top = TomlDocument(text, where, PeopleError).top
    persons = [(table, _read_person(table)) for table in top.get_tables("person")]
    machines = [(table, _read_machine(table)) for table in top.get_tables("machine")]
    top.refuse_unread()
    _refuse_shared_identity((*persons, *machines))
    return People(tuple(person for _, person in persons), tuple(machine for _, machine in machines))


def _read_person(table: TomlTable) -> Person:
    person = Person(
        id=_read_id(table),
        name=table.get_text("name", "the person's name"),
        emails=_read_emails(table),
        keys=_read_keys(table),
        accounts=_read_accounts(table.get_table("accounts")),
        roles=_read_roles(table),
        active=table.get_value("active", bool, "true or false"),
        write_access=table.get_patterns("write_access", 'repository patterns, such as ["*"], or [] for none'),
    )
    table.refuse_unread()
    return person


def _read_machine(table: TomlTable) -> Machine:
    machine = Machine(
        id=_read_id(table),
        emails=_read_emails(table),
        keys=_read_keys(table),
        accounts=_read_accounts(table.get_table("accounts")),
        needs_requester=table.get_value("needs_requester", bool, "true if people ask it to write, else false")
        if table.has_key("needs_requester")
        else False,
    )
    table.refuse_unread()
    return machine


def _read_id(table: TomlTable) -> str:
    return table.get_text("id", "an id of at most 64 lower-case letters, digits, and . _ - between them", PERSON_ID)


def _read_emails(table: TomlTable) -> tuple[str, ...]:
    return table.get_texts("emails", "a list of e-mail addresses", EMAIL) if table.has_key("emails") else ()


def _read_roles(table: TomlTable) -> tuple[str, ...]:
    return table.get_texts(
        "roles", f"a list of roles ({', '.join(ROLE_VALUES)}), or [] for none", "|".join(ROLE_VALUES)
    )


def _read_keys(table: TomlTable) -> tuple[str, ...]:
    lines = table.get_texts("keys", "a list of SSH public keys") if table.has_key("keys") else ()
    keys: list[str] = []
    for line in lines:
        try:
            key = parse_ssh_key(line)
        except ParseError as error:
            remedy = "Copy the one line of the file that ends in .pub, without anything in front of it."
            raise table.create_error("keys", "an SSH public key", f"{quote_value(line)}: {error}", remedy) from error
        if key in keys:
            raise table.create_error("keys", "different keys", f"{quote_value(line)} twice", "Remove one of the two.")
        keys.append(key)
    return tuple(keys)


def _read_accounts(table: TomlTable) -> tuple[str, ...]:
    """Read logins by forge, one or a list of them: `github = "ada-gh"` becomes `github/ada-gh`."""
    found: list[str] = []
    for forge, value in table.read_all():
        if not re.fullmatch(FORGE_PATTERN, forge):
            raise table.create_error(
                forge, "the name of a forge in lower case", f'"{forge}"', 'Write such as github = "ada".'
            )
        expected = f"the login at {forge}, or a list of them"
        several = isinstance(value, list)
        logins = table.get_texts(forge, expected, LOGIN) if several else (table.get_text(forge, expected, LOGIN),)
        found += [f"{forge}/{login}" for login in logins]
    return tuple(found)


def _refuse_shared_identity(entries: Sequence[tuple[TomlTable, Person | Machine]]) -> None:
    shared = find_shared_identity(entry for _, entry in entries)
    if shared is not None:
        raise _shared_identity_error(entries[shared.entry][0], shared.identity, shared.other)


def _shared_identity_error(table: TomlTable, identity: str, other: str) -> ConfigurationError:
    kind, _, value = identity.partition(":")
    if kind == "id":
        return table.create_error(
            "id", "an id that no other entry has", quote_value(value), "Give one of the two another."
        )
    return table.create_error(
        _KEY_BY_KIND[kind],
        "what belongs to this entry alone",
        f'{value}, which is also of "{other}"',
        "Keep it in one entry; if both are one person, make one entry of them.",
    )
