"""Reads branch protection at GitHub: rulesets of the repository and its organisation, and the older branch protection.

All of them apply together. An actor that may bypass every source that requires a check bypasses that check; a source
with unknown bypass actors counts as one that anybody may bypass.
"""

from collections.abc import Iterable
from urllib.parse import quote

from msgspec import Struct

from muniment.forges.branch_rules import BranchRules, RequiredStatus
from muniment.forges.github.client import GitHubClient, quote_branch, repository_path
from muniment.forges.github.ruleset_wire import BypassActor, RequiredCheck, RuleParameters, Ruleset, RulesetRule
from muniment.forges.github.wire import RepositoryAnswer
from muniment.forges.shapes import ForgeRepository

ANY_ACTOR = "*"
ADMINS = "role:admin"
_ROLES = {2: "role:maintain", 4: "role:write", 5: ADMINS}


class ProtectionSource(Struct, frozen=True):
    """A ruleset or branch protection: its rules by type, and the actors that may bypass it (`ANYBODY` if unknown)."""

    rules: tuple[RulesetRule, ...]
    bypass: frozenset[str]

    def required_contexts(self) -> dict[str, str]:
        """The checks that it requires, and the id of the only App that may post each, or ""."""
        found: dict[str, str] = {}
        for rule in self.rules:
            if rule.type == "required_status_checks":
                for check in rule.parameters.required_status_checks:
                    app = check.integration_id
                    found[check.context] = f"app:{app}" if app is not None and app > 0 else ""
        return found


def read_rules(hub: GitHubClient, repository: ForgeRepository, ref: str) -> BranchRules:
    """Rules of a branch. Parts that could not be read are listed in `unread_settings`, and taken as weak."""
    unread: list[str] = []
    sources = [*_read_rulesets(hub, repository, ref, unread), *_read_branch_protection(hub, repository, ref)]
    methods = _find_methods(hub.read_one(RepositoryAnswer, repository_path(repository)), _list_rules(sources))
    return merge_sources(ref, sources, methods, unread)


def merge_sources(
    ref: str, sources: list[ProtectionSource], methods: tuple[str, ...], unread: Iterable[str] = ()
) -> BranchRules:
    """Rules of all sources together."""
    found = _list_rules(sources)
    pulls = [rule.parameters for rule in found if rule.type == "pull_request"]
    approvals = max((pull.required_approving_review_count for pull in pulls), default=0)
    kinds = {rule.type for rule in found}
    return BranchRules(
        ref=ref,
        protected=bool(sources),
        required_statuses=_merge_required(sources),
        approvals=approvals,
        stale_dismissed=any(pull.dismiss_stale_reviews_on_push for pull in pulls),
        unattributed_approval=any(pull.require_extra_approval_for_unattributed_changes for pull in pulls),
        rejection_blocks=approvals > 0,
        outdated_blocks=any(rule.parameters.strict_required_status_checks_policy for rule in found),
        pushers=() if pulls else (ANY_ACTOR,),
        mergers=_find_mergers(sources),
        force_push="non_fast_forward" not in kinds,
        deletable="deletion" not in kinds,
        bypass=_find_bypass(sources),
        queue="merge_queue" in kinds,
        methods=methods,
        unread_settings=tuple(unread),
    )


def _list_rules(sources: Iterable[ProtectionSource]) -> list[RulesetRule]:
    return [rule for source in sources for rule in source.rules]


def _merge_required(sources: Iterable[ProtectionSource]) -> tuple[RequiredStatus, ...]:
    found: dict[str, str] = {}
    for source in sources:
        for context, by in source.required_contexts().items():
            found[context] = found.get(context) or by
    return tuple(RequiredStatus(context, by) for context, by in sorted(found.items()))


def _find_bypass(sources: list[ProtectionSource]) -> tuple[str, ...]:
    contexts = {context for source in sources for context in source.required_contexts()}
    if not contexts:
        return (ANY_ACTOR,)
    past: set[str] = set()
    for context in contexts:
        past |= _intersect_bypass([source.bypass for source in sources if context in source.required_contexts()])
    return tuple(sorted(past))


def _find_mergers(sources: Iterable[ProtectionSource]) -> tuple[str, ...]:
    """Actors that may merge: those that may bypass each source that restricts updates of the branch."""
    restricting = [source.bypass for source in sources if any(rule.type == "update" for rule in source.rules)]
    if not restricting:
        return (ANY_ACTOR,)
    return tuple(sorted(_intersect_bypass(restricting)))


def _intersect_bypass(each: list[frozenset[str]]) -> frozenset[str]:
    limited = [one for one in each if ANY_ACTOR not in one]
    return frozenset.intersection(*limited) if limited else frozenset({ANY_ACTOR})


def _find_methods(found: RepositoryAnswer, bound: list[RulesetRule]) -> tuple[str, ...]:
    given = {
        "merge": found.allow_merge_commit,
        "squash": found.allow_squash_merge,
        "rebase": found.allow_rebase_merge,
    }
    allowed = [name for name, may in given.items() if may is not False]
    for rule in bound:
        listed = rule.parameters.allowed_merge_methods if rule.type == "pull_request" else None
        if listed is not None:
            allowed = [name for name in allowed if name in listed]
    return tuple(allowed)


# Rulesets


def _read_rulesets(
    hub: GitHubClient, repository: ForgeRepository, ref: str, unread: list[str]
) -> list[ProtectionSource]:
    found = hub.read_list(RulesetRule, f"{repository_path(repository)}/rules/branches/{quote_branch(ref)}")
    sources = []
    for number in dict.fromkeys(rule.ruleset_id for rule in found):
        ruleset = hub.read_one(Ruleset, f"{repository_path(repository)}/rulesets/{number}")
        if ruleset.bypass_actors is None:
            unread.append(f"who may bypass the ruleset {ruleset.name} (permission Administration: write)")
        bound = tuple(rule for rule in found if rule.ruleset_id == number)
        sources.append(ProtectionSource(bound, list_bypass_actors(ruleset.bypass_actors)))
    return sources


def list_bypass_actors(actors: list[BypassActor] | None) -> frozenset[str]:
    """Actors that may bypass a ruleset, named as in `WantedProtection.break_glass`."""
    return frozenset({ANY_ACTOR}) if actors is None else frozenset(map(_name_actor, actors))


def _name_actor(actor: BypassActor) -> str:
    if actor.actor_type == "OrganizationAdmin":
        return "owners"
    if actor.actor_type == "DeployKey":
        return "deploy-keys"
    if actor.actor_type == "RepositoryRole":
        return _ROLES.get(actor.actor_id or 0, f"role:{actor.actor_id}")
    return f"{actor.actor_type.lower().replace('integration', 'app')}:{actor.actor_id}"


# The older branch protection


class _Protected(Struct, frozen=True):
    enabled: bool = False


class _Branch(Struct, frozen=True):
    protection: _Protected


class _Switch(Struct, frozen=True):
    enabled: bool = False


class _Check(Struct, frozen=True):
    context: str
    app_id: int | None = None


class _Checks(Struct, frozen=True):
    strict: bool = False
    checks: list[_Check] = []


class _Reviews(Struct, frozen=True):
    dismiss_stale_reviews: bool = False
    required_approving_review_count: int = 0


class _Protection(Struct, frozen=True):
    required_status_checks: _Checks | None = None
    enforce_admins: _Switch = _Switch()
    required_pull_request_reviews: _Reviews | None = None
    allow_force_pushes: _Switch = _Switch()
    allow_deletions: _Switch = _Switch()


def _read_branch_protection(hub: GitHubClient, repository: ForgeRepository, ref: str) -> list[ProtectionSource]:
    path = f"{repository_path(repository)}/branches/{quote(ref.removeprefix('refs/heads/'), safe='')}"
    if not hub.read_one(_Branch, path).protection.enabled:
        return []
    found = hub.read_one(_Protection, f"{path}/protection")
    bound = [RulesetRule(kind) for kind, allowed in _list_switches(found) if not allowed]
    if found.required_status_checks:
        bound.append(_convert_checks(found.required_status_checks))
    if found.required_pull_request_reviews:
        reviews = found.required_pull_request_reviews
        parameters = RuleParameters(
            required_approving_review_count=reviews.required_approving_review_count,
            dismiss_stale_reviews_on_push=reviews.dismiss_stale_reviews,
        )
        bound.append(RulesetRule("pull_request", parameters))
    return [ProtectionSource(tuple(bound), frozenset() if found.enforce_admins.enabled else frozenset({ADMINS}))]


def _list_switches(found: _Protection) -> tuple[tuple[str, bool], ...]:
    return ("non_fast_forward", found.allow_force_pushes.enabled), ("deletion", found.allow_deletions.enabled)


def _convert_checks(checks: _Checks) -> RulesetRule:
    listed = [RequiredCheck(check.context, check.app_id) for check in checks.checks]
    parameters = RuleParameters(required_status_checks=listed, strict_required_status_checks_policy=checks.strict)
    return RulesetRule("required_status_checks", parameters)
