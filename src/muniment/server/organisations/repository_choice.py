"""Chooses repositories by a rule, and the product of each. Pure: arguments in, values out.

A rule that names nothing chooses nothing. An archived repository is never chosen: nothing is merged there.
"""

import hashlib
import re
from collections.abc import Collection, Iterable, Mapping
from enum import StrEnum

from msgspec import Struct

from muniment.policy.patterns import find_syntax_problem, matches_any

_MOST = 64  # characters of a product's id
_DIGEST = 8  # letters that distinguish two products whose ids would be the same
_NOT_IN_ID = re.compile(r"[^a-z0-9]+")


class ProductMapping(StrEnum):
    """How repositories become products: one each, one for each group or owner, or all of them one."""

    EACH = "each"
    GROUP = "group"
    ONE = "one"


class ChoiceRule(Struct, frozen=True, kw_only=True):
    """Rule that chooses repositories of one connection. `product` is the id where `mapping` is ONE.

    A repository is chosen by `everything`, or by one of `patterns`, `owners` or `topics`, unless one of `excluded`
    matches its path. Owners and topics are compared without regard to case, as forges do.
    """

    name: str
    mapping: ProductMapping
    product: str = ""
    patterns: tuple[str, ...] = ()
    owners: tuple[str, ...] = ()
    topics: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()
    everything: bool = False
    automatic: bool = True


class OfferedRepository(Struct, frozen=True):
    """Repository that a connection sees and that belongs to no product."""

    path: str
    topics: tuple[str, ...] = ()
    archived: bool = False


class ChosenRepository(Struct, frozen=True):
    """Repository that a rule chose, with the id and the name of the product that it joins."""

    path: str
    product: str
    product_name: str
    rule: str


def find_owner(path: str) -> str:
    """Owner or group of a repository: its path without the last part."""
    return path.rpartition("/")[0]


def is_chosen(rule: ChoiceRule, repository: OfferedRepository) -> bool:
    """Whether a rule chooses a repository."""
    if repository.archived or matches_any(repository.path, rule.excluded):
        return False
    if rule.everything or matches_any(repository.path, rule.patterns):
        return True
    topics = {topic.casefold() for topic in repository.topics}
    return _has_owner(rule, repository.path) or not topics.isdisjoint(topic.casefold() for topic in rule.topics)


def _has_owner(rule: ChoiceRule, path: str) -> bool:
    """Whether the repository belongs to an owner of the rule, or to a group below one."""
    place = f"{find_owner(path).casefold()}/"
    return any(place.startswith(f"{owner.strip('/').casefold()}/") for owner in rule.owners)


def choose_repositories(
    rules: Iterable[ChoiceRule],
    offered: Iterable[OfferedRepository],
    products: Mapping[str, frozenset[str]] | None = None,
) -> tuple[ChosenRepository, ...]:
    """Choose repositories by path, each by the first rule that chooses it.

    Rules that name one product come first: they say more than one for all. `products` are the paths of the repositories
    of each product that exists, by id: an id that belongs to other repositories is not taken for a new product.
    """
    ordered = sorted(rules, key=lambda rule: (rule.mapping is not ProductMapping.ONE, rule.name))
    paths = {product: set(found) for product, found in (products or {}).items()}
    chosen: list[ChosenRepository] = []
    for repository in sorted(offered, key=lambda one: one.path):
        rule = next((one for one in ordered if is_chosen(one, repository)), None)
        if rule is None:
            continue
        product, name = _find_product(rule, repository.path, paths)
        paths.setdefault(product, set()).add(repository.path)
        chosen.append(ChosenRepository(repository.path, product, name, rule.name))
    return tuple(chosen)


def _find_product(rule: ChoiceRule, path: str, paths: Mapping[str, Collection[str]]) -> tuple[str, str]:
    """Id of the product of a repository, and its name if it is new."""
    if rule.mapping is ProductMapping.ONE:
        return rule.product, rule.product
    name = (find_owner(path) or path) if rule.mapping is ProductMapping.GROUP else path
    wanted = make_product_id(name)
    is_other = any(
        (find_owner(one) or one) != name if rule.mapping is ProductMapping.GROUP else one != name
        for one in paths.get(wanted, ())
    )
    return make_product_id(name, distinct=is_other), name


def make_product_id(name: str, *, distinct: bool = False) -> str:
    """Id of a product for a path; with a digest of the path where the letters alone do not distinguish it."""
    plain = _NOT_IN_ID.sub("-", name.casefold()).strip("-")
    if plain and len(plain) <= _MOST and not distinct:
        return plain
    digest = hashlib.sha256(name.encode()).hexdigest()[:_DIGEST]
    return f"{plain[: _MOST - _DIGEST - 1].strip('-')}-{digest}".strip("-")


def find_rule_problem(rule: ChoiceRule) -> str:
    """Problem of a rule as a clause in English, "" for none."""
    for pattern in (*rule.patterns, *rule.excluded):
        if problem := find_syntax_problem(pattern):
            return f"the pattern {pattern!r} is wrong: {problem}"
    if not (rule.everything or rule.patterns or rule.owners or rule.topics):
        return "it chooses nothing: name patterns, owners or topics, or choose all"
    if (rule.mapping is ProductMapping.ONE) != bool(rule.product):
        return "a product is named if and only if all repositories join one product"
    return ""
