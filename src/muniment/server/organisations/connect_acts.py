"""Acts that connect many repositories at once: those that a person chose, and those that a rule chooses by itself."""

import re
from collections.abc import Iterable
from typing import Annotated, ClassVar, NamedTuple, Self

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from muniment.access.actions import Action
from muniment.errors import ParseError, RefusedError
from muniment.server.acts.act import ActContext
from muniment.server.acts.inputs import InputCode, Label, Text
from muniment.server.connections.connection_acts import ConnectionAct
from muniment.server.connections.models import Connection, RepositoryLink, VisibleRepository
from muniment.server.job_queue import enqueue
from muniment.server.organisations.repository_choice import ChosenRepository
from muniment.server.organisations.rule_choices import choose_by_rules
from muniment.server.products.models import FORGE, SLUG_PATTERN, Product, Repository

MOST_REPOSITORIES = 5_000  # repositories that one act connects
_LONGEST_NAME = 200


class ConnectionLine(NamedTuple):
    """Line of the act: a path at the forge, the id of a product, and the product's name if it is new."""

    path: str
    product: str
    name: str


def format_lines(chosen: Iterable[ChosenRepository]) -> str:
    """Lines of the act for chosen repositories."""
    return "\n".join(f"{one.path} {one.product} {one.product_name}" for one in chosen)


def read_connection_lines(text: str) -> tuple[ConnectionLine, ...]:
    """Read the lines of the act. Raises ParseError for the first one that names no repository and product."""
    found: dict[str, ConnectionLine] = {}
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        path, product, name = (*line.split(None, 2), "", "")[:3]
        wrong = not re.fullmatch(SLUG_PATTERN, product) or len(name) > _LONGEST_NAME
        if wrong or path in found:
            sentence = _("Line %(number)d names no repository and product of its own: %(line)s") % {
                "number": number,
                "line": line[:80],
            }
            remedy = _("Write the path at the forge once, then the id of a product, then the product's name.")
            raise ParseError(InputCode.MALFORMED, sentence, remedy, "repositories")
        found[path] = ConnectionLine(path, product, name.strip() or product)
    return tuple(found.values())


class ConnectRepositories(ConnectionAct, frozen=True, kw_only=True):
    """Connect many repositories that a connection sees, each to a product; products that do not exist are added."""

    actions: ClassVar[tuple[Action, ...]] = (Action.ADD_PRODUCT,)
    title: ClassVar[Label] = gettext_lazy("Connect repositories")

    repositories: Annotated[
        str,
        Text(
            label=gettext_lazy("Repositories"),
            hint=gettext_lazy(
                "One a line: path at the forge, id of the product, and its name if it is new, such as: "
                "shop/api web-shop Web shop"
            ),
            most=900_000,
            multiline=True,
            monospace=True,
        ),
    ]

    def normalise_fields(self) -> Self:
        """Leave all fields as they are. Raises ParseError for a line that cannot be read, and for too many."""
        if len(read_connection_lines(self.repositories)) > MOST_REPOSITORIES:
            sentence = _("These are more than %(most)d repositories.") % {"most": MOST_REPOSITORIES}
            raise ParseError(InputCode.TOO_LONG, sentence, _("Connect them in parts."), "repositories")
        return self

    def describe_act(self) -> str:
        """Number of the repositories, and the connection."""
        details = {"number": len(read_connection_lines(self.repositories)), "connection": self.connection}
        return _("connect %(number)d repositories of %(connection)s") % details

    def check_preconditions(self, context: ActContext) -> None:
        """Refuse a path that the connection does not see, a repository of a product, and a retired product."""
        lines = read_connection_lines(self.repositories)
        paths = [line.path for line in lines]
        rows = VisibleRepository.objects.filter(connection__slug=self.connection, path__in=paths)
        visible = dict(rows.values_list("path", "forge_id"))
        _refuse_paths(
            "repository-gone",
            [path for path in paths if path not in visible],
            _("The connection does not see these repositories"),
        )
        connection = self.load_connection()
        links = RepositoryLink.objects.filter(
            connection__vendor=connection.vendor, connection__url=connection.url, connection__ended_at=None
        )
        taken = set(links.filter(forge_id__in=list(visible.values())).values_list("forge_id", flat=True))
        _refuse_paths(
            "repository-connected",
            [path for path in paths if visible[path] in taken],
            _("These repositories belong to a product already"),
        )
        products = Product.objects.filter(slug__in={line.product for line in lines}, retired_at__isnull=False)
        _refuse_paths("product-retired", list(products.values_list("slug", flat=True)), _("These products are retired"))

    def carry_out(self, context: ActContext) -> None:
        """Add the products that do not exist, the repositories and their links, and have them read."""
        lines, connection = read_connection_lines(self.repositories), self.load_connection()
        products = _add_missing_products(lines)
        _add_repositories(connection, lines, products)
        enqueue("read-new-repositories", connection=connection.pk)


class CoverRepositories(ConnectRepositories, frozen=True, kw_only=True):
    """Connect the repositories that the rules of a connection choose by themselves. No person does it."""

    title: ClassVar[Label] = gettext_lazy("Connect repositories by rule")

    def check_preconditions(self, context: ActContext) -> None:
        """Refuse also a line that is not exactly what the recorded rules choose now."""
        super().check_preconditions(context)
        chosen = choose_by_rules(self.load_connection())
        permitted = {ConnectionLine(one.path, one.product, one.product_name) for one in chosen}
        refused = [line.path for line in read_connection_lines(self.repositories) if line not in permitted]
        _refuse_paths("not-chosen", refused, _("No rule chooses these repositories so"))


def _refuse_paths(code: str, names: list[str], sentence: str) -> None:
    if names:
        first = ", ".join(names[:3]) + (", …" if len(names) > 3 else "")
        raise RefusedError(code, f"{sentence}: {first}.", _("Remove them from the list, or plan it again."))


def _add_missing_products(lines: Iterable[ConnectionLine]) -> dict[str, Product]:
    wanted = {line.product: line.name for line in reversed(tuple(lines))}  # the first line names it
    found = {row.slug: row for row in Product.objects.filter(slug__in=wanted)}
    new = [Product(slug=slug, name=name) for slug, name in sorted(wanted.items()) if slug not in found]
    Product.objects.bulk_create(new)
    return found | {row.slug: row for row in new}


def _add_repositories(connection: Connection, lines: tuple[ConnectionLine, ...], products: dict[str, Product]) -> None:
    rows = VisibleRepository.objects.filter(connection=connection, path__in=[line.path for line in lines])
    visible = {row.path: row for row in rows}
    names = [name for line in lines for name in (line.path, f"{connection.slug}:{line.path}")]
    taken = set(Repository.objects.filter(name__in=names).values_list("name", flat=True))
    repositories = []
    for line in lines:
        name = line.path if line.path not in taken else f"{connection.slug}:{line.path}"
        path = f"{FORGE}{connection.slug}/{visible[line.path].forge_id}"
        repositories.append(Repository(product=products[line.product], name=name[:_LONGEST_NAME], path=path))
    Repository.objects.bulk_create(repositories)
    RepositoryLink.objects.bulk_create(
        RepositoryLink(
            repository=repository,
            connection=connection,
            forge_id=visible[line.path].forge_id,
            path=line.path,
            default_branch=visible[line.path].default_branch,
            clone_url=visible[line.path].clone_url,
            url=visible[line.path].url,
        )
        for line, repository in zip(lines, repositories, strict=True)
    )
