"""What the rules of a connection choose now, by the list of repositories that the worker read."""

from collections.abc import Iterable

from muniment.server.connections.models import Connection, RepositoryLink, VisibleRepository
from muniment.server.organisations.models import RepositoryRule
from muniment.server.organisations.repository_choice import (
    ChoiceRule,
    ChosenRepository,
    OfferedRepository,
    choose_repositories,
)
from muniment.server.products.models import Product
from muniment.server.records import row_checks


def choose_by_rules(connection: Connection) -> tuple[ChosenRepository, ...]:
    """Repositories that recorded automatic rules choose. Raises RowsDifferError for a rule that no act wrote."""
    rows = RepositoryRule.objects.filter(connection=connection, ended_at=None, automatic=True)
    rules = row_checks.read_recorded(lambda: list(rows), RepositoryRule)
    return choose_offered(connection, [row.read_rule() for row in rules])


def choose_offered(connection: Connection, rules: Iterable[ChoiceRule]) -> tuple[ChosenRepository, ...]:
    """Repositories of no product that the rules choose, without those of a retired product."""
    wanted = tuple(rules)
    if not wanted:
        return ()
    retired = set(Product.objects.filter(retired_at__isnull=False).values_list("slug", flat=True))
    found = choose_repositories(wanted, list_offered(connection), _load_product_paths())
    return tuple(one for one in found if one.product not in retired)


def list_offered(connection: Connection) -> list[OfferedRepository]:
    """Repositories that the connection sees and that belong to no product, in one query."""
    links = RepositoryLink.objects.filter(
        connection__vendor=connection.vendor, connection__url=connection.url, connection__ended_at=None
    )
    rows = VisibleRepository.objects.filter(connection=connection).exclude(forge_id__in=links.values("forge_id"))
    found = rows.order_by("path").values_list("path", "topics", "archived")
    return [OfferedRepository(path, tuple(topics), archived) for path, topics, archived in found]


def _load_product_paths() -> dict[str, frozenset[str]]:
    """Paths of the repositories of each product, by its id; a repository at no forge by its name."""
    rows = Product.objects.values_list("slug", "repositories__forge_link__path", "repositories__name")
    found: dict[str, set[str]] = {}
    for slug, path, name in rows:
        found.setdefault(slug, set()).update({path or name} - {None})
    return {slug: frozenset(paths) for slug, paths in found.items()}
