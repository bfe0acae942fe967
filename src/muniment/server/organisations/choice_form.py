"""Reads the form by which a person tries a rule before it is set: from an address, so that it can be sent to others."""

from collections.abc import Mapping
from typing import NamedTuple

from muniment.server.organisations.repository_choice import ChoiceRule, ProductMapping, find_rule_problem

_LONGEST = 20_000  # characters of a list
_LISTS = ("owners", "patterns", "topics", "excluded")


class ChoiceForm(NamedTuple):
    """The rule that a form says, its lists as they were typed, and why it cannot be used, "" if it can."""

    rule: ChoiceRule
    texts: Mapping[str, str]
    is_sent: bool
    problem: str


def read_choice_form(sent: Mapping[str, str]) -> ChoiceForm:
    """Read a rule. One that is not complete chooses nothing, and says why once something was sent."""
    texts = {name: sent.get(name, "")[:_LONGEST] for name in _LISTS}
    mapping = sent.get("mapping", "")
    rule = ChoiceRule(
        name=sent.get("name", "").strip()[:64] or "all",
        mapping=ProductMapping(mapping) if mapping in {one.value for one in ProductMapping} else ProductMapping.EACH,
        product=sent.get("product", "").strip()[:64],
        everything=sent.get("everything") in ("on", "yes"),
        patterns=_read_lines(texts["patterns"]),
        owners=_read_lines(texts["owners"]),
        topics=_read_lines(texts["topics"]),
        excluded=_read_lines(texts["excluded"]),
    )
    return ChoiceForm(rule, texts, is_sent=bool(mapping), problem=find_rule_problem(rule))


def _read_lines(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(line.strip() for line in text.splitlines() if line.strip()))
