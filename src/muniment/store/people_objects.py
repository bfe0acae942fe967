"""People as objects of a store, one for each person and machine, so that each can be erased alone.

An object holds a salt that was drawn when its content was first stored here. A store remembers which object has which
content, so that an equal person has an equal object, and the list of them one digest, as long as nothing changes: what
an evaluation adds for people who are known is nothing.
"""

import os
from collections.abc import Mapping

from msgspec import Struct

from muniment.facts import canonical
from muniment.facts.people import People, PeopleList, SaltedHolder


class PeopleObjects(Struct, frozen=True):
    """Objects for storing people: `reference` is the digest of their list, `contents` their objects by content digest.

    `new` are the objects that did not exist, by content digest; `listing` is the list itself.
    """

    reference: str
    listing: bytes
    contents: dict[str, str]
    new: dict[str, bytes]


def make_people_objects(people: People, known_objects: Mapping[str, str]) -> PeopleObjects:
    """Make the objects that are not `known_objects` (object digests by content digest), and the list of all."""
    contents: dict[str, str] = {}
    new: dict[str, bytes] = {}
    order: list[str] = []
    for holder, content in zip(people.holders, people.content_digests, strict=True):
        digest = known_objects.get(content)
        if digest is None:
            new[content] = canonical.encode(SaltedHolder(holder, os.urandom(16).hex()))
            digest = canonical.digest_bytes(new[content])
        contents[content] = digest
        order.append(digest)
    listing = canonical.encode(PeopleList(tuple(order)))
    return PeopleObjects(canonical.digest_bytes(listing), listing, contents, new)
