"""Layout of paths and roles in the vault: names that could reach another path or role are refused."""

import re

import pytest

from muniment.errors import ParseError
from muniment.vault import layout


def test_environment_has_one_path_role_policy_and_mount() -> None:
    assert layout.secret_path("shop", "production") == "shop/production"
    assert layout.role_name("shop", "production") == "shop.production"
    assert layout.reading_policy_name("shop", "production") == "muniment-read.shop.production"
    assert layout.runner_mount("shop", "production") == "runner.shop.production"


@pytest.mark.parametrize("slug", ["", ".", "..", "a/b", "a.b", "*", "+", "a*", "A", "a b", "a\n", "-a", "a-", "ä"])
def test_name_that_could_reach_another_path_is_refused(slug: str) -> None:
    for name in (layout.secret_path, layout.role_name, layout.reading_policy_name, layout.runner_mount):
        with pytest.raises(ParseError, match="cannot name"):
            name(slug, "production")
        with pytest.raises(ParseError, match="cannot name"):
            name("shop", slug)


@pytest.mark.parametrize("name", ["", "1A", "A-B", "A B", "A\n", "A=B", "A" * 129, "LD.PRELOAD"])
def test_invalid_environment_variable_name_is_refused(name: str) -> None:
    assert not re.fullmatch(layout.NAME_PATTERN, name)
