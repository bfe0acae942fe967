"""Imports products from a file: CSV with a header line, or TOML. Each runs the acts of pages; all are added or none
is.
"""

import csv
import io
import tomllib
from collections.abc import Iterator
from typing import Any

from django.utils.translation import gettext as _
from msgspec import Struct

from muniment.access.authorization import Actor
from muniment.errors import ActInputError, ParseError, RefusedError
from muniment.server.acts.act import Act
from muniment.server.acts.execution import execute_act
from muniment.server.acts.inputs import InputCode
from muniment.server.acts.parser import parse_act
from muniment.server.changes.repository_acts import AddRepository
from muniment.server.products.environment_acts import AddEnvironment
from muniment.server.products.models import SIGNALS
from muniment.server.products.product_acts import AddProduct

COLUMNS = ("id", "name", "repository", "path", "environments", *SIGNALS)
_LARGEST = 1 << 20  # bytes
_MOST = 5_000


class ImportedProduct(Struct, frozen=True):
    """Product of a file: its place there, and the fields of each act that adds a part of it."""

    place: str
    product: dict[str, object]
    repositories: tuple[dict[str, object], ...]
    environments: tuple[dict[str, object], ...]

    def list_acts(self) -> Iterator[tuple[type[Act], dict[str, object]]]:
        """Each act with its fields, in the order in which they are performed."""
        yield AddProduct, self.product
        yield from ((AddRepository, {**one, "product": self.product["id"]}) for one in self.repositories)
        yield from ((AddEnvironment, {**one, "product": self.product["id"]}) for one in self.environments)


def read_product_file(name: str, data: bytes) -> tuple[ImportedProduct, ...]:
    """Read the products of a file whose name ends in .csv or .toml. Raises ParseError, which names the place."""
    if len(data) > _LARGEST:
        raise _make_file_error(_("The file is larger than one megabyte."), InputCode.TOO_LONG)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise _make_file_error(_("The file is not UTF-8 text."), InputCode.NOT_TEXT) from None
    if name.lower().endswith(".toml"):
        rows = _read_toml(text)
    elif name.lower().endswith(".csv"):
        rows = _read_csv(text)
    else:
        raise _make_file_error(_("The file's name has to end in .csv or .toml."))
    if not rows:
        raise _make_file_error(_("The file has no product."), InputCode.MISSING)
    if len(rows) > _MOST:
        raise _make_file_error(_("The file has more than %(most)s products.") % {"most": _MOST}, InputCode.TOO_LONG)
    return rows


def import_products(actor: Actor, rows: tuple[ImportedProduct, ...]) -> int:
    """Add these products; returns their number. In a transaction: if one cannot be added, none is. Raises as
    `perform_act`, and ActInputError; both name the place of the product in the file.
    """
    for row in rows:
        for cls, fields in row.list_acts():
            try:
                execute_act(actor, parse_act(cls, fields, actor))
            except ActInputError as error:
                raise ActInputError(
                    tuple(one._replace(label=f"{row.place}: {one.label}") for one in error.problems)
                ) from None
            except RefusedError as error:
                raise RefusedError(error.code, f"{row.place}: {error.message}", error.remedy) from None
    return len(rows)


def _read_csv(text: str) -> tuple[ImportedProduct, ...]:
    reader = csv.DictReader(io.StringIO(text), strict=True)
    try:
        names = list(reader.fieldnames or ())
        if set(names) - set(COLUMNS) or not {"id", "name"} <= set(names) or len(set(names)) != len(names):
            raise _make_file_error(
                _("Line 1: the columns are id and name, and any of %(text)s.") % {"text": ", ".join(COLUMNS[2:])}
            )
        return tuple(_read_line(reader.line_num, row) for row in reader)
    except csv.Error as error:
        sentence = _("Line %(line_num)s: %(error)s.") % {"line_num": reader.line_num, "error": error}
        raise _make_file_error(sentence) from None


def _read_line(number: int, row: dict[str, str]) -> ImportedProduct:
    if None in row or None in row.values():
        raise _make_file_error(
            _("Line %(number)s: it has more or fewer fields than the first line.") % {"number": number}
        )
    path = row.get("path", "")
    return ImportedProduct(
        _("Line %(number)s") % {"number": number},
        {name: row.get(name, "") for name in ("id", "name", *SIGNALS)},
        ({"name": row.get("repository") or row["id"], "path": path},) if path else (),
        tuple({"name": name} for name in row.get("environments", "").split()),
    )


def _read_toml(text: str) -> tuple[ImportedProduct, ...]:
    try:
        top = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise _make_file_error(_("This is no TOML: %(error)s.") % {"error": error}) from None
    found = top.pop("product", None)
    if top or not isinstance(found, list):
        raise _make_file_error(_("The file holds [[product]] tables and nothing else."))
    return tuple(_read_table(_("Product %(number)s") % {"number": number}, row) for number, row in enumerate(found, 1))


def _read_table(place: str, table: Any) -> ImportedProduct:
    parts = {"repositories", "environments"}
    if not isinstance(table, dict) or not {"id", "name"} <= set(table):
        raise _make_file_error(_("%(where)s: it is a table with id and name.") % {"where": place})
    repositories, environments = table.get("repositories", {}), table.get("environments", [])
    if not isinstance(repositories, dict) or not isinstance(environments, list):
        sentence = _('%(where)s: repositories is a table of name = "path", environments a list of names.')
        raise _make_file_error(sentence % {"where": place})
    return ImportedProduct(
        place,
        {name: value for name, value in table.items() if name not in parts},
        tuple({"name": name, "path": path} for name, path in repositories.items()),
        tuple({"name": name} for name in environments),
    )


def _make_file_error(sentence: str, code: InputCode = InputCode.MALFORMED) -> ParseError:
    return ParseError(code, sentence, _("Correct the file, and import it again: nothing of it was added."))
