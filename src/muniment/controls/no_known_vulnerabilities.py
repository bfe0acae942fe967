"""Control: every known vulnerability of a dependency is removed by its due date, and all dependencies are known."""

from collections.abc import Iterator
from typing import Annotated

from msgspec import Meta, Struct

from muniment.controls.control import Case, Control, Reason, ReasonCodes, Scope, met, not_applicable, unknown, violated
from muniment.facts import kinds, moments
from muniment.facts.update_facts import AdvisoryData, LockReading, OpenAdvisory
from muniment.policy.parameters import Stricter, Unit


class Parameters(Struct, frozen=True, forbid_unknown_fields=True):
    """Days until an update of each severity is due, days more for dependencies that only development uses, and the age
    that advisories and readings of locks may reach.
    """

    critical_days: Annotated[int, Meta(ge=1, le=3650), Unit("days"), Stricter.LOWER] = 2
    high_days: Annotated[int, Meta(ge=1, le=3650), Unit("days"), Stricter.LOWER] = 14
    medium_days: Annotated[int, Meta(ge=1, le=3650), Unit("days"), Stricter.LOWER] = 30
    low_days: Annotated[int, Meta(ge=1, le=3650), Unit("days"), Stricter.LOWER] = 90
    more_development_days: Annotated[int, Meta(ge=0, le=3650), Unit("days"), Stricter.LOWER] = 0
    data_days: Annotated[int, Meta(ge=1, le=3650), Unit("days"), Stricter.LOWER] = 7
    reading_days: Annotated[int, Meta(ge=1, le=3650), Unit("days"), Stricter.LOWER] = 2

    def find_days(self, severity: str, is_development: bool = False) -> int:
        """Days until an update is due. Another word for a severity counts as high."""
        known = {"critical": self.critical_days, "medium": self.medium_days, "low": self.low_days}
        return known.get(severity, self.high_days) + (self.more_development_days if is_development else 0)


class Reasons(ReasonCodes):
    """Reasons of this control."""

    NO_REPOSITORY = not_applicable("The product has no repository.")
    NONE_OVERDUE = met("No security update is overdue; {count} advisories are open and not due yet.")
    MALWARE = violated(
        "{path}: {package} {version} is malware ({advisory}).",
        "Remove this package, and treat each machine that installed it as attacked.",
    )
    UPDATE_OVERDUE = violated(
        "{path}: the update of {package} {version} was due on {day}. Advisory {advisory}, severity {severity}.",
        "Update it, or request an exception on the page Updates of the product.",
    )
    UNDETERMINED = unknown(
        "{path}: {advisory} does not say whether it affects {package} {version}.",
        "Read the advisory, and update the package if it does. Else request an exception.",
    )
    NOT_READ = unknown(
        "The lock files of {repository} were not read yet.",
        "The worker reads them within a few minutes. If it does not, look at Background jobs.",
    )
    READING_FAILED = unknown(
        "The lock files of {repository} could not be read: {why}.",
        "Correct the cause, then select Read now on the page Updates of the product.",
    )
    READING_TOO_OLD = unknown(
        "The lock files of {repository} were last read on {day}.",
        "Select Read now on the page Updates of the product.",
    )
    FILE_UNKNOWN = unknown(
        "The dependencies of {name} are unknown: {why}.",
        "Correct this file, or commit a lock for it.",
    )
    DATA_MISSING = unknown(
        "No advisories for {ecosystem} were read{why}.",
        "Let an administrator name a source in MUNIMENT_ADVISORIES.",
    )
    DATA_TOO_OLD = unknown(
        "The advisories for {ecosystem} are of {day}{why}.",
        "Let an administrator check the source of advisories on the page Updates.",
    )


def evaluate_case(case: Case) -> tuple[Reason, ...]:
    """List each overdue update, and each part of the dependencies or of the advisories that is unknown."""
    facts = case.get_fact(kinds.PRODUCT_ADVISORIES)
    if not facts.readings and not facts.advisories:
        return (Reasons.NO_REPOSITORY("fact:product_advisories"),)
    parameters: Parameters = case.parameters
    open_ones = [reason for one in facts.advisories for reason in _check_advisory(one, parameters, case.now)]
    found = [reason for each in facts.readings for reason in _check_reading(each, parameters, case.now)]
    found += [reason for each in facts.data for reason in _check_data(each, parameters, case.now)]
    if not open_ones:
        found.append(Reasons.NONE_OVERDUE("fact:product_advisories", count=len(facts.advisories)))
    return (*open_ones, *found)


def _check_advisory(one: OpenAdvisory, parameters: Parameters, now: str) -> Iterator[Reason]:
    subject = f"path:{one.path}"
    details = {"path": one.path, "package": one.package, "version": one.version, "advisory": one.advisory}
    if one.is_malware:
        yield Reasons.MALWARE(subject, **details)
    elif not one.is_certain:
        yield Reasons.UNDETERMINED(subject, **details)
    else:
        days = parameters.find_days(one.severity, one.is_development)
        due = moments.add_time(one.clock_from, days=days)
        if due < now:
            yield Reasons.UPDATE_OVERDUE(subject, day=due[:10], severity=one.severity, **details)


def _check_reading(reading: LockReading, parameters: Parameters, now: str) -> Iterator[Reason]:
    subject, repository = f"repository:{reading.repository}", reading.repository
    if reading.problem:
        yield Reasons.READING_FAILED(subject, repository=repository, why=reading.problem)
    elif not reading.read_at:
        yield Reasons.NOT_READ(subject, repository=repository)
    elif moments.add_time(reading.read_at, days=parameters.reading_days) < now:
        yield Reasons.READING_TOO_OLD(subject, repository=repository, day=reading.read_at[:10])
    for file in reading.unread:
        yield Reasons.FILE_UNKNOWN(f"path:{file.path}", why=file.why)


def _check_data(data: AdvisoryData, parameters: Parameters, now: str) -> Iterator[Reason]:
    subject, why = "fact:product_advisories", f": {data.problem}" if data.problem else ""
    if not data.as_of:
        yield Reasons.DATA_MISSING(subject, ecosystem=data.ecosystem, why=why)
    elif moments.add_time(data.as_of, days=parameters.data_days) < now:
        yield Reasons.DATA_TOO_OLD(subject, ecosystem=data.ecosystem, day=data.as_of[:10], why=why)


CONTROL = Control(
    name="no-known-vulnerabilities",
    version=1,
    summary="No update of a vulnerable dependency is overdue, and all dependencies are known.",
    scope=Scope.PRODUCT,
    needs=(kinds.PRODUCT_ADVISORIES,),
    parameters=Parameters,
    codes=Reasons,
    evaluate=evaluate_case,
)
