"""The declarative file of an organisation, read from TOML: connections, rules for repositories, products and people.

What is not in the file stays as it is: the file adds and corrects, and removes nothing.
"""

import re
import tomllib
from collections.abc import Iterator, Sequence
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Meta, Struct

from muniment.access.roles import Role
from muniment.errors import ConfigurationError
from muniment.forges.shapes import Vendor
from muniment.server.organisations.repository_choice import ChoiceRule, ProductMapping, find_rule_problem

LARGEST_COMPANY_FILE = 900_000  # bytes: a body of the API has at most a megabyte

_Slug = Annotated[str, Meta(pattern=r"^[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?$")]
_Texts = tuple[Annotated[str, Meta(min_length=1, max_length=200)], ...]
_HEADER = re.compile(r"\s*\[\[?\s*([A-Za-z0-9_-]+)")
_PLACE = re.compile(r" - at `\$\.?([A-Za-z_]*)")
_FIELD = re.compile(r"`([A-Za-z_]+)`")
T = TypeVar("T", bound=Struct)


class WantedConnection(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Connection to a forge. Its credential is stored on its page, and never in the file."""

    name: _Slug
    kind: Vendor
    url: Annotated[str, Meta(min_length=1, max_length=300)]


class WantedRule(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Rule that chooses repositories of a connection. `new`: those that are made later are connected by themselves."""

    name: _Slug
    connection: _Slug
    all: bool = False
    owners: _Texts = ()
    patterns: _Texts = ()
    topics: _Texts = ()
    exclude: _Texts = ()
    products: ProductMapping = ProductMapping.EACH
    product: str = ""
    new: bool = True

    def make_rule(self) -> ChoiceRule:
        """The rule as the choice takes it."""
        return ChoiceRule(
            name=self.name,
            mapping=self.products,
            product=self.product,
            patterns=self.patterns,
            owners=self.owners,
            topics=self.topics,
            excluded=self.exclude,
            everything=self.all,
            automatic=self.new,
        )


class WantedProduct(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Product, with what is known of it; a key that is left out stays as it is, and is unknown at first."""

    id: _Slug
    name: Annotated[str, Meta(min_length=1, max_length=200)]
    deployed: bool | None = None
    has_users: bool | None = None
    holds_personal_data: bool | None = None
    supported: bool | None = None


class WantedPerson(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Person. `accounts` as `kind value`, such as `login github/ada`; `roles` as `role`, or `role:product`."""

    handle: Annotated[str, Meta(min_length=1, max_length=64)]
    name: Annotated[str, Meta(min_length=1, max_length=200)]
    email: str = ""
    accounts: _Texts = ()
    roles: _Texts = ()


class CompanyFile(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Content of the file, in the order in which it is carried out."""

    connection: tuple[WantedConnection, ...] = ()
    product: tuple[WantedProduct, ...] = ()
    repositories: tuple[WantedRule, ...] = ()
    person: tuple[WantedPerson, ...] = ()


_TABLES: dict[str, type[Struct]] = {
    "connection": WantedConnection,
    "product": WantedProduct,
    "repositories": WantedRule,
    "person": WantedPerson,
}
_KEYS = {"connection": "name", "product": "id", "person": "handle"}


def read_company_file(text: str) -> CompanyFile:
    """Read the file. Raises ConfigurationError, which names the line, what is wrong there and the next step."""
    if len(text.encode()) > LARGEST_COMPANY_FILE:
        raise _make_error(0, "the file is larger than 900 kB", "Divide it into several files.")
    try:
        top = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        found = re.search(r"at line (\d+)", str(error))
        raise _make_error(int(found[1]) if found else 0, f"this is no TOML: {error}", "Correct this line.") from None
    lines = text.splitlines()
    for name in top:
        if name not in _TABLES:
            raise _make_error(_find_line(lines, name, 0), f"{name} is no table of this file", _list_tables())
    tables = {name: tuple(_read_tables(lines, name, top.get(name, []))) for name in _TABLES}
    found_file = msgspec.convert(tables, CompanyFile)
    _check_rules(found_file, lines)
    _check_people(found_file, lines)
    return found_file


def _read_tables(lines: Sequence[str], name: str, tables: object) -> Iterator[Any]:
    if not isinstance(tables, list):
        raise _make_error(_find_line(lines, name, 0), f"{name} is written as [[{name}]]", _list_tables())
    seen: set[object] = set()
    for at, table in enumerate(tables):
        try:
            one = msgspec.convert(table, _TABLES[name])
        except msgspec.ValidationError as error:
            raise _explain_error(lines, name, at, str(error)) from None
        key = (one.connection, one.name) if isinstance(one, WantedRule) else getattr(one, _KEYS[name])
        if key in seen:
            raise _make_error(
                _find_line(lines, name, at), f"another [[{name}]] is named so", "Give each a name of its own."
            )
        seen.add(key)
        yield one


def _explain_error(lines: Sequence[str], name: str, at: int, message: str) -> ConfigurationError:
    place, field = _PLACE.search(message), _FIELD.search(message)
    key = place[1] if place and place[1] else (field[1] if field else "")
    problem = message.partition(" - at ")[0].replace("Object contains unknown", "it has an unknown")
    remedy = f"The keys of [[{name}]] are: {', '.join(_TABLES[name].__struct_fields__)}."
    return _make_error(_find_line(lines, name, at, key), f"[[{name}]]: {problem}", remedy)


def _check_rules(found: CompanyFile, lines: Sequence[str]) -> None:
    for at, rule in enumerate(found.repositories):
        if problem := find_rule_problem(rule.make_rule()):
            raise _make_error(
                _find_line(lines, "repositories", at), f"the rule {rule.name}: {problem}", "Correct the rule."
            )


def _check_people(found: CompanyFile, lines: Sequence[str]) -> None:
    roles = {role.value for role in Role}
    for at, person in enumerate(found.person):
        for given in person.roles:
            if given.partition(":")[0] not in roles:
                line = _find_line(lines, "person", at, "roles")
                raise _make_error(line, f"{given} is no role", f"Write one of: {', '.join(sorted(roles))}.")
        for account in person.accounts:
            if len(account.split(None, 1)) != 2:  # kind and value
                line = _find_line(lines, "person", at, "accounts")
                remedy = "Write email, key or login, then the value, such as: login github/ada"
                raise _make_error(line, f"{account} names no account", remedy)


def _find_line(lines: Sequence[str], table: str, at: int, key: str = "") -> int:
    """Number of the line of a key in the table of that name with index `at`, else of its header; 0 if neither shows."""
    count, header = -1, 0
    for number, line in enumerate(lines, 1):
        found = _HEADER.match(line)
        if found and header:
            break
        if found:
            count += found[1] == table
            header = number if count == at and found[1] == table else 0
        elif bool(header) == bool(key) and "=" in line and line.partition("=")[0].strip() == (key or table):
            return number
    return header


def _list_tables() -> str:
    return f"The tables are: {', '.join(f'[[{name}]]' for name in _TABLES)}."


def _make_error(line: int, problem: str, remedy: str) -> ConfigurationError:
    return ConfigurationError(f"company.toml:{line}" if line else "company.toml", "", problem, remedy)
