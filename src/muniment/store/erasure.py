"""Finds the objects that mention a person, so that these and no others are erased."""

import json
import re
import unicodedata
from collections.abc import Iterable, Iterator
from typing import Any

from muniment.errors import StoreError
from muniment.facts.people import Person, list_identities


def find_mentions_of(objects: Iterable[tuple[str, bytes]], person: Person) -> tuple[str, ...]:
    """Digests of `objects` (digest, content) that mention a person.

    They contain the person's id, handle, name, address, key or account. A text counts if it is one of those, or has the
    name, an address, key or account in it. Raises StoreError for an object that is not JSON, because its content cannot
    be searched.
    """
    named = {person.id, person.handle or person.id, person.name, *list_identities(person), *person.unconfirmed}
    whole = set(map(_normalize_text, named))
    unconfirmed = (identity.partition(":")[2] for identity in person.unconfirmed)
    parts = {
        _normalize_text(text).casefold() for text in (*person.emails, *person.keys, *person.accounts, *unconfirmed)
    }
    name = _name_pattern(_normalize_text(person.name))
    return tuple(digest for digest, data in objects if _mentions_person(digest, data, whole, parts, name))


def _name_pattern(name: str) -> re.Pattern[str]:
    """The name as whole words; in any case if it has more than one, because one alone may be a word of the language."""
    words = r"\s+".join(map(re.escape, name.split())) or r"(?!)"
    return re.compile(rf"(?<!\w){words}(?!\w)", re.IGNORECASE if len(name.split()) > 1 else 0)


def _mentions_person(digest: str, data: bytes, whole: set[str], parts: set[str], name: re.Pattern[str]) -> bool:
    try:
        value = json.loads(data, object_pairs_hook=list)  # a key that is named twice hides no text
    except ValueError as error:
        raise StoreError(f"the object {digest} is not JSON", "Restore it from a backup.") from error
    texts = map(_normalize_text, _iterate_texts(value))
    return any(text in whole or name.search(text) or _contains_any(text.casefold(), parts) for text in texts)


def _normalize_text(text: str) -> str:
    """Normalize one text for all ways to write its letters."""
    return unicodedata.normalize("NFC", text)


def _contains_any(text: str, parts: set[str]) -> bool:
    return any(part in text for part in parts)


def _iterate_texts(value: Any) -> Iterator[str]:
    """Every text in a JSON value whose objects are lists of (key, value), keys too."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | tuple):
        for below in value:
            yield from _iterate_texts(below)
