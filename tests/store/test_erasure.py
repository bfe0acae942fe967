"""Which objects speak of a person."""

import json
from typing import Any

import pytest

from muniment.errors import StoreError
from muniment.facts.people import Person
from muniment.store.erasure import mentioning

ADA = Person("ada", "Ada L.", ("Ada@example.test",), ("ssh-ed25519 AAAAkey",), ("gitolite/al",), (), True, ())


def spoken(value: Any) -> bool:
    return mentioning([("sha256:x", json.dumps(value).encode())], ADA) == ("sha256:x",)


@pytest.mark.parametrize(
    "value",
    [
        *("ada", {"ada": 1}, [["ada"]], {"x": {"y": ["person:ada"]}}, "Ada L.", "email:ada@example.test"),
        *("ADA@EXAMPLE.TEST", "mail to <ada@example.test> now", "login:gitolite/al", "key:ssh-ed25519 AAAAkey"),
    ],
)
def test_what_speaks_of_a_person(value: Any) -> None:
    assert spoken(value)


@pytest.mark.parametrize("value", [{}, [], 1, None, "adam", "canada", {"x": "bob"}, "email:bob@example.test"])
def test_what_does_not(value: Any) -> None:
    assert not spoken(value)


def test_a_key_that_is_named_twice_hides_nobody() -> None:
    assert mentioning([("sha256:x", b'{"a":"ada","a":"x"}')], ADA) == ("sha256:x",)


def test_what_cannot_be_read_is_an_error() -> None:
    with pytest.raises(StoreError, match="not JSON"):
        mentioning([("sha256:x", b"\xff")], ADA)
