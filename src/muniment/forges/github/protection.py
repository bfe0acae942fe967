"""How GitHub protects a branch: rulesets of the repository and its organisation, and the older branch protection.

All of them bind together. Whoever may set aside every source that requires a check gets past that check; a source
whose exceptions are not told counts as one that anybody may set aside.
"""

from collections.abc import Iterable
from urllib.parse import quote

from msgspec import Struct

from muniment.forges.github.client import Hub, at, branch
from muniment.forges.github.wire import BypassActor, Repository, Rule, Ruleset, decoded
from muniment.forges.http import malformed
from muniment.forges.rules import BranchRules, Required
from muniment.forges.shapes import Repo

ANYBODY = "*"
UNATTRIBUTED = "require_extra_approval_for_unattributed_changes"  # such as those of a coding agent
ADMINS = "role:admin"
_ROLES = {2: "role:maintain", 4: "role:write", 5: ADMINS}


class Source(Struct, frozen=True):
    """One thing that binds a branch: its rules by type, and who may set it aside (`ANYBODY` if that is not told)."""

    rules: tuple[Rule, ...]
    bypass: frozenset[str]

    def contexts(self) -> dict[str, str]:
        """The checks that it requires, and by whose id alone each may be given."""
        found: dict[str, str] = {}
        for rule in self.rules:
            if rule.type == "required_status_checks":
                for check in rule.parameters.get("required_status_checks", ()):
                    app = check.get("integration_id")
                    found[str(check.get("context", ""))] = f"app:{app}" if isinstance(app, int) and app > 0 else ""
        return found


def rules(hub: Hub, repository: Repo, ref: str) -> BranchRules:
    """What holds on a branch. Parts that could not be read are told in `unread`, and taken as weak."""
    unread: list[str] = []
    sources = [*_rulesets(hub, repository, ref, unread), *_older(hub, repository, ref)]
    methods = _methods(hub.one(Repository, at(repository)), _all(sources))
    return together(ref, sources, methods, unread)


def together(ref: str, sources: list[Source], methods: tuple[str, ...], unread: Iterable[str] = ()) -> BranchRules:
    """The sources as one."""
    found = _all(sources)
    pulls = [rule.parameters for rule in found if rule.type == "pull_request"]
    approvals = max((_number(pull.get("required_approving_review_count")) for pull in pulls), default=0)
    kinds = {rule.type for rule in found}
    return BranchRules(
        ref=ref,
        protected=bool(sources),
        required_statuses=_required(sources),
        approvals=approvals,
        stale_dismissed=any(pull.get("dismiss_stale_reviews_on_push") is True for pull in pulls),
        unattributed_approval=any(pull.get(UNATTRIBUTED) is True for pull in pulls),
        rejection_blocks=approvals > 0,
        outdated_blocks=any(rule.parameters.get("strict_required_status_checks_policy") is True for rule in found),
        pushers=() if pulls else (ANYBODY,),
        mergers=_mergers(sources),
        force_push="non_fast_forward" not in kinds,
        deletable="deletion" not in kinds,
        bypass=_bypass(sources),
        queue="merge_queue" in kinds,
        methods=methods,
        unread_settings=tuple(unread),
    )


def _all(sources: Iterable[Source]) -> list[Rule]:
    return [rule for source in sources for rule in source.rules]


def _number(value: object) -> int:
    return value if isinstance(value, int) else 0


def _required(sources: Iterable[Source]) -> tuple[Required, ...]:
    found: dict[str, str] = {}
    for source in sources:
        for context, by in source.contexts().items():
            found[context] = found.get(context) or by
    return tuple(Required(context, by) for context, by in sorted(found.items()))


def _bypass(sources: list[Source]) -> tuple[str, ...]:
    contexts = {context for source in sources for context in source.contexts()}
    if not contexts:
        return (ANYBODY,)
    past: set[str] = set()
    for context in contexts:
        past |= _past_all([source.bypass for source in sources if context in source.contexts()])
    return tuple(sorted(past))


def _mergers(sources: Iterable[Source]) -> tuple[str, ...]:
    """Who alone may merge: whoever may set aside each source that restricts updates of the branch."""
    restricting = [source.bypass for source in sources if any(rule.type == "update" for rule in source.rules)]
    if not restricting:
        return (ANYBODY,)
    return tuple(sorted(_past_all(restricting)))


def _past_all(each: list[frozenset[str]]) -> frozenset[str]:
    told = [one for one in each if ANYBODY not in one]
    return frozenset.intersection(*told) if told else frozenset({ANYBODY})


def _methods(found: Repository, bound: list[Rule]) -> tuple[str, ...]:
    given = {
        "merge": found.allow_merge_commit,
        "squash": found.allow_squash_merge,
        "rebase": found.allow_rebase_merge,
    }
    allowed = [name for name, may in given.items() if may is not False]
    for rule in bound:
        listed = rule.parameters.get("allowed_merge_methods") if rule.type == "pull_request" else None
        if isinstance(listed, list):
            allowed = [name for name in allowed if name in listed]
    return tuple(allowed)


# Rulesets


def _rulesets(hub: Hub, repository: Repo, ref: str, unread: list[str]) -> list[Source]:
    found = hub.many(Rule, f"{at(repository)}/rules/branches/{branch(ref)}")
    sources = []
    for number in dict.fromkeys(rule.ruleset_id for rule in found):
        ruleset = hub.one(Ruleset, f"{at(repository)}/rulesets/{number}")
        if ruleset.bypass_actors is None:
            unread.append(f"who may bypass the ruleset {ruleset.name} (permission Administration: write)")
        bound = tuple(rule for rule in found if rule.ruleset_id == number)
        sources.append(Source(bound, passing(ruleset.bypass_actors)))
    return sources


def passing(actors: list[BypassActor] | None) -> frozenset[str]:
    """Who may set a ruleset aside, in words that `Wanted.break_glass` uses too."""
    return frozenset({ANYBODY}) if actors is None else frozenset(map(_actor, actors))


def _actor(actor: BypassActor) -> str:
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


def _older(hub: Hub, repository: Repo, ref: str) -> list[Source]:
    path = f"{at(repository)}/branches/{quote(ref.removeprefix('refs/heads/'), safe='')}"
    answer = hub.rest.get(path)
    if not isinstance(answer, dict):
        raise malformed(path)
    if not decoded(_Branch, answer, path).protection.enabled:
        return []
    found = hub.one(_Protection, f"{path}/protection")
    bound = [Rule(kind) for kind, allowed in _switches(found) if not allowed]
    if found.required_status_checks:
        bound.append(_as_rule(found.required_status_checks))
    if found.required_pull_request_reviews:
        reviews = found.required_pull_request_reviews
        told = {
            "required_approving_review_count": reviews.required_approving_review_count,
            "dismiss_stale_reviews_on_push": reviews.dismiss_stale_reviews,
        }
        bound.append(Rule("pull_request", told))
    return [Source(tuple(bound), frozenset() if found.enforce_admins.enabled else frozenset({ADMINS}))]


def _switches(found: _Protection) -> tuple[tuple[str, bool], ...]:
    return ("non_fast_forward", found.allow_force_pushes.enabled), ("deletion", found.allow_deletions.enabled)


def _as_rule(checks: _Checks) -> Rule:
    listed = [{"context": check.context, "integration_id": check.app_id} for check in checks.checks]
    told = {"required_status_checks": listed, "strict_required_status_checks_policy": checks.strict}
    return Rule("required_status_checks", told)
