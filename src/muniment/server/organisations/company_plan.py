"""Plans how the installation comes to what a company's file says: acts in their order, none for what is so already.

The plan is made from the rows of now. Carrying it out runs these acts as the requester, so each is authorised, recorded
and, where the access table says so, waits for a second person.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from django.utils.translation import gettext as _
from msgspec import Struct

from muniment.errors import RefusedError
from muniment.facts import canonical
from muniment.server.connections.connection_acts import AddConnection
from muniment.server.connections.models import Connection
from muniment.server.organisations.company_file import CompanyFile, WantedConnection, WantedProduct, WantedRule
from muniment.server.organisations.connect_acts import ConnectRepositories, format_lines
from muniment.server.organisations.models import RepositoryRule
from muniment.server.organisations.people_plan import plan_people
from muniment.server.organisations.planned_acts import PlannedAct
from muniment.server.organisations.repository_choice import ChosenRepository
from muniment.server.organisations.rule_acts import SetRepositoryRule
from muniment.server.organisations.rule_choices import choose_offered
from muniment.server.products.models import SIGNALS, Product
from muniment.server.products.product_acts import AddProduct, ChangeProduct


class CompanyPlan(Struct, frozen=True):
    """Acts that a file needs, and their digest: a confirmation names exactly these."""

    acts: tuple[PlannedAct, ...]

    @property
    def plan_digest(self) -> str:
        return canonical.digest_value([[one.act_tag, one.fields] for one in self.acts])


def plan_company(wanted: CompanyFile) -> CompanyPlan:
    """Plan the acts that lead to what the file says. Raises RefusedError where an entry contradicts what is there."""
    connections = {row.slug: row for row in Connection.objects.filter(ended_at=None)}
    acts = [
        *(act for one in wanted.connection for act in _plan_connection(one, connections)),
        *_plan_products(wanted.product),
        *(act for one in wanted.repositories for act in _plan_rule(one, connections, wanted.connection)),
        *_plan_repositories(wanted.repositories, connections),
        *plan_people(wanted.person),
    ]
    return CompanyPlan(tuple(acts))


def _plan_connection(wanted: WantedConnection, found: dict[str, Connection]) -> Iterator[PlannedAct]:
    row, url = found.get(wanted.name), wanted.url.rstrip("/")
    if row is None:
        fields: dict[str, Any] = {"name": wanted.name, "vendor": wanted.kind.value, "url": url}
        text = _("add the connection %(name)s to %(url)s") % {"name": wanted.name, "url": url}
        yield PlannedAct(AddConnection, fields, (text,))
    elif (row.vendor, row.url) != (wanted.kind.value, url):
        raise RefusedError(
            "connection-differs",
            _("The connection %(name)s leads to %(url)s.") % {"name": row.slug, "url": row.url},
            _("An address is never changed: give the new connection another name, and end this one on its page."),
        )


def _plan_products(wanted: Sequence[WantedProduct]) -> Iterator[PlannedAct]:
    found = {row.slug: row for row in Product.objects.filter(slug__in=[one.id for one in wanted])}
    for one in wanted:
        row = found.get(one.id)
        given = {name: getattr(one, name) for name in SIGNALS if getattr(one, name) is not None}
        if row is None:
            text = _("add the product %(name)s") % {"name": one.name}
            yield PlannedAct(AddProduct, {"id": one.id, "name": one.name, **given}, (text,))
        elif row.name != one.name or any(getattr(row, name) != value for name, value in given.items()):
            current = {name: getattr(row, name) for name in SIGNALS}
            fields = {"product": one.id, "name": one.name, "sensitive": row.sensitive_patterns, **current, **given}
            yield PlannedAct(ChangeProduct, fields, (_("describe the product %(name)s anew") % {"name": one.name},))


def _plan_rule(
    wanted: WantedRule, found: dict[str, Connection], new: Iterable[WantedConnection]
) -> Iterator[PlannedAct]:
    if wanted.connection not in found and wanted.connection not in {one.name for one in new}:
        raise RefusedError(
            "no-connection",
            _("The rule %(rule)s names no connection: %(name)s.") % {"rule": wanted.name, "name": wanted.connection},
            _("Add it to the file as [[connection]], or name one that exists."),
        )
    rows = RepositoryRule.objects.filter(connection__slug=wanted.connection, name=wanted.name, ended_at=None)
    row, rule = rows.first(), wanted.make_rule()
    if row is not None and row.read_rule() == rule:
        return
    fields: dict[str, Any] = {"connection": wanted.connection, "name": rule.name, "mapping": rule.mapping.value}
    fields |= {name: list(getattr(rule, name)) for name in ("patterns", "owners", "topics", "excluded")}
    fields |= {"product": rule.product, "everything": rule.everything, "automatic": rule.automatic}
    sentence = _("add the rule %(rule)s") if row is None else _("change the rule %(rule)s")
    yield PlannedAct(SetRepositoryRule, fields, (sentence % {"rule": rule.name},))


def _plan_repositories(wanted: Sequence[WantedRule], found: dict[str, Connection]) -> Iterator[PlannedAct]:
    """Acts that connect what the rules of the file choose of the repositories that are visible now."""
    for slug in dict.fromkeys(one.connection for one in wanted):
        if slug in found:
            chosen = choose_offered(found[slug], [one.make_rule() for one in wanted if one.connection == slug])
            if chosen:
                yield plan_repositories(slug, chosen)


def plan_repositories(connection: str, chosen: Sequence[ChosenRepository]) -> PlannedAct:
    """The act that connects chosen repositories, with a line for each."""
    existing = set(Product.objects.filter(slug__in={one.product for one in chosen}).values_list("slug", flat=True))
    lines = tuple(
        (
            _("connect %(path)s to the product %(product)s")
            if one.product in existing
            else _("connect %(path)s to the new product %(product)s")
        )
        % {"path": one.path, "product": one.product}
        for one in chosen
    )
    fields = {"connection": connection, "repositories": format_lines(chosen)}
    return PlannedAct(ConnectRepositories, fields, lines)
