"""One act at each of its doors: the page, the API and the parser that documents go through."""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from django.db import transaction
from django.test import Client

from muniment.access.authorization import Actor
from muniment.errors import ActInputError
from muniment.server.acts.act import Act
from muniment.server.acts.parser import merge_fields, parse_act
from muniment.server.people.models import Person
from tests.support.service import browser, token_of

HOSTILE = (  # texts that no field but free text takes, and those that none takes
    "\u202exyz",
    "a\u200bb",
    "x\x00y",
    "\ud7ff\u2028",
    "--upload-pack=x",
    "../x",
    "<b>x</b>",
    "'; DROP TABLE x; --",
    "\u0661",
    "9" * 40,
    "-1",
    "x" * 300_000,
)


class Door(NamedTuple):
    """Where an act is sent: its page and its operation of the API, the fields of those addresses, and good fields.

    `path` is "" for an act that the API does not have.
    """

    act: type[Act]
    page: str
    method: str
    path: str
    fixed: Mapping[str, object]
    good: dict[str, Any]


def hostile_fields(door: Door, *, optional: bool = False) -> Iterator[dict[str, Any]]:
    """The good fields with one that is missing, hostile or not there at all; each in turn. None is missing where the
    fields are `optional`.
    """
    for name in door.good:
        if not optional:
            yield {other: value for other, value in door.good.items() if other != name}
        for value in HOSTILE:
            yield {**door.good, name: value}
    yield {**door.good, "no_such_field": "x"}


class Doors:
    """Sends fields to each door of an act as one person, and undoes what came of it. `page_fields` are those of the
    address that the page has in its form.
    """

    def __init__(self, door: Door, someone: Person, page_fields: Mapping[str, str] | None = None) -> None:
        self.door = door
        self._page_fields = dict(page_fields or {})
        self._actor = Actor(someone.pk, active=True, grants=someone.load_roles(), second_factor=True)
        self._browser = browser(someone)
        self._program = Client(HTTP_HOST="localhost", headers={"Authorization": f"Bearer {token_of(someone)}"})

    def answers(self, fields: Mapping[str, Any]) -> tuple[bool, bool, bool]:
        """Whether the page, the API and the parser could read the fields."""
        parsed = self._parsed(fields)
        return self._page(fields), self._api(fields) if self.door.path else parsed, parsed

    def _page(self, fields: Mapping[str, Any]) -> bool:
        form = {"act": self.door.act.act_tag(), **self._page_fields, **fields}
        status = _undone(lambda: self._browser.post(self.door.page, form))
        assert status in (302, 422), (status, fields)
        return status == 302

    def _api(self, fields: Mapping[str, Any]) -> bool:
        where, data = f"/api{self.door.path}", json.dumps(fields)
        status = _undone(lambda: self._program.generic(self.door.method, where, data, content_type="application/json"))
        assert status in (200, 409, 422), (status, fields)
        return status != 422

    def _parsed(self, fields: Mapping[str, Any]) -> bool:
        try:
            parse_act(self.door.act, merge_fields(fields, self.door.fixed), self._actor)
        except ActInputError:
            return False
        return True


def _undone(send: Callable[[], Any]) -> int:
    with transaction.atomic():
        status: int = send().status_code
        transaction.set_rollback(True)
    return status
