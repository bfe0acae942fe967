"""Control: a change introduces no weakness in code, and no secret."""

from collections.abc import Iterator
from typing import Annotated

from msgspec import Struct

from muniment.controls import code_review
from muniment.controls.control import Case, Control, Reason, ReasonCodes, Scope, met, not_applicable, unknown, violated
from muniment.facts import kinds
from muniment.facts.code_facts import CodeFinding, IgnoreComment
from muniment.facts.statements import ReviewAction
from muniment.policy.parameters import Stricter, Unit


class Parameters(Struct, frozen=True, forbid_unknown_fields=True):
    """Severities that block, and rules that do not, since they are often wrong. A secret always blocks."""

    severities: Annotated[tuple[str, ...], Unit("severities"), Stricter.MORE] = ("critical", "high", "medium")
    monitored_rules: Annotated[tuple[str, ...], Unit("rules"), Stricter.FEWER] = ()


class Reasons(ReasonCodes):
    """Reasons of this control."""

    NO_FINDING = met("No new finding in the scanned files ({count}). Engines: {engines}.")
    MINOR_FINDING = met("{path}, line {line}: {requirement} Rule {rule}, severity {severity}. This does not block.")
    MONITORED_FINDING = met(
        "{path}, line {line}: {requirement} Rule {rule}, severity {severity}. This rule is new or changed, and blocks "
        "from {until} on."
    )
    MONITORED_BY_POLICY = met(
        "{path}, line {line}: {requirement} Rule {rule}, severity {severity}. The policy only monitors this rule."
    )
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
    COMMENT_APPROVED = met(
        "{path}, line {line}: rule {rule} is ignored, because: {reason}. "
        "{who} approved this revision with the security role."
    )
    COMMENT_WITHOUT_FINDING = met("{path}, line {line}: a comment ignores rule {rule}, which reports nothing there.")
    COMMENT_NOT_APPROVED = violated(
        "{path}, line {line}: {requirement} Rule {rule}, severity {severity}. A comment asks to ignore it ({reason}), "
        "and nobody with the security role who did not contribute has approved this very revision.",
        "Correct it, or ask {ask} to review and approve this revision.",
        ReviewAction.APPROVE,
    )
    COMMENT_BY_UNKNOWN = unknown(
        "{path}, line {line}: a comment asks to ignore rule {rule}, and who contributed to this revision is not known.",
        "Let somebody with the security role attest who contributed, or correct the finding.",
        ReviewAction.ATTEST,
    )
    FILE_NOT_SCANNED = unknown(
        "{path} could not be scanned: {why}.",
        "Correct the file, or bring it in another form. To see all: muniment scan --diff {base}",
    )


def evaluate_case(case: Case) -> tuple[Reason, ...]:
    """List each weakness that the change introduces, each file whose state is unknown, and each comment."""
    scan = case.get_fact(kinds.CHANGE_SCAN)
    revision = case.get_fact(kinds.REVISION)
    if not scan.scanned and not scan.unscanned and not scan.findings:
        return (Reasons.NOTHING_TO_SCAN(f"commit:{revision.head}"),)
    comments = {(one.path, one.target, one.rule): one for one in scan.comments}
    monitored = _list_monitored(case)
    found: list[Reason] = []
    used = set()
    for finding in scan.findings:
        comment = comments.get((finding.path, finding.line, finding.rule))
        if finding.rule in monitored and not finding.is_secret and finding.severity in case.parameters.severities:
            used.add(comment)
            found.append(_describe_monitored(finding, monitored[finding.rule]))
        elif comment is None or finding.is_secret or finding.is_hard:
            found += _check_finding(finding, case.parameters.severities, revision.base)
        else:
            used.add(comment)
            found += _check_comment(case, finding, comment)
    for comment in scan.comments:
        if comment not in used:
            details = _describe_place(comment.path, comment.line, comment.rule)
            found.append(Reasons.COMMENT_WITHOUT_FINDING(f"path:{comment.path}", **details))
    for file in scan.unscanned:
        found.append(Reasons.FILE_NOT_SCANNED(f"path:{file.path}", path=file.path, why=file.why, base=revision.base))
    if not found:
        engines = ", ".join(scan.engines)
        found.append(Reasons.NO_FINDING(f"commit:{revision.head}", count=scan.scanned, engines=engines))
    if scan.languages:
        found.append(Reasons.SECRETS_ONLY("fact:change_scan", languages=", ".join(scan.languages)))
    return tuple(found)


def _list_monitored(case: Case) -> dict[str, str]:
    """Rules that do not block now: each with the day until which it is new, "" for one that the policy monitors."""
    rules = dict.fromkeys(case.parameters.monitored_rules, "")
    if not case.explain_unknown((kinds.MONITORED_RULES,)):
        known = case.get_fact(kinds.MONITORED_RULES)
        rules = {one.rule: one.until[:10] for one in known if one.until > case.now} | rules
    return rules


def _describe_monitored(finding: CodeFinding, until: str) -> Reason:
    details = {**_describe_place(finding.path, finding.line, finding.rule), "requirement": finding.requirement}
    subject, severity = f"path:{finding.path}", finding.severity
    if until:
        return Reasons.MONITORED_FINDING(subject, severity=severity, until=until, **details)
    return Reasons.MONITORED_BY_POLICY(subject, severity=severity, **details)


def _check_comment(case: Case, finding: CodeFinding, comment: IgnoreComment) -> tuple[Reason, ...]:
    """Decide on a comment: it counts if a reviewer with the security role approved the revision that has it."""
    if finding.severity not in case.parameters.severities:
        return tuple(_check_finding(finding, case.parameters.severities, ""))
    if unlearnt := case.explain_unknown(code_review.NEEDS):
        return unlearnt
    review = case.compute_once(code_review.read_code_review)
    head = case.get_fact(kinds.REVISION).head
    security = code_review.find_security_reviewers(case, review)
    # An approval that carries over from another head was given to other lines.
    approvers = [person for person in security.counted if review.counted[person].head == head]
    subject = f"path:{finding.path}"
    details = {**_describe_place(finding.path, finding.line, finding.rule), "reason": comment.reason}
    if review.unknown_contributors:  # the approver may be one of them
        return (Reasons.COMMENT_BY_UNKNOWN(subject, **details),)
    if approvers:
        labels = case.get_fact(kinds.PEOPLE).labels
        return (Reasons.COMMENT_APPROVED(subject, who=", ".join(labels[one] for one in approvers), **details),)
    more = {"requirement": finding.requirement, "severity": finding.severity, "ask": security.ask}
    return (Reasons.COMMENT_NOT_APPROVED(subject, **more, **details),)


def _describe_place(path: str, line: int, rule: str) -> dict[str, str | int]:
    return {"path": path, "line": line, "rule": rule}


def _check_finding(finding: CodeFinding, severities: tuple[str, ...], base: str) -> Iterator[Reason]:
    subject = f"path:{finding.path}"
    details = {**_describe_place(finding.path, finding.line, finding.rule), "requirement": finding.requirement}
    if finding.is_secret:
        yield Reasons.SECRET_IN_CODE(subject, **details)
    elif finding.severity in severities:
        yield Reasons.NEW_FINDING(subject, severity=finding.severity, base=base, **details)
    else:
        yield Reasons.MINOR_FINDING(subject, severity=finding.severity, **details)


CONTROL = Control(
    name="no-new-findings",
    version=3,
    summary="A change introduces no weakness in code, and no secret.",
    scope=Scope.REVISION,
    needs=(kinds.REVISION, kinds.CHANGE_SCAN),
    consults=(*code_review.NEEDS, kinds.MONITORED_RULES),
    parameters=Parameters,
    codes=Reasons,
    evaluate=evaluate_case,
)
