"""The list of erasures: for each one a salt and a commitment to the person, and no name.

It is stored beside the copy of the checkpoint outside the home, or printed by `muniment erasures`. A restore compares
each person whom a backup brings back with it, and erases those again who are on it.
"""

import json

from msgspec import Struct

from muniment.errors import StoreError
from muniment.ledger import objects

NAME = "erasures"
_HEADER = "# Erasures of an installation: a salt and a commitment for each, and no name. Keep every line.\n"


class ErasureLine(Struct, frozen=True, order=True):
    """One erasure: its moment, the salt and the commitment to the internal id of the person."""

    time: str
    salt: str
    commitment: str

    def is_about(self, person: str) -> bool:
        """Whether it is the erasure of the person with this internal id."""
        return objects.commitment(person, self.salt) == self.commitment


def make_line(person: str, now: str) -> ErasureLine:
    """The line for a person who is erased now."""
    salt = objects.salt()
    return ErasureLine(now, salt, objects.commitment(person, salt))


def write_list(lines: frozenset[ErasureLine]) -> str:
    """The whole list, oldest first."""
    return _HEADER + "".join(
        json.dumps({"time": one.time, "salt": one.salt, "commitment": one.commitment}) + "\n" for one in sorted(lines)
    )


def read_list(data: bytes) -> frozenset[ErasureLine]:
    """The lines of a list. Raises StoreError for anything else, and for a list that was cut off."""
    header, *rest = data.decode("utf-8", "replace").splitlines(keepends=True) or [""]
    try:
        if header != _HEADER or not data.endswith(b"\n"):
            raise ValueError
        return frozenset(ErasureLine(**{name: str(text) for name, text in json.loads(one).items()}) for one in rest)
    except (ValueError, TypeError, AttributeError) as error:
        raise StoreError(
            "this is no whole list of erasures", "Take what `muniment erasures` printed, as it is."
        ) from error
