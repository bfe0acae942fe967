"""Control: every finding is corrected or decided by its due date, and all code was scanned."""

from collections.abc import Iterator
from typing import Annotated

from msgspec import Meta, Struct

from muniment.controls.control import Case, Control, Reason, ReasonCodes, Scope, met, not_applicable, unknown, violated
from muniment.facts import kinds, moments
from muniment.facts.finding_facts import BranchScan, OpenFinding
from muniment.policy.parameters import Stricter, Unit


class Parameters(Struct, frozen=True, forbid_unknown_fields=True):
    """Days until a finding of each severity is due, the age that a scan may reach, and languages that may lack an
    engine.
    """

    critical_days: Annotated[int, Meta(ge=1, le=3650), Unit("days"), Stricter.LOWER] = 2
    high_days: Annotated[int, Meta(ge=1, le=3650), Unit("days"), Stricter.LOWER] = 14
    medium_days: Annotated[int, Meta(ge=1, le=3650), Unit("days"), Stricter.LOWER] = 30
    low_days: Annotated[int, Meta(ge=1, le=3650), Unit("days"), Stricter.LOWER] = 90
    scan_days: Annotated[int, Meta(ge=1, le=3650), Unit("days"), Stricter.LOWER] = 7
    allowed_languages: Annotated[tuple[str, ...], Unit("languages"), Stricter.FEWER] = ()

    def find_days(self, severity: str) -> int:
        """Days until a finding of this severity is due. Another word counts as high."""
        known = {"critical": self.critical_days, "medium": self.medium_days, "low": self.low_days}
        return known.get(severity, self.high_days)


class Reasons(ReasonCodes):
    """Reasons of this control."""

    NOTHING_TO_SCAN = not_applicable("The product has no repository.")
    NONE_OVERDUE = met("No finding is overdue; {count} are open and not due yet.")
    FINDING_DECIDED = met("Finding {number} ({rule}) is {decision} until {day}.")
    FINDING_OVERDUE = violated(
        "Finding {number} in {path} was due on {day}. Rule {rule}, severity {severity}.",
        "Correct the code, or request a decision on the page of the finding.",
    )
    NOT_SCANNED = unknown(
        "{branch} of {repository} was not scanned yet.",
        "The worker scans it within a few minutes. If it does not, look at Background jobs.",
    )
    SCAN_FAILED = unknown(
        "{branch} of {repository} could not be scanned: {why}.",
        "Correct the cause, then select Scan now on the page Findings of the product.",
    )
    SCAN_TOO_OLD = unknown(
        "The newest scan of {branch} of {repository} is of {day}.",
        "Select Scan now on the page Findings of the product.",
    )
    FILE_NOT_SCANNED = unknown(
        "{path} could not be scanned: {why}.",
        "Correct the file, or bring it in another form.",
    )
    LANGUAGE_NOT_SCANNED = unknown(
        "No engine reads {language} in {repository}: only secrets are looked for.",
        "Import the results of a scanner that reads {language}, or request an exception with an end.",
    )


def evaluate_case(case: Case) -> tuple[Reason, ...]:
    """List each overdue finding, each decision that excuses one, and each part of the code that is unknown."""
    facts = case.get_fact(kinds.PRODUCT_FINDINGS)
    if not facts.scans and not facts.findings:
        return (Reasons.NOTHING_TO_SCAN("fact:product_findings"),)
    parameters: Parameters = case.parameters
    found = [reason for scan in facts.scans for reason in _check_scan(scan, parameters, case.now)]
    decided = [one for one in facts.findings if _is_decided(one, case.now)]
    waiting = [one for one in facts.findings if not _is_decided(one, case.now)]
    overdue = [reason for one in waiting for reason in _check_due_date(one, parameters, case.now)]
    if not overdue:
        found.append(Reasons.NONE_OVERDUE("fact:product_findings", count=len(waiting)))
    return (*overdue, *found, *map(_explain_decision, decided))


def _is_decided(finding: OpenFinding, now: str) -> bool:
    return bool(finding.decision) and now < finding.decided_until


def _explain_decision(finding: OpenFinding) -> Reason:
    return Reasons.FINDING_DECIDED(
        f"finding:{finding.number}",
        number=finding.number,
        rule=finding.rule,
        decision=finding.decision,
        day=finding.decided_until[:10],
    )


def _check_due_date(finding: OpenFinding, parameters: Parameters, now: str) -> Iterator[Reason]:
    due = moments.add_time(finding.clock_from, days=parameters.find_days(finding.severity))
    if due < now:
        yield Reasons.FINDING_OVERDUE(
            f"finding:{finding.number}",
            number=finding.number,
            path=finding.path,
            day=due[:10],
            rule=finding.rule,
            severity=finding.severity,
        )


def _check_scan(scan: BranchScan, parameters: Parameters, now: str) -> Iterator[Reason]:
    subject = f"repository:{scan.repository}"
    place = {"repository": scan.repository, "branch": scan.branch}
    if scan.problem:
        yield Reasons.SCAN_FAILED(subject, why=scan.problem, **place)
    if not scan.scanned_at:
        if not scan.problem:
            yield Reasons.NOT_SCANNED(subject, **place)
        return
    if moments.add_time(scan.scanned_at, days=parameters.scan_days) < now:
        yield Reasons.SCAN_TOO_OLD(subject, day=scan.scanned_at[:10], **place)
    for file in scan.unscanned:
        yield Reasons.FILE_NOT_SCANNED(f"path:{file.path}", path=file.path, why=file.why)
    for language in scan.languages:
        if language not in parameters.allowed_languages:
            yield Reasons.LANGUAGE_NOT_SCANNED(subject, repository=scan.repository, language=language)


CONTROL = Control(
    name="no-overdue-findings",
    version=1,
    summary="No finding is open beyond its due date, and all code was scanned.",
    scope=Scope.PRODUCT,
    needs=(kinds.PRODUCT_FINDINGS,),
    parameters=Parameters,
    codes=Reasons,
    evaluate=evaluate_case,
)
