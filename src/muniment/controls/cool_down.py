"""Control: a change brings no release that is too young, so that malicious ones are found before they are used."""

from typing import Annotated

from msgspec import Meta, Struct

from muniment.controls.control import Case, Control, Reason, ReasonCodes, Scope, met, not_applicable, unknown, violated
from muniment.facts import kinds, moments
from muniment.facts.update_facts import NewRelease
from muniment.policy.parameters import Stricter, Unit

_CRITICAL = "critical"


class Parameters(Struct, frozen=True, forbid_unknown_fields=True):
    """Least age of a release, and of one that fixes a vulnerability. A critical or exploited one does not wait.

    `fix_hours` has to be shorter than the shortest due date of the updates that it delays.
    """

    days: Annotated[int, Meta(ge=0, le=365), Unit("days"), Stricter.HIGHER] = 7
    fix_hours: Annotated[int, Meta(ge=0, le=8760), Unit("hours"), Stricter.HIGHER] = 24


class Reasons(ReasonCodes):
    """Reasons of this control."""

    NO_DEPENDENCY_CHANGED = not_applicable("The change alters no lock file.")
    OLD_ENOUGH = met("No release that the change brings is too young. New releases: {count}.")
    URGENT_FIX = met(
        "{path}: {package} {version} fixes a vulnerability that is critical or exploited. It need not wait."
    )
    TOO_YOUNG = violated(
        "{path}: {package} {version} was published on {published}, and releases wait {days} days.",
        "Use an older release, or wait until {until}.",
    )
    FIX_TOO_YOUNG = violated(
        "{path}: {package} {version} was published on {published}, and fixes wait {hours} hours.",
        "Wait until {until}.",
    )
    AGE_UNKNOWN = unknown(
        "{path}: when {package} {version} was published is not known{why}.",
        "Make the registry reachable for the worker, or request an exception.",
    )
    FILE_UNKNOWN = unknown(
        "The dependencies of {name} are unknown: {why}.",
        "Correct this file, or commit a lock for it.",
    )


def evaluate_case(case: Case) -> tuple[Reason, ...]:
    """List each release that is too young, or of unknown age."""
    facts = case.get_fact(kinds.CHANGE_RELEASES)
    if not facts.locks and not facts.unread:
        return (Reasons.NO_DEPENDENCY_CHANGED("fact:change_releases"),)
    checked = [_check_release(one, case) for one in facts.releases]
    found = [reason for reason in checked if reason is not None]
    found += [Reasons.FILE_UNKNOWN(f"path:{file.path}", why=file.why) for file in facts.unread]
    return tuple(found) or (Reasons.OLD_ENOUGH("fact:change_releases", count=len(facts.releases)),)


def _check_release(one: NewRelease, case: Case) -> Reason | None:
    parameters: Parameters = case.parameters
    subject = f"path:{one.path}"
    details = {"path": one.path, "package": one.package, "version": one.version}
    if one.fixes == _CRITICAL or one.is_exploited:
        return Reasons.URGENT_FIX(subject, **details)
    hours = min(24 * parameters.days, parameters.fix_hours) if one.fixes else 24 * parameters.days
    if not one.published:
        return Reasons.AGE_UNKNOWN(subject, why=f": {one.why}" if one.why else "", **details) if hours else None
    until = moments.add_time(one.published, minutes=60 * hours)
    if until <= case.now:
        return None
    times = {
        "published": one.published[:10],
        "until": f"{until[:10]} {until[11:16]} UTC",
        "waits_until": until,  # `decision.expiry` has it evaluated again then
    }
    if one.fixes:
        return Reasons.FIX_TOO_YOUNG(subject, hours=hours, **times, **details)
    return Reasons.TOO_YOUNG(subject, days=parameters.days, **times, **details)


CONTROL = Control(
    name="cool-down",
    version=1,
    summary="A change brings no release that is too young.",
    scope=Scope.REVISION,
    needs=(kinds.CHANGE_RELEASES,),
    parameters=Parameters,
    codes=Reasons,
    evaluate=evaluate_case,
)
