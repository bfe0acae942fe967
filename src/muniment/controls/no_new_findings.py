"""Control: a change introduces no weakness in code, and no secret."""

from collections.abc import Iterator
from typing import Annotated

from msgspec import Struct

from muniment.controls.control import Case, Control, Reason, ReasonCodes, Scope, met, not_applicable, unknown, violated
from muniment.facts import kinds
from muniment.facts.code_facts import CodeFinding
from muniment.policy.parameters import Stricter, Unit


class Parameters(Struct, frozen=True, forbid_unknown_fields=True):
    """Severities that block. A secret blocks whatever is listed here."""

    severities: Annotated[tuple[str, ...], Unit("severities"), Stricter.MORE] = ("critical", "high", "medium")


class Reasons(ReasonCodes):
    """Reasons of this control."""

    NO_FINDING = met("No new finding in {count} files, scanned by {engines}.")
    MINOR_FINDING = met("{path}, line {line}: {requirement} Rule {rule}, severity {severity}. This does not block.")
    SECRETS_ONLY = met("{languages}: only secrets are looked for in files of this language.")
    NOTHING_TO_SCAN = not_applicable("The change adds and alters no file.")
    NEW_FINDING = violated(
        "{path}, line {line}: {requirement} Rule {rule}, severity {severity}.",
        "Correct it. To see the path of the data, and code to paste: muniment scan --diff {base}",
    )
    SECRET_IN_CODE = violated(
        "{path}, line {line}: {requirement} Rule {rule}.",
        "Revoke the secret where it was issued, since the history keeps it. Store the new one in the vault: "
        "muniment secret set NAME --product PRODUCT --env ENVIRONMENT",
    )
    FILE_NOT_SCANNED = unknown(
        "{path} could not be scanned: {why}.",
        "Correct the file, or bring it in another form. To see all: muniment scan --diff {base}",
    )


def evaluate_case(case: Case) -> tuple[Reason, ...]:
    """List each weakness that the change introduces, and each file whose state is unknown."""
    scan = case.get_fact(kinds.CHANGE_SCAN)
    revision = case.get_fact(kinds.REVISION)
    if not scan.scanned and not scan.unscanned:
        return (Reasons.NOTHING_TO_SCAN(f"commit:{revision.head}"),)
    found: list[Reason] = []
    for finding in scan.findings:
        found += _check_finding(finding, case.parameters.severities, revision.base)
    for file in scan.unscanned:
        found.append(Reasons.FILE_NOT_SCANNED(f"path:{file.path}", path=file.path, why=file.why, base=revision.base))
    if not found:
        engines = ", ".join(scan.engines)
        found.append(Reasons.NO_FINDING(f"commit:{revision.head}", count=scan.scanned, engines=engines))
    if scan.languages:
        found.append(Reasons.SECRETS_ONLY("fact:change_scan", languages=", ".join(scan.languages)))
    return tuple(found)


def _check_finding(finding: CodeFinding, severities: tuple[str, ...], base: str) -> Iterator[Reason]:
    subject = f"path:{finding.path}"
    details: dict[str, str | int] = {
        "path": finding.path,
        "line": finding.line,
        "requirement": finding.requirement,
        "rule": finding.rule,
    }
    if finding.is_secret:
        yield Reasons.SECRET_IN_CODE(subject, **details)
    elif finding.severity in severities:
        yield Reasons.NEW_FINDING(subject, severity=finding.severity, base=base, **details)
    else:
        yield Reasons.MINOR_FINDING(subject, severity=finding.severity, **details)


CONTROL = Control(
    name="no-new-findings",
    version=1,
    summary="A change introduces no weakness in code, and no secret.",
    scope=Scope.REVISION,
    needs=(kinds.REVISION, kinds.CHANGE_SCAN),
    parameters=Parameters,
    codes=Reasons,
    evaluate=evaluate_case,
)
