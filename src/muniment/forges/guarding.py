"""What a forge's own rules mean for pipelines: which of them nothing gets in without, and every way that is around.

A status that whoever may write may post binds nobody. Our verdict does where it is required of us alone, or where our
account alone may merge; then it lets nothing in without what the policy requires.
"""

from collections.abc import Iterable, Iterator

from muniment.facts import pipeline
from muniment.facts.maybe import Known, Maybe, Unknown
from muniment.facts.pipeline import BypassPath, ForgeSettings
from muniment.forges.rules import BranchRules, Required
from muniment.forges.shapes import About, Vendor
from muniment.forges.statuses import OURS

_NO_JOBS: Maybe[bool] = Known(False)


def guards(rules: BranchRules, about: About, ours: Iterable[str]) -> pipeline.BranchRules:
    """What guards a branch. `ours` are the pipelines that our verdict lets nothing in without, if it binds."""
    binds = _binds(rules, about)
    by_verdict = tuple(ours) if binds else ()
    others = [one for one in rules.required_statuses if not one.context.startswith(OURS) and (one.by or not binds)]
    required = tuple(dict.fromkeys((*by_verdict, *(one.context for one in others))))
    loose = () if binds else tuple(one for one in rules.required_statuses if not one.by)
    by = about.vendor.value if rules.protected else ""
    return pipeline.BranchRules(rules.ref, by, required, _around(rules, about, loose))


def without_jobs(vendor: Vendor, secrets: Maybe[tuple[str, ...]]) -> ForgeSettings:
    """The settings of a repository whose jobs are turned off: what none of them may, no setting lets them."""
    return ForgeSettings(vendor.value, secrets, _NO_JOBS, _NO_JOBS, _NO_JOBS)


def _binds(rules: BranchRules, about: About) -> bool:
    """Whether nothing is merged that our verdict does not allow, but by a way around."""
    us = _us(about)
    if about.vendor is Vendor.GITHUB:
        return any(one.by == us and one.context.startswith(OURS) for one in rules.required_statuses)
    return rules.protected and rules.mergers == (us,)


def _us(about: About) -> str:
    """Our account as the rules of its forge name it."""
    if about.vendor is Vendor.GITLAB:
        return f"user:{about.ours.id}"
    return about.ours.id if about.vendor is Vendor.GITHUB else about.ours.login


def _around(rules: BranchRules, about: About, loose: tuple[Required, ...]) -> Maybe[tuple[BypassPath, ...]]:
    if rules.unread_settings:
        return Unknown(f"not read: {'; '.join(rules.unread_settings)}")
    return Known(tuple(dict.fromkeys(_ways(rules, about, loose))))


def _ways(rules: BranchRules, about: About, loose: tuple[Required, ...]) -> Iterator[BypassPath]:
    us = _us(about)
    for one in loose:
        yield BypassPath("Everybody with write access", f"the status {one.context} may be posted by anybody")
    for name in rules.bypass:
        if name != us:
            yield BypassPath(_who(name), "the rules do not bind them")
    for name in rules.pushers:
        if name != us and about.vendor is not Vendor.GITHUB:  # whose checks bind what is pushed as well
            yield BypassPath(_who(name), "they may push without a change")
    if rules.deletable:
        yield BypassPath("Everybody with write access", "the branch may be deleted, and made anew")


def _who(name: str) -> str:
    return "Everybody with write access" if name == "*" else name
