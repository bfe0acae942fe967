"""Builds the people of the core from the tables: persons and machines, their accounts, and their roles for one
product.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

from django.db.models import Model, Q
from django.utils.translation import gettext as _

from muniment.access.roles import Role
from muniment.errors import PeopleError
from muniment.facts.people import Machine as KnownMachine
from muniment.facts.people import People, email_identity, find_shared_identity
from muniment.facts.people import Person as KnownPerson
from muniment.policy import patterns
from muniment.server.people.models import Account, Machine, Person, RoleGrant, build_in_force_condition
from muniment.server.products.models import Product
from muniment.server.records.models import RowState
from muniment.server.records.row_states import commit_to_row

WRITING_ROLES = frozenset({Role.DEVELOPER, Role.SECURITY, Role.OWNER})

OwnMachine = tuple[str, str, str]  # the forge's id here, the login and the number of our account there
_load_own_machines: list[tuple[Callable[[], Iterable[OwnMachine]], type[Model]]] = []  # one: forges are a higher layer

PersonRows = tuple[
    tuple[Any, ...], ...
]  # as the database gives them: equal tables make equal people, which are built once


def build_people(product: Product | None = None, moment: datetime | None = None) -> People:
    """Build all people, with the roles that hold for one product or, without one, for the whole organisation.

    At a `moment`: the roles held then, the persons active then, and no account that was linked later. An account that
    was unlinked since belongs to nobody.

    Raises PeopleError if two people share an identity, or if a repository's name cannot be matched.
    """
    writes = ("*",) if product is None else tuple(product.repositories.values_list("name", flat=True))
    persons = tuple(Person.objects.order_by("slug").values_list("pk", "slug", "name", "active"))
    if moment is not None:
        were = find_former_active(moment)
        persons = tuple((pk, slug, name, active or pk in were) for pk, slug, name, active in persons)
    machines = tuple(Machine.objects.order_by("slug").values_list("pk", "slug", "acts_on_request"))
    return _assemble_people(
        persons,
        machines,
        _load_account_rows(moment),
        _load_role_rows(product, moment),
        writes,
        _read_own_machines({row[1] for row in persons} | {row[1] for row in machines}),
    )


def _load_account_rows(moment: datetime | None) -> PersonRows:
    """(person, machine, kind, value, id at the forge, whether it counts) of every account."""
    rows = Account.objects.order_by("kind", "value", "pk").select_related("forge_account")
    there = rows if moment is None else rows.filter(linked_at__lte=moment)
    return tuple(
        (row.person_id, row.machine_id, row.kind, row.value, _read_forge_number(row), row.counts)
        for row in there.iterator()
    )


def _read_forge_number(row: Account) -> str | None:
    known = getattr(row, "forge_account", None)
    return known.number if known is not None else None


def find_former_active(moment: datetime) -> frozenset[str]:
    """Ids of persons who are not active now and were at a moment, by the recorded state of then."""
    found: set[str] = set()
    table = Person._meta.db_table
    for person in Person.objects.filter(active=False):
        states = RowState.objects.filter(table=table, key=person.pk, record__recorded_at__lte=moment)
        state = states.order_by("-record_id").first()
        values = tuple(True if name == "active" else getattr(person, name) for name in Person.recorded_columns)
        if state is not None and state.commitment == commit_to_row(table, person.pk, values, state.salt):
            found.add(person.pk)
    return frozenset(found)


def _build_held_condition(moment: datetime) -> Q:
    """Condition of grants that were held at a moment."""
    ended = Q(ended_at=None) | Q(ended_at__gt=moment)
    return ended & Q(granted_at__lte=moment) & (Q(last_day=None) | Q(last_day__gte=moment.date()))


def _load_role_rows(product: Product | None, moment: datetime | None) -> PersonRows:
    """(person, role) of every grant that holds."""
    places = (None,) if product is None else (None, product.pk)
    rows = (
        RoleGrant.objects.filter(build_in_force_condition() if moment is None else _build_held_condition(moment))
        .order_by("role", "pk")
        .values_list("person_id", "role", "product_id")
    )
    return tuple((person, role) for person, role, place in rows if place in places)


def register_own_machines(read: Callable[[], Iterable[OwnMachine]], table: type[Model]) -> None:
    """Have Muniment's own accounts at forges read by `read`, from a table whose rows are relied on."""
    _load_own_machines[:] = [(read, table)]


def own_machine_tables() -> tuple[type[Model], ...]:
    """The tables that Muniment's own accounts are read from."""
    return tuple(table for _read, table in _load_own_machines)


def _read_own_machines(taken: set[str]) -> PersonRows:
    """(id, login, number) of Muniment's own accounts at forges that nobody has: what they bring is by nobody else.

    None is made whose name is `taken` by a person or a machine.
    """
    found = []
    for slug, login, number in (one for read, _table in _load_own_machines for one in read()):
        same = [Account.hash_identity(Account.Kind.LOGIN, f"{slug}/{one}") for one in (login, f"#{number}")]
        known = Account.objects.filter(identity_hash__in=same).exists()
        if login and number and not known and (name := f"muniment-{slug}") not in taken:
            found.append((name, f"{slug}/{login}", f"{slug}/#{number}"))
    return tuple(sorted(found))


@lru_cache(maxsize=16)
def _assemble_people(
    persons: PersonRows,
    machines: PersonRows,
    accounts: PersonRows,
    roles: PersonRows,
    writes: tuple[str, ...],
    own: PersonRows,
) -> People:
    for pattern in writes:
        if problem := patterns.find_syntax_problem(pattern):
            sentence = _("its name cannot be matched: %(problem)s") % {"problem": problem}
            raise PeopleError(_("the repository"), pattern, sentence, patterns.PATTERN_HELP)
    counting = tuple(row for row in accounts if row[-1])
    by_person, by_machine = _group_accounts(counting, 0), _group_accounts(counting, 1)
    waiting = _group_accounts(tuple(row for row in accounts if not row[-1]), 0)
    granted: dict[Any, dict[str, None]] = {}  # a role may be held everywhere and for the product too
    for person, role in roles:
        granted.setdefault(person, {})[role] = None
    people = People(
        tuple(
            KnownPerson(
                id=pk,
                handle=slug,
                name=name,
                emails=tuple(by_person.get((pk, Account.Kind.EMAIL), ())),
                keys=tuple(by_person.get((pk, Account.Kind.KEY), ())),
                accounts=tuple(by_person.get((pk, Account.Kind.LOGIN), ())),
                roles=tuple(granted.get(pk, ())),
                active=active,
                write_access=writes if WRITING_ROLES.intersection(granted.get(pk, ())) else (),
                unconfirmed=_list_unconfirmed(pk, waiting),
            )
            for pk, slug, name, active in persons
        ),
        (
            *(
                KnownMachine(
                    id=slug,
                    emails=tuple(by_machine.get((pk, Account.Kind.EMAIL), ())),
                    keys=tuple(by_machine.get((pk, Account.Kind.KEY), ())),
                    accounts=tuple(by_machine.get((pk, Account.Kind.LOGIN), ())),
                    needs_requester=asked,
                )
                for pk, slug, asked in machines
            ),
            *(KnownMachine(name, (), (), tuple(logins), needs_requester=False) for name, *logins in own),
        ),
    )
    _refuse_shared_ids(people.holders)
    return people


def _list_unconfirmed(person: str, waiting: dict[tuple[str, str], list[str]]) -> tuple[str, ...]:
    """Identities of a person that do not count yet: nobody confirmed the account."""
    return (
        *(email_identity(value) for value in waiting.get((person, Account.Kind.EMAIL), ())),
        *(f"key:{value}" for value in waiting.get((person, Account.Kind.KEY), ())),
        *(f"login:{value}" for value in waiting.get((person, Account.Kind.LOGIN), ())),
    )


def _group_accounts(rows: PersonRows, owner: int) -> dict[tuple[Any, str], list[str]]:
    """Values by the owner's key and the account's kind; after a login the id that its forge gave it."""
    found: dict[tuple[Any, str], list[str]] = {}
    for row in rows:
        kind, value, number = row[2:5]
        if row[owner] is not None:
            values = found.setdefault((row[owner], kind), [])
            values.append(value)
            if number is not None:
                values.append(f"{value.partition('/')[0]}/#{number}")
    return found


def _refuse_shared_ids(entries: Sequence[KnownPerson | KnownMachine]) -> None:
    """Refuse an id that a person and a machine share: the database keeps only accounts apart."""
    shared = find_shared_identity(entries)
    if shared is not None:
        raise PeopleError(
            _("the people of the service"),
            shared.identity,
            _('it belongs to "%(one)s" and to "%(other)s": nobody can tell whose it is')
            % {"one": shared.other, "other": entries[shared.entry].id},
            _("Leave it with the one it belongs to."),
        )
