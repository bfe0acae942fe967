"""people.toml, as the tables have it: what the core reads, whether it lies in a file or here."""

import json
from collections.abc import Iterator
from typing import Any

from muniment.access.roles import Role
from muniment.server.connections.models import Connection
from muniment.server.people.models import Account, Grant, Machine, Person, held
from muniment.server.products.models import Product

WRITERS = frozenset({Role.DEVELOPER, Role.SECURITY, Role.OWNER})
_CHUNKS = {Account.Kind.EMAIL: "emails", Account.Kind.KEY: "keys"}


def text(product: Product | None = None) -> str:
    """Everybody, with the roles that hold for one product, or, without one, those that hold everywhere."""
    repositories = [] if product is None else list(product.repositories.values_list("name", flat=True))
    return "\n".join((*_persons(product, repositories), *_machines(), *_ours()))


def _persons(product: Product | None, repositories: list[str]) -> Iterator[str]:
    roles = _roles(product)
    for person in Person.objects.order_by("slug").prefetch_related("accounts__numbered"):
        own = roles.get(person.pk, set())
        writes = (repositories if product is not None else ["*"]) if own & WRITERS else []
        yield "[[person]]"
        yield f"id = {_quoted(person.slug)}"
        yield f"name = {_quoted(person.name)}"
        yield f"active = {'true' if person.active else 'false'}"
        yield f"roles = {_list(sorted(own))}"
        yield f"writes = {_list(writes)}"
        yield from _accounts(list(person.accounts.all()))


def _machines() -> Iterator[str]:
    for machine in Machine.objects.order_by("slug").prefetch_related("accounts__numbered"):
        yield "[[machine]]"
        yield f"id = {_quoted(machine.slug)}"
        yield f"asked = {'true' if machine.asked else 'false'}"
        yield from _accounts(list(machine.accounts.all()))


def _ours() -> Iterator[str]:
    """Our own accounts at forges, each a machine, unless somebody has them: what they bring is by nobody else."""
    taken = {*Person.objects.values_list("slug", flat=True), *Machine.objects.values_list("slug", flat=True)}
    for slug, login, number in Connection.objects.filter(ended=None).values_list("slug", "account", "account_id"):
        same = [Account.sameness(Account.Kind.LOGIN, f"{slug}/{one}") for one in (login, f"#{number}")]
        known = Account.objects.filter(same__in=same).exists()
        if login and number and not known and (name := f"muniment-{slug}") not in taken:
            yield "[[machine]]"
            yield f"id = {_quoted(name)}"
            yield "asked = false"
            yield f"accounts = {{ {_quoted(slug)} = {_list([login, f'#{number}'])} }}"


def _accounts(accounts: list[Account]) -> Iterator[str]:
    for kind, name in _CHUNKS.items():
        yield f"{name} = {_list(account.value for account in accounts if account.kind == kind)}"
    logins: dict[str, list[str]] = {}
    for account in accounts:
        if account.kind == Account.Kind.LOGIN:
            forge, _, login = account.value.partition("/")
            logins.setdefault(forge, []).append(login)
            if (numbered := getattr(account, "numbered", None)) is not None:
                logins[forge].append(f"#{numbered.number}")
    if logins:
        pairs = ", ".join(f"{_quoted(forge)} = {_list(found)}" for forge, found in sorted(logins.items()))
        yield f"accounts = {{ {pairs} }}"


def _roles(product: Product | None) -> dict[int, set[str]]:
    found: dict[int, set[str]] = {}
    rows: Any = Grant.objects.filter(held()).values_list("person_id", "role", "product_id")
    for person, role, place in rows:
        if place is None or (product is not None and place == product.pk):
            found.setdefault(person, set()).add(role)
    return found


def _list(values: "Iterator[str] | list[str]") -> str:
    return f"[{', '.join(map(_quoted, values))}]"


def _quoted(text: str) -> str:
    """A TOML basic string: JSON's escapes are among TOML's, but for DEL."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
