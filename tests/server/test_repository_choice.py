"""Rules choose repositories: none that no rule names, and no product takes repositories of another."""

import pytest

from muniment.server.organisations.repository_choice import (
    ChoiceRule,
    OfferedRepository,
    ProductMapping,
    choose_repositories,
    find_rule_problem,
    is_chosen,
    make_product_id,
)

EACH, GROUP, ONE = ProductMapping.EACH, ProductMapping.GROUP, ProductMapping.ONE


def rule(mapping: ProductMapping = EACH, **fields: object) -> ChoiceRule:
    return ChoiceRule(**{"name": "r", "mapping": mapping, **fields})  # type: ignore[arg-type]


def offer(*paths: str) -> list[OfferedRepository]:
    return [OfferedRepository(path) for path in paths]


@pytest.mark.parametrize(
    ("fields", "chosen"),
    [
        ({}, False),
        ({"everything": True}, True),
        ({"patterns": ("acme/*",)}, True),
        ({"patterns": ("other/*",)}, False),
        ({"owners": ("ACME",)}, True),
        ({"owners": ("acm",)}, False),
        ({"topics": ("Payments",)}, True),
        ({"topics": ("pay",)}, False),
        ({"everything": True, "excluded": ("acme/a*",)}, False),
    ],
)
def test_rule_chooses_only_what_it_names(fields: dict[str, object], chosen: bool) -> None:
    repository = OfferedRepository("acme/api", ("payments",))
    assert is_chosen(rule(EACH, **fields), repository) is chosen


def test_owner_of_group_includes_groups_below() -> None:
    assert is_chosen(rule(owners=("acme",)), OfferedRepository("acme/team/api"))
    assert not is_chosen(rule(owners=("acme",)), OfferedRepository("acmeteam/api"))


def test_archived_repository_is_never_chosen() -> None:
    assert not is_chosen(rule(everything=True), OfferedRepository("acme/api", archived=True))


def test_each_repository_has_product_of_its_own() -> None:
    found = choose_repositories([rule(everything=True)], offer("a/b-c", "a-b/c", "a/api"))
    assert [one.path for one in found] == ["a-b/c", "a/api", "a/b-c"]
    assert len({one.product for one in found}) == 3  # the letters of two of them are the same
    assert {one.path: one.product for one in found}["a/api"] == "a-api"


def test_group_is_one_product_also_once_it_was_renamed() -> None:
    found = choose_repositories([rule(GROUP, everything=True)], offer("shop/new"), {"shop": frozenset({"shop/api"})})
    assert [(one.product, one.product_name) for one in found] == [("shop", "shop")]


def test_id_of_other_repositories_is_not_taken() -> None:
    there = {"shop-api": frozenset({"other/thing"})}
    (found,) = choose_repositories([rule(everything=True)], offer("shop/api"), there)
    assert found.product.startswith("shop-api-")
    assert found.product_name == "shop/api"
    (joined,) = choose_repositories([rule(everything=True)], offer("shop/api"), {"shop-api": frozenset()})
    assert joined.product == "shop-api"


def test_rule_for_one_product_comes_before_rule_for_all() -> None:
    rules = [rule(everything=True, name="a"), rule(ONE, name="z", product="web-shop", patterns=("shop/*",))]
    found = choose_repositories(rules, offer("shop/api", "other/x"))
    assert [(one.path, one.product, one.rule) for one in found] == [
        ("other/x", "other-x", "a"),
        ("shop/api", "web-shop", "z"),
    ]


def test_choice_is_the_same_whatever_the_order() -> None:
    paths = ("a/b-c", "a-b/c", "x/y", "x/z")
    rules = [rule(GROUP, name="g", owners=("x",)), rule(everything=True, name="h")]
    assert choose_repositories(rules, offer(*paths)) == choose_repositories(rules[::-1], offer(*paths[::-1]))


@pytest.mark.parametrize("name", ["a" * 80, "___", "\u00e9/\u4e16", "x/" + "y" * 70])
def test_product_id_is_valid_and_distinct(name: str) -> None:
    import re

    from muniment.server.products.models import SLUG_PATTERN

    assert re.fullmatch(SLUG_PATTERN, make_product_id(name))
    assert make_product_id(name) != make_product_id(name + "2")


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (rule(), "chooses nothing"),
        (rule(patterns=("a[b]",)), "is wrong"),
        (rule(ONE, everything=True), "a product is named"),
        (rule(everything=True, product="x"), "a product is named"),
        (rule(everything=True, excluded=("/x",)), "is wrong"),
    ],
)
def test_unusable_rule_says_why(wrong: ChoiceRule, said: str) -> None:
    assert said in find_rule_problem(wrong)
    assert find_rule_problem(rule(owners=("acme",))) == ""
