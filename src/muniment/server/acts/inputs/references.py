"""The input of a reference: the name of a thing that is here."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from msgspec import structs

from muniment.access.authorize import Actor
from muniment.errors import ParseError
from muniment.server.acts.inputs.base import Choices, Input, InputCode, Label
from muniment.server.acts.inputs.texts import read_text


@dataclass(frozen=True, kw_only=True)
class Reference(Input):
    """The name of a thing that is here: people type its handle, the act stores its lasting id.

    `find` gives that id for a name, None for a name of nothing that the person may see, whatever the scopes of their
    token: authorize() looks at those. `offer` gives what a page lists, `name` the name of a stored id, "" for one that
    is gone.
    """

    find: Callable[[str, Actor], Any]
    name: Callable[[Any], str]
    missing: Label  # the sentence for a name of nothing
    remedy: Label
    offer: Callable[[Actor], Iterable[tuple[str, Label]]] | None = None
    most: int = 200
    number: bool = False

    def read(self, value: object, actor: Actor) -> object:
        """The stored id. Raises ParseError."""
        text = str(value) if type(value) is int else read_text(value, multiline=False)
        found = self.find(text, structs.replace(actor, scopes=None)) if len(text) <= self.most else None
        if found is None:
            raise ParseError(InputCode.NOT_FOUND, str(self.missing), str(self.remedy))
        return found

    def schema(self) -> dict[str, Any]:
        """A JSON string with the handle, or the number."""
        return {"type": "integer", "minimum": 1} if self.number else {"type": "string", "maxLength": self.most}

    def choices(self, actor: Actor) -> Choices | None:
        """What the actor may choose, if a page lists it."""
        return tuple(self.offer(actor)) if self.offer is not None else None

    def to_text(self, value: object) -> str:
        """The name, as people type it."""
        return "" if value is None else self.name(value)

    def to_record(self, value: object) -> str:
        """The lasting id."""
        return "" if value is None else str(value)
