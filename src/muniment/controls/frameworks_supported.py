"""Control: every recognised framework is of a release line that its project supports."""

from typing import Annotated

from msgspec import Meta, Struct

from muniment.controls.control import Case, Control, Reason, ReasonCodes, Scope, met, not_applicable, unknown, violated
from muniment.facts import kinds, moments
from muniment.facts.dependency_facts import FrameworkUse
from muniment.facts.framework_support import find_support_end
from muniment.facts.maybe import Unknown
from muniment.policy.parameters import Stricter, Unit


class Parameters(Struct, frozen=True, forbid_unknown_fields=True):
    """Days before the end of support from which on the reason warns. A warning does not block."""

    warning_days: Annotated[int, Meta(ge=0, le=3650), Unit("days"), Stricter.HIGHER] = 90


class Reasons(ReasonCodes):
    """Reasons of this control."""

    SUPPORTED = met("{name}: {framework} {version} is supported.")
    ENDS_SOON = met("{name}: support of {framework} {version} ends on {end}. Plan the update to a newer line now.")
    NO_FRAMEWORK = not_applicable("No framework with published support dates is used.")
    SUPPORT_ENDED = violated(
        "{name}: support of {framework} {version} ended on {end}.",
        "Update to a line that its project supports.",
    )
    LINE_UNKNOWN = unknown(
        "{name}: the end of support of {framework} {version} is not known to this version of Muniment.",
        "Update Muniment, or state the version in this file.",
    )
    FILE_UNKNOWN = unknown(
        "The frameworks of {name} are unknown: {why}.",
        "Correct this file, or commit a lock for it.",
    )


def evaluate_case(case: Case) -> tuple[Reason, ...]:
    """Evaluate each framework of each lock file."""
    found: list[Reason] = []
    for file in case.get_fact(kinds.FRAMEWORKS):
        subject = f"path:{file.path}"
        if isinstance(file.uses, Unknown):
            found.append(Reasons.FILE_UNKNOWN(subject, why=file.uses.reason))
        else:
            found += [_check_framework(subject, use, case) for use in file.uses.value]
    return tuple(found) or (Reasons.NO_FRAMEWORK("fact:frameworks"),)


def _check_framework(subject: str, use: FrameworkUse, case: Case) -> Reason:
    end = find_support_end(use.name, use.version)
    details = {"framework": use.name, "version": use.version}
    if end is None:
        return Reasons.LINE_UNKNOWN(subject, **details)
    if end < case.now[:10]:
        return Reasons.SUPPORT_ENDED(subject, end=end, **details)
    if end < moments.add_time(case.now, days=case.parameters.warning_days)[:10]:
        return Reasons.ENDS_SOON(subject, end=end, **details)
    return Reasons.SUPPORTED(subject, **details)


CONTROL = Control(
    name="frameworks-supported",
    version=1,
    summary="Every recognised framework is of a release line that its project supports.",
    scope=Scope.PRODUCT,
    needs=(kinds.FRAMEWORKS,),
    parameters=Parameters,
    codes=Reasons,
    evaluate=evaluate_case,
)
