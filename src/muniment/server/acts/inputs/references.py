"""Input of a reference: the name of an existing thing."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from msgspec import structs

from muniment.access.authorization import Actor
from muniment.errors import ParseError
from muniment.server.acts.inputs.base import Choices, Input, InputCode, Label
from muniment.server.acts.inputs.texts import read_visible_text


@dataclass(frozen=True, kw_only=True)
class Reference(Input):
    """Name of an existing thing: people type its handle, the act stores its lasting id.

    `find` gives that id for a name, None for a name of nothing that the person may see, whatever the scopes of
    their token: authorize() decides on those. `offer` gives the list for a page, `name` the name of a stored id, ""
    for one that is gone. `show` gives the name for a person who decides on the act, where that is another.
    """

    find: Callable[[str, Actor], object]
    name: Callable[[Any], str]
    missing: Label  # the sentence for a name of nothing
    remedy: Label
    offer: Callable[[Actor], Iterable[tuple[str, Label]]] | None = None
    show: Callable[[Any], str] | None = None
    most: int = 200
    number: bool = False

    def read_value(self, value: object, actor: Actor) -> object:
        """Read the stored id. Raises ParseError."""
        text = str(value) if type(value) is int else read_visible_text(value, multiline=False)
        found = self.find(text, structs.replace(actor, scopes=None)) if len(text) <= self.most else None
        if found is None:
            raise ParseError(InputCode.NOT_FOUND, str(self.missing), str(self.remedy))
        return found

    def build_schema(self) -> dict[str, object]:
        """JSON string with the handle, or the number."""
        return {"type": "integer", "minimum": 1} if self.number else {"type": "string", "maxLength": self.most}

    @property
    def has_varying_choices(self) -> bool:
        """Whether a page lists choices."""
        return self.offer is not None

    def list_choices(self, actor: Actor) -> Choices | None:
        """Choices of the actor, if a page lists them."""
        return tuple(self.offer(actor)) if self.offer is not None else None

    def format_for_form(self, value: object) -> str:
        """Format the name, as people type it."""
        return "" if value is None else self.name(value)

    def format_for_reader(self, value: object) -> str:
        """Format the name that people know."""
        return self.show(value) if self.show is not None and value is not None else self.format_for_form(value)

    def format_for_record(self, value: object) -> str:
        """Format the lasting id, never the handle."""
        return "" if value is None else str(value)
