"""How GitLab protects a branch. On GitLab a status binds nobody by itself; who may merge is what binds.

Of several patterns that fit a branch the most permissive counts, as GitLab has it. What a tier lacks is not there, and
not a failure: approval rules and settings come with Premium, external status checks with Ultimate.
"""

from collections.abc import Iterable

from msgspec import Struct

from muniment.forges.gitlab import wire
from muniment.forges.gitlab.client import DEVELOPER, MAINTAINER, Lab, at, short
from muniment.forges.rules import BranchRules, Required
from muniment.forges.shapes import Repo

ANYBODY = "*"
PIPELINE = "pipeline"  # stands for all jobs and statuses of the head's pipeline
_LEVELS = {DEVELOPER: ANYBODY, MAINTAINER: "maintainers", 60: "administrators"}


class Found(Struct, frozen=True):
    """What there is for a branch: the rules that fit it, and the settings of its project."""

    ref: str
    project: wire.Project
    fitting: tuple[wire.ProtectedBranch, ...]
    settings: wire.ApprovalSettings | None  # None below Premium
    needed: tuple[wire.ApprovalRule, ...]
    checks: tuple[wire.StatusCheck, ...] | None  # None below Ultimate

    def exact(self) -> wire.ProtectedBranch | None:
        """The rule for this very branch."""
        return next((one for one in self.fitting if one.name == short(self.ref)), None)


def found(lab: Lab, repository: Repo, ref: str) -> Found:
    """All of it. Raises for anything that failed."""
    base = at(repository)
    fitting = tuple(
        one for one in lab.many(wire.ProtectedBranch, f"{base}/protected_branches") if fits(one.name, short(ref))
    )
    nothing: wire.ApprovalSettings | None = None
    settings = lab.where_it_exists(lambda: lab.one(wire.ApprovalSettings, f"{base}/approvals"), nothing)
    rules = lab.many(wire.ApprovalRule, f"{base}/approval_rules") if settings is not None else ()
    none: tuple[wire.StatusCheck, ...] | None = None
    checks = lab.where_it_exists(lambda: lab.many(wire.StatusCheck, f"{base}/external_status_checks"), none)
    return Found(ref, lab.one(wire.Project, base), fitting, settings, rules, checks)


def fits(pattern: str, branch: str) -> bool:
    """Whether a pattern of GitLab's fits: `*` stands for anything, slashes too."""
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


def rules(lab: Lab, repository: Repo, ref: str) -> BranchRules:
    """What holds on a branch."""
    return effective(found(lab, repository, ref))


def effective(one: Found) -> BranchRules:
    """The same of what was found."""
    mergers = _who(level for rule in one.fitting for level in rule.merge_access_levels)
    pushers = _who(level for rule in one.fitting for level in rule.push_access_levels)
    protected = bool(one.fitting)
    return BranchRules(
        ref=one.ref,
        protected=protected,
        required_statuses=required(one),
        approvals=max((rule.approvals_required for rule in one.needed if _applies(rule, one.ref)), default=0),
        stale_dismissed=one.settings is not None and one.settings.reset_approvals_on_push,
        pushers=pushers if protected else (ANYBODY,),
        mergers=mergers if protected else (ANYBODY,),
        force_push=not protected or any(rule.allow_force_push for rule in one.fitting),
        deletable=not protected,
        bypass=mergers if protected else (ANYBODY,),
        queue=one.project.merge_trains_enabled is True,
        methods=_methods(one.project),
    )


def _who(levels: Iterable[wire.Level]) -> tuple[str, ...]:
    named = {_name(level) for level in levels} - {""}
    return (ANYBODY,) if ANYBODY in named else tuple(sorted(named))


def _name(level: wire.Level) -> str:
    if level.user_id is not None:
        return f"user:{level.user_id}"
    if level.group_id is not None:
        return f"group:{level.group_id}"
    if level.deploy_key_id is not None:
        return f"deploy-key:{level.deploy_key_id}"
    return _LEVELS.get(level.access_level or 0, f"level:{level.access_level}") if level.access_level else ""


def required(one: Found) -> tuple[Required, ...]:
    """What has to be green. By nobody in particular: whoever may develop may answer, or post a status."""
    found = [Required(PIPELINE)] if one.project.only_allow_merge_if_pipeline_succeeds else []
    if one.project.only_allow_merge_if_all_status_checks_passed:
        found += [Required(check.name) for check in one.checks or () if check_applies(check, one.ref)]
    return tuple(sorted(found, key=lambda required: required.context))


def check_applies(check: wire.StatusCheck, ref: str) -> bool:
    """Whether an external status check is for a branch: for all of them, if it names none."""
    return not check.protected_branches or any(fits(rule.name, short(ref)) for rule in check.protected_branches)


def _applies(rule: wire.ApprovalRule, ref: str) -> bool:
    everywhere = rule.applies_to_all_protected_branches or not rule.protected_branches
    return everywhere or any(fits(branch.name, short(ref)) for branch in rule.protected_branches)


def _methods(project: wire.Project) -> tuple[str, ...]:
    squash = {"always": ("squash",), "never": (project.merge_method,)}
    return squash.get(project.squash_option, (project.merge_method, "squash"))
