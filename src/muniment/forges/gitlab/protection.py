"""Reads branch protection at GitLab. A status alone enforces nothing there; merge access does.

Of several patterns that match a branch the most permissive counts, as in GitLab. A feature that a tier lacks is
absent, and not a failure: approval rules and settings come with Premium, external status checks with Ultimate.
"""

from collections.abc import Iterable

from msgspec import Struct

from muniment.forges.branch_rules import BranchRules, RequiredStatus
from muniment.forges.gitlab import wire
from muniment.forges.gitlab.client import DEVELOPER, MAINTAINER, GitLabClient, branch_name, project_path
from muniment.forges.shapes import ForgeRepository

ANY_ROLE = "*"
PIPELINE = "pipeline"  # stands for all jobs and statuses of the head's pipeline
_LEVELS = {DEVELOPER: ANY_ROLE, MAINTAINER: "maintainers", 60: "administrators"}


class BranchProtection(Struct, frozen=True):
    """Protection of a branch: the rules that fit it, and the settings of its project."""

    ref: str
    project: wire.Project
    fitting: tuple[wire.BranchProtection, ...]
    settings: wire.ApprovalSettings | None  # None below Premium
    needed: tuple[wire.ApprovalRule, ...]
    checks: tuple[wire.ExternalCheck, ...] | None  # None below Ultimate

    def find_exact_rule(self) -> wire.BranchProtection | None:
        """The rule for exactly this branch."""
        return next((one for one in self.fitting if one.name == branch_name(self.ref)), None)


def read_protection(lab: GitLabClient, repository: ForgeRepository, ref: str) -> BranchProtection:
    """Rules and settings for a branch. Raises ForgeError if any request failed."""
    base = project_path(repository)
    fitting = tuple(
        one
        for one in lab.read_list(wire.BranchProtection, f"{base}/protected_branches")
        if matches_pattern(one.name, branch_name(ref))
    )
    nothing: wire.ApprovalSettings | None = None
    settings = lab.read_or_default(lambda: lab.read_one(wire.ApprovalSettings, f"{base}/approvals"), nothing)
    rules = lab.read_list(wire.ApprovalRule, f"{base}/approval_rules") if settings is not None else ()
    none: tuple[wire.ExternalCheck, ...] | None = None
    checks = lab.read_or_default(lambda: lab.read_list(wire.ExternalCheck, f"{base}/external_status_checks"), none)
    return BranchProtection(ref, lab.read_one(wire.Project, base), fitting, settings, rules, checks)


def matches_pattern(pattern: str, branch: str) -> bool:
    """Whether a pattern of GitLab's matches: `*` stands for any text, with slashes."""
    first, *rest = pattern.split("*")
    if not rest:
        return branch == pattern
    last, at = rest.pop(), len(first)
    for text in rest:  # behind a `*`, the first place where a text fits is the best
        at = branch.find(text, at)
        if at < 0:
            return False
        at += len(text)
    return branch.startswith(first) and branch.endswith(last) and at + len(last) <= len(branch)


def read_rules(lab: GitLabClient, repository: ForgeRepository, ref: str) -> BranchRules:
    """Rules of a branch."""
    return merge_rules(read_protection(lab, repository, ref))


def merge_rules(protection: BranchProtection) -> BranchRules:
    """Rules of a branch, from its protection."""
    mergers = _list_actors(level for rule in protection.fitting for level in rule.merge_access_levels)
    pushers = _list_actors(level for rule in protection.fitting for level in rule.push_access_levels)
    protected = bool(protection.fitting)
    return BranchRules(
        ref=protection.ref,
        protected=protected,
        required_statuses=list_required(protection),
        approvals=max(
            (rule.approvals_required for rule in protection.needed if _does_rule_apply(rule, protection.ref)), default=0
        ),
        stale_dismissed=protection.settings is not None and protection.settings.reset_approvals_on_push,
        pushers=pushers if protected else (ANY_ROLE,),
        mergers=mergers if protected else (ANY_ROLE,),
        force_push=not protected or any(rule.allow_force_push for rule in protection.fitting),
        deletable=not protected,
        bypass=mergers if protected else (ANY_ROLE,),
        queue=protection.project.merge_trains_enabled is True,
        methods=_list_methods(protection.project),
    )


def _list_actors(levels: Iterable[wire.AccessLevel]) -> tuple[str, ...]:
    named = {_name_level(level) for level in levels} - {""}
    return (ANY_ROLE,) if ANY_ROLE in named else tuple(sorted(named))


def _name_level(level: wire.AccessLevel) -> str:
    if level.user_id is not None:
        return f"user:{level.user_id}"
    if level.group_id is not None:
        return f"group:{level.group_id}"
    if level.deploy_key_id is not None:
        return f"deploy-key:{level.deploy_key_id}"
    return _LEVELS.get(level.access_level or 0, f"level:{level.access_level}") if level.access_level else ""


def list_required(protection: BranchProtection) -> tuple[RequiredStatus, ...]:
    """Statuses that a merge requires. None has a required poster: every developer may post a status."""
    found = [RequiredStatus(PIPELINE)] if protection.project.only_allow_merge_if_pipeline_succeeds else []
    if protection.project.only_allow_merge_if_all_status_checks_passed:
        found += [
            RequiredStatus(check.name) for check in protection.checks or () if does_check_apply(check, protection.ref)
        ]
    return tuple(sorted(found, key=lambda required: required.context))


def does_check_apply(check: wire.ExternalCheck, ref: str) -> bool:
    """Whether an external status check is for a branch: for all of them, if it names none."""
    return not check.protected_branches or any(
        matches_pattern(rule.name, branch_name(ref)) for rule in check.protected_branches
    )


def _does_rule_apply(rule: wire.ApprovalRule, ref: str) -> bool:
    everywhere = rule.applies_to_all_protected_branches or not rule.protected_branches
    return everywhere or any(matches_pattern(branch.name, branch_name(ref)) for branch in rule.protected_branches)


def _list_methods(project: wire.Project) -> tuple[str, ...]:
    squash = {"always": ("squash",), "never": (project.merge_method,)}
    return squash.get(project.squash_option, (project.merge_method, "squash"))
