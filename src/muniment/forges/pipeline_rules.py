"""A forge's branch rules for pipelines: the statuses that a merge requires, and every way to bypass them.

A status that every account with write access may post enforces nothing. Our status does where it is required of us
alone, or where only our account may merge; then nothing is merged without what the policy requires.
"""

from collections.abc import Iterable, Iterator

from muniment.facts import pipeline
from muniment.facts.maybe import Known, Maybe, Unknown
from muniment.facts.pipeline import BypassPath
from muniment.forges.branch_rules import BranchRules, RequiredStatus
from muniment.forges.registry import FORGE_KINDS
from muniment.forges.shapes import ForgeDescription
from muniment.forges.statuses import CONTEXT_PREFIX


def describe_branch_rules(
    rules: BranchRules, about: ForgeDescription, our_pipelines: Iterable[str]
) -> pipeline.BranchPipelineRules:
    """Rules of a branch for pipelines. `our_pipelines`: pipelines that our status requires, if it is enforced."""
    binds = _is_enforced(rules, about)
    by_status = tuple(our_pipelines) if binds else ()
    others = [
        one for one in rules.required_statuses if not one.context.startswith(CONTEXT_PREFIX) and (one.by or not binds)
    ]
    required = tuple(dict.fromkeys((*by_status, *(one.context for one in others))))
    loose = () if binds else tuple(one for one in rules.required_statuses if not one.by)
    by = about.vendor.value if rules.protected else ""
    return pipeline.BranchPipelineRules(rules.ref, by, required, _find_bypasses(rules, about, loose))


def _is_enforced(rules: BranchRules, about: ForgeDescription) -> bool:
    """Whether nothing is merged that our status does not allow, except by a bypass."""
    us = _name_our_account(about)
    if FORGE_KINDS[about.vendor].binds_checks:
        return any(one.by == us and one.context.startswith(CONTEXT_PREFIX) for one in rules.required_statuses)
    return rules.protected and rules.mergers == (us,)


def _name_our_account(about: ForgeDescription) -> str:
    """Our account as the rules of its forge name it."""
    return FORGE_KINDS[about.vendor].name_account(about.ours)


def _find_bypasses(
    rules: BranchRules, about: ForgeDescription, loose: tuple[RequiredStatus, ...]
) -> Maybe[tuple[BypassPath, ...]]:
    if rules.unread_settings:
        return Unknown(f"not read: {'; '.join(rules.unread_settings)}")
    return Known(tuple(dict.fromkeys(_iterate_bypasses(rules, about, loose))))


def _iterate_bypasses(
    rules: BranchRules, about: ForgeDescription, loose: tuple[RequiredStatus, ...]
) -> Iterator[BypassPath]:
    us = _name_our_account(about)
    for one in loose:
        yield BypassPath("Everybody with write access", f"the status {one.context} may be posted by anybody")
    for name in rules.bypass:
        if name != us:
            yield BypassPath(_name_actor(name), "the rules do not bind them")
    for name in rules.pushers:
        if name != us and not FORGE_KINDS[about.vendor].binds_checks:  # where they bind, they bind what is pushed too
            yield BypassPath(_name_actor(name), "they may push without a change")
    if rules.deletable:
        yield BypassPath("Everybody with write access", "the branch may be deleted, and made anew")


def _name_actor(name: str) -> str:
    return "Everybody with write access" if name == "*" else name
