"""Rules for JavaScript and TypeScript as a person reads them, with their examples. No parser is needed for these."""

from functools import cache
from pathlib import Path
from tomllib import loads

import msgspec

from muniment.scanners.rule_texts import RuleText


class ScriptRule(RuleText, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Requirement on scripts, with examples that it reports (`bad`) and does not report (`good`)."""

    bad: tuple[str, ...]
    good: tuple[str, ...]
    is_hard: bool = False  # no comment ignores it


@cache
def load_script_rules() -> dict[str, ScriptRule]:
    """Load the rules by id."""
    rules: dict[str, ScriptRule] = {}
    for path in sorted((Path(__file__).parent / "rules").glob("*.toml")):
        rules[path.stem] = msgspec.convert(loads(path.read_text(encoding="utf-8")), ScriptRule)
    return rules
