"""Rules about comments that ignore findings, as a person reads them."""

from pathlib import Path

from muniment.scanners.rule_texts import RuleText, load_rule_texts

FORM_RULE = "ignore-comment-form"


def load_comment_rules() -> dict[str, RuleText]:
    """Load the rules of the engine by id."""
    return load_rule_texts(Path(__file__).with_name("rules.toml"))
