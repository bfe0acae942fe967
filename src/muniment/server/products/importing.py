"""Products from a file: CSV with a header line, or TOML. Read strictly, taken whole or not at all."""

import csv
import io
import tomllib
from typing import Any

from django.utils.translation import gettext as _
from msgspec import Struct

from muniment.access.actions import Action
from muniment.access.authorize import Actor
from muniment.server.products.models import SIGNALS
from muniment.server.proposals.doing import ask

COLUMNS = ("id", "name", "repository", "path", "environments", *SIGNALS)
_LARGEST = 1 << 20  # bytes
_MOST = 5_000
_ANSWERS = ("", "yes", "no")


class Row(Struct, frozen=True):
    """One product: `repositories` are (name, path); each signal is "yes", "no", or "" for not known."""

    id: str
    name: str
    repositories: tuple[tuple[str, str], ...]
    environments: tuple[str, ...]
    signals: dict[str, str]


def read(name: str, data: bytes) -> tuple[Row, ...]:
    """The products in a file whose name ends in .csv or .toml. Raises ValueError with line and what was expected."""
    if len(data) > _LARGEST:
        raise ValueError(_("The file is larger than one megabyte."))
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(_("The file is not UTF-8 text.")) from error
    if name.lower().endswith(".toml"):
        rows = _toml(text)
    elif name.lower().endswith(".csv"):
        rows = _csv(text)
    else:
        raise ValueError(_("The file's name has to end in .csv or .toml."))
    if not rows:
        raise ValueError(_("The file has no product."))
    if len(rows) > _MOST:
        raise ValueError(_("The file has more than %(most)s products.") % {"most": _MOST})
    return rows


def take(actor: Actor, rows: tuple[Row, ...]) -> int:
    """Add these products; how many. In a transaction, for what one of them cannot be nobody is. Raises as `ask`."""
    for row in rows:
        _take(actor, row)
    return len(rows)


def _take(actor: Actor, row: Row) -> None:
    what = {"id": row.id, "name": row.name, **row.signals}
    ask(actor, Action.ADD_PRODUCT, what, f"add the product {row.name}")
    for name, path in row.repositories:
        more = {"id": row.id, "do": "repository", "name": name, "path": path}
        ask(actor, Action.CHANGE_PRODUCT, more, f"repository of {row.id}: {name}", product=row.id)
    for name in row.environments:
        more = {"id": row.id, "do": "environment", "name": name}
        ask(actor, Action.CHANGE_PRODUCT, more, f"environment of {row.id}: {name}", product=row.id)


def _csv(text: str) -> tuple[Row, ...]:
    reader = csv.DictReader(io.StringIO(text), strict=True)
    try:
        odd = [column for column in reader.fieldnames or () if column not in COLUMNS]
        if odd or not {"id", "name"} <= set(reader.fieldnames or ()):
            raise ValueError(
                _("Line 1: the columns are id and name, and any of %(text)s.") % {"text": ", ".join(COLUMNS[2:])}
            )
        return tuple(_line(reader.line_num, row) for row in reader)
    except csv.Error as error:
        raise ValueError(_("Line %(line_num)s: %(error)s.") % {"line_num": reader.line_num, "error": error}) from error


def _line(number: int, row: dict[str, Any]) -> Row:
    if None in row or None in row.values():
        raise ValueError(_("Line %(number)s: it has more or fewer fields than the first line.") % {"number": number})
    path = row.get("path", "")
    repositories = ((row.get("repository") or row["id"], path),) if path else ()
    environments = tuple(word for word in row.get("environments", "").split() if word)
    signals = {signal: _answer(f"Line {number}", signal, row.get(signal, "")) for signal in SIGNALS}
    return Row(row["id"], row["name"], repositories, environments, signals)


def _toml(text: str) -> tuple[Row, ...]:
    try:
        top = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ValueError(_("This is no TOML: %(error)s.") % {"error": error}) from error
    found = top.pop("product", None)
    if top or not isinstance(found, list):
        raise ValueError(_("The file holds [[product]] tables and nothing else."))
    return tuple(_table(number, table) for number, table in enumerate(found, 1))


def _table(number: int, table: Any) -> Row:
    where = f"Product {number}"
    known = {"id", "name", "repositories", "environments", *SIGNALS}
    if not isinstance(table, dict) or set(table) - known or not {"id", "name"} <= set(table):
        raise ValueError(
            _("%(where)s: it has id and name, and any of %(text)s.")
            % {"where": where, "text": ", ".join(sorted(known - {"id", "name"}))}
        )
    repositories, environments = table.get("repositories", {}), table.get("environments", [])
    texts = [table["id"], table["name"]]
    if isinstance(repositories, dict) and isinstance(environments, list):
        texts += [*repositories.values(), *environments]
    else:
        texts.append(None)
    if not all(isinstance(text, str) for text in texts):
        raise ValueError(
            _('%(where)s: repositories is a table of name = "path", environments a list of names.') % {"where": where}
        )
    signals = {signal: _answer(where, signal, table.get(signal, "")) for signal in SIGNALS}
    return Row(table["id"], table["name"], tuple(repositories.items()), tuple(environments), signals)


def _answer(where: str, signal: str, value: Any) -> str:
    if value is True or value is False:
        return "yes" if value else "no"
    if value not in _ANSWERS:
        raise ValueError(
            _("%(where)s: %(signal)s is yes or no, or empty if it is not known.") % {"where": where, "signal": signal}
        )
    return str(value)
