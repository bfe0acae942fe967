"""Rulesets, as GitHub's REST API has them."""

from msgspec import Struct, field


class BypassActor(Struct, frozen=True):
    """Actor that may bypass a ruleset."""

    actor_type: str
    actor_id: int | None = None
    bypass_mode: str = "always"


class RequiredCheck(Struct, frozen=True):
    """Check that a rule requires, and the only App that may post it."""

    context: str = ""
    integration_id: int | None = None


class RuleParameters(Struct, frozen=True):
    """Parameters of rules that Muniment reads; each type of rule has some of them."""

    required_status_checks: list[RequiredCheck] = field(default_factory=list)
    strict_required_status_checks_policy: bool = False
    required_approving_review_count: int = 0
    dismiss_stale_reviews_on_push: bool = False
    require_extra_approval_for_unattributed_changes: bool = False  # such as those of a coding agent
    allowed_merge_methods: list[str] | None = None


class RulesetRule(Struct, frozen=True):
    """Rule of a ruleset, with its source."""

    type: str
    parameters: RuleParameters = RuleParameters()
    ruleset_id: int = 0
    ruleset_source_type: str = "Repository"
    ruleset_source: str = ""


class Ruleset(Struct, frozen=True):
    """A ruleset. `bypass_actors` is missing for an account that may not change it."""

    id: int
    name: str
    enforcement: str
    target: str = "branch"
    source_type: str = "Repository"
    bypass_actors: list[BypassActor] | None = None
    conditions: dict[str, object] | None = None
    rules: list[RulesetRule] = field(default_factory=list)
