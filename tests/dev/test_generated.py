"""Generated documents are those that the code gives now."""

import json

import pytest
from jsonschema import Draft202012Validator

from dev.generate import REFERENCE, documents
from tests.support.shop import Shop, keys, shop

__all__ = ["keys", "shop"]


@pytest.mark.parametrize("name", sorted(documents()))
def test_a_generated_document_is_not_stale(name: str) -> None:
    assert (REFERENCE / name).read_text(encoding="utf-8") == documents()[name], "run: python -m dev.generate"


def test_what_check_prints_follows_the_schema(shop: Shop) -> None:
    schema = json.loads((REFERENCE / "check.schema.json").read_text(encoding="utf-8"))
    validator = Draft202012Validator(schema)
    head = shop.repo.commit({"lib.py": "x = 2\n"}, on="topic", parents=["main"], author="Mallory <m@evil.test>")
    validator.validate(shop.check(head))
    shop.approve("bob", head)
    validator.validate(shop.check(head))
