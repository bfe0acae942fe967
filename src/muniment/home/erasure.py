"""Which objects speak of a person, so that these and no others are erased."""

import json
from collections.abc import Iterable, Iterator
from typing import Any

from muniment.errors import HomeError
from muniment.facts.people import Person, identities


def mentioning(objects: Iterable[tuple[str, bytes]], person: Person) -> tuple[str, ...]:
    """Digests of those of `objects` (digest, content) that hold the person's id, name, address, key or account.

    A text counts if it is one of those, or has an address, key or account in it. Raises HomeError for an object that
    is not JSON: nobody can tell what it says.
    """
    whole = {person.id, person.name, *identities(person)}
    parts = {text.casefold() for text in (*person.emails, *person.keys, *person.accounts)}
    return tuple(digest for digest, data in objects if _speaks(digest, data, whole, parts))


def _speaks(digest: str, data: bytes, whole: set[str], parts: set[str]) -> bool:
    try:
        value = json.loads(data)
    except ValueError as error:
        raise HomeError(f"the object {digest} is not JSON", "Restore it from a backup.") from error
    return any(text in whole or _holds(text.casefold(), parts) for text in _texts(value))


def _holds(text: str, parts: set[str]) -> bool:
    return any(part in text for part in parts)


def _texts(value: Any) -> Iterator[str]:
    """Every text in a JSON value, keys too."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, below in value.items():
            yield key
            yield from _texts(below)
    elif isinstance(value, list):
        for below in value:
            yield from _texts(below)
