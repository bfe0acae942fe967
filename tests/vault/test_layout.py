"""Names that could reach another path or role are refused."""

import re

import pytest

from muniment.errors import ParseError
from muniment.vault import layout


def test_an_environment_has_one_path_one_role_one_policy_one_mount() -> None:
    assert layout.place("shop", "production") == "shop/production"
    assert layout.role("shop", "production") == "shop.production"
    assert layout.reading("shop", "production") == "muniment-read.shop.production"
    assert layout.runner("shop", "production") == "runner.shop.production"


@pytest.mark.parametrize("slug", ["", ".", "..", "a/b", "a.b", "*", "+", "a*", "A", "a b", "a\n", "-a", "a-", "ä"])
def test_what_could_name_another_path_is_refused(slug: str) -> None:
    for name in (layout.place, layout.role, layout.reading, layout.runner):
        with pytest.raises(ParseError, match="cannot name"):
            name(slug, "production")
        with pytest.raises(ParseError, match="cannot name"):
            name("shop", slug)


@pytest.mark.parametrize("name", ["", "1A", "A-B", "A B", "A\n", "A=B", "A" * 129, "LD.PRELOAD"])
def test_a_name_that_no_environment_variable_can_have_is_refused(name: str) -> None:
    assert not re.fullmatch(layout.NAME_PATTERN, name)
