"""Rules of all our own engines. A new engine has one line here."""

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType

from muniment.scanners.comments.comment_rules import load_comment_rules
from muniment.scanners.infrastructure.findings import load_infrastructure_rules
from muniment.scanners.javascript.script_rules import load_script_rules
from muniment.scanners.rule_texts import RuleText
from muniment.scanners.rules import load_scan_rules
from muniment.scanners.secrets.engine import load_secret_rules


@cache
def load_own_rules() -> Mapping[str, RuleText]:
    """Load the rules of our own engines by id."""
    return MappingProxyType(
        {
            **load_scan_rules(),
            **load_script_rules(),
            **load_secret_rules(),
            **load_infrastructure_rules(),
            **load_comment_rules(),
        }
    )
