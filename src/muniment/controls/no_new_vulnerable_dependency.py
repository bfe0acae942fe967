"""Control: a change brings no dependency with a known vulnerability, and none that is unknown."""

from collections.abc import Iterator
from typing import Annotated

from msgspec import Meta, Struct

from muniment.controls.control import Case, Control, Reason, ReasonCodes, Scope, met, not_applicable, unknown, violated
from muniment.facts import kinds, moments
from muniment.facts.update_facts import AdvisoryData, NewVulnerability
from muniment.policy.parameters import Stricter, Unit


class Parameters(Struct, frozen=True, forbid_unknown_fields=True):
    """Severities that block, and the age that advisories may reach. Malware blocks whatever is listed here."""

    severities: Annotated[tuple[str, ...], Unit("severities"), Stricter.MORE] = ("critical", "high", "medium", "low")
    data_days: Annotated[int, Meta(ge=1, le=3650), Unit("days"), Stricter.LOWER] = 7


class Reasons(ReasonCodes):
    """Reasons of this control."""

    NO_DEPENDENCY_CHANGED = not_applicable("The change alters no lock file.")
    NO_VULNERABILITY = met(
        "No dependency that the change brings has a known vulnerability. Altered lock files: {count}."
    )
    MINOR_VULNERABILITY = met("{path}: {package} {version} has {advisory}, severity {severity}. This does not block.")
    NEW_VULNERABILITY = violated(
        "{path}: {package} {version} has {advisory}, severity {severity}.",
        "Use {package} {safe} or newer.",
    )
    NO_SAFE_VERSION = violated(
        "{path}: {package} {version} has {advisory}, severity {severity}, and no safe version is known.",
        "Use another package, or request an exception.",
    )
    MALWARE = violated(
        "{path}: {package} {version} is malware ({advisory}).",
        "Remove this package, and treat each machine that installed it as attacked.",
    )
    UNDETERMINED = unknown(
        "{path}: {advisory} does not say whether it affects {package} {version}.",
        "Read the advisory, and use a version that it does not affect. Else request an exception.",
    )
    FILE_UNKNOWN = unknown(
        "The dependencies of {name} are unknown: {why}.",
        "Correct this file, or commit a lock for it.",
    )
    DATA_MISSING = unknown(
        "No advisories for {ecosystem} were read{why}.",
        "Name OSV's exports in MUNIMENT_ADVISORIES: full paths of files, with blanks between.",
    )
    DATA_TOO_OLD = unknown(
        "The advisories for {ecosystem} are of {day}{why}.",
        "Renew the exports that MUNIMENT_ADVISORIES names.",
    )


def evaluate_case(case: Case) -> tuple[Reason, ...]:
    """List each vulnerability that the change brings, and what is unknown about its dependencies."""
    facts = case.get_fact(kinds.CHANGE_DEPENDENCIES)
    if not facts.locks and not facts.unread:
        return (Reasons.NO_DEPENDENCY_CHANGED("fact:change_dependencies"),)
    parameters: Parameters = case.parameters
    found = [_check_vulnerability(one, parameters.severities) for one in facts.vulnerabilities]
    found += [Reasons.FILE_UNKNOWN(f"path:{file.path}", why=file.why) for file in facts.unread]
    found += [reason for each in facts.data for reason in _check_data(each, parameters, case.now)]
    return tuple(found) or (Reasons.NO_VULNERABILITY("fact:change_dependencies", count=facts.locks),)


def _check_vulnerability(one: NewVulnerability, severities: tuple[str, ...]) -> Reason:
    subject = f"path:{one.path}"
    details = {"path": one.path, "package": one.package, "version": one.version, "advisory": one.advisory}
    if one.is_malware:
        return Reasons.MALWARE(subject, **details)
    if not one.is_certain:
        return Reasons.UNDETERMINED(subject, **details)
    if one.severity not in severities:
        return Reasons.MINOR_VULNERABILITY(subject, severity=one.severity, **details)
    if one.safe_version:
        return Reasons.NEW_VULNERABILITY(subject, severity=one.severity, safe=one.safe_version, **details)
    return Reasons.NO_SAFE_VERSION(subject, severity=one.severity, **details)


def _check_data(data: AdvisoryData, parameters: Parameters, now: str) -> Iterator[Reason]:
    subject, why = "fact:change_dependencies", f": {data.problem}" if data.problem else ""
    if not data.as_of:
        yield Reasons.DATA_MISSING(subject, ecosystem=data.ecosystem, why=why)
    elif moments.add_time(data.as_of, days=parameters.data_days) < now:
        yield Reasons.DATA_TOO_OLD(subject, ecosystem=data.ecosystem, day=data.as_of[:10], why=why)


CONTROL = Control(
    name="no-new-vulnerable-dependency",
    version=1,
    summary="A change brings no dependency with a known vulnerability.",
    scope=Scope.REVISION,
    needs=(kinds.CHANGE_DEPENDENCIES,),
    parameters=Parameters,
    codes=Reasons,
    evaluate=evaluate_case,
)
