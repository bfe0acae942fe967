"""The list of erasures: for each one a salt and a commitment to the person, and no name.

It is stored with the external copy of the checkpoint, or printed by `muniment erasures`. A restore compares each
person in a backup with it, and erases those again who are on it.
"""

import json

from msgspec import Struct

from muniment.errors import StoreError
from muniment.ledger import record_objects

LIST_NAME = "erasures"
_HEADER = "# Erasures of an installation: a salt and a commitment for each, and no name. Keep every line.\n"


class ErasureLine(Struct, frozen=True, order=True):
    """Line about one erasure: its moment, the salt and the commitment to the internal id of the person."""

    time: str
    salt: str
    commitment: str

    def is_about(self, person: str) -> bool:
        """Whether this is the erasure of the person with this internal id."""
        return record_objects.make_commitment(person, self.salt) == self.commitment


def make_erasure_line(person: str, now: str) -> ErasureLine:
    """Line for a person who is erased now."""
    salt = record_objects.draw_salt()
    return ErasureLine(now, salt, record_objects.make_commitment(person, salt))


def format_list(lines: frozenset[ErasureLine]) -> str:
    """The whole list, oldest first."""
    return _HEADER + "".join(
        json.dumps({"time": one.time, "salt": one.salt, "commitment": one.commitment}) + "\n" for one in sorted(lines)
    )


def parse_list(data: bytes) -> frozenset[ErasureLine]:
    """Lines of a list. Raises StoreError for any other text, and for a list that was cut off."""
    header, *rest = data.decode("utf-8", "replace").splitlines(keepends=True) or [""]
    try:
        if header != _HEADER or not data.endswith(b"\n"):
            raise ValueError
        return frozenset(ErasureLine(**{name: str(text) for name, text in json.loads(one).items()}) for one in rest)
    except (ValueError, TypeError, AttributeError) as error:
        raise StoreError(
            "this is no whole list of erasures", "Take what `muniment erasures` printed, as it is."
        ) from error
