"""Detection of objects that mention a person."""

import json
from typing import Any

import pytest

from muniment.errors import StoreError
from muniment.facts.people import Person
from muniment.store.erasure import find_mentions_of

ADA = Person("ada", "Ada L.", ("Ada@example.test",), ("ssh-ed25519 AAAAkey",), ("gitolite/al",), (), True, ())


def mentions_person(value: Any) -> bool:
    return find_mentions_of([("sha256:x", json.dumps(value).encode())], ADA) == ("sha256:x",)


@pytest.mark.parametrize(
    "value",
    [
        *("ada", {"ada": 1}, [["ada"]], {"x": {"y": ["person:ada"]}}, "Ada L.", "email:ada@example.test"),
        *("ADA@EXAMPLE.TEST", "mail to <ada@example.test> now", "login:gitolite/al", "key:ssh-ed25519 AAAAkey"),
    ],
)
def test_objects_that_mention_a_person_are_found(value: Any) -> None:
    assert mentions_person(value)


@pytest.mark.parametrize("value", [{}, [], 1, None, "adam", "canada", {"x": "bob"}, "email:bob@example.test"])
def test_objects_without_a_mention_are_not_found(value: Any) -> None:
    assert not mentions_person(value)


def test_duplicate_json_key_hides_no_mention() -> None:
    assert find_mentions_of([("sha256:x", b'{"a":"ada","a":"x"}')], ADA) == ("sha256:x",)


def test_unreadable_object_is_an_error() -> None:
    with pytest.raises(StoreError, match="not JSON"):
        find_mentions_of([("sha256:x", b"\xff")], ADA)
