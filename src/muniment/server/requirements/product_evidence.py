"""Evidence of a product for its requirements: open findings, scans, clauses, named tests and statements of people."""

from collections.abc import Iterable, Mapping
from datetime import timedelta
from functools import lru_cache

from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext as _
from msgspec import Struct

from muniment.errors import RowsDifferError
from muniment.facts import canonical
from muniment.facts.requirement_facts import VerifiedRequirement
from muniment.policy.model import Clause
from muniment.scanners.own_rules import load_own_rules
from muniment.scanners.requirements.checklist import (
    OfficialList,
    VerifiedBy,
    load_checklist,
    parse_official_list,
)
from muniment.scanners.requirements.states import (
    EvidenceStatement,
    NamedTest,
    ProductEvidence,
    find_official_states,
    find_requirement_states,
)
from muniment.server.findings.coverage import find_uncovered_languages
from muniment.server.findings.due_dates import find_due_days, find_open_findings
from muniment.server.findings.models import CodeScan, FindingSource, ProductFinding
from muniment.server.policies.policy_in_force import current_clauses
from muniment.server.products.models import ClauseResult, Product, ProductClauseState, Repository
from muniment.server.requirements.models import (
    NamedTestResult,
    OfficialRequirementList,
    RequirementStatement,
    StatementKind,
)

RESULT_LASTS = timedelta(days=7)  # of a named test: its pipeline runs at least once a week


class ProductRequirement(Struct, frozen=True):
    """Requirement with its state for a product. `key` is what statements name it by."""

    key: str
    text: str
    asvs: tuple[str, ...]
    verified_by: VerifiedBy
    state: VerifiedRequirement
    role: str = ""


def read_requirements(product: Product) -> tuple[ProductRequirement, ...]:
    """Read all requirements with their states: of our checklist, then of the official lists. Raises MunimentError."""
    evidence = read_evidence(product)
    checklist, lists = load_checklist(), read_official_lists()
    own = zip(checklist.items(), find_requirement_states(checklist, evidence), strict=True)
    found = [ProductRequirement(key, one.text, one.asvs, one.verified_by, state, one.role) for (key, one), state in own]
    official = [(listed, one) for listed in lists for one in listed.requirements]
    for (listed, entry), state in zip(official, find_official_states(lists, evidence), strict=True):
        key = listed.format_key(entry.id)
        found.append(ProductRequirement(key, entry.text, (entry.id,), VerifiedBy.ATTESTATION, state))
    return tuple(found)


def read_official_lists() -> tuple[OfficialList, ...]:
    """Read the official lists in force. Raises RowsDifferError for one that differs from its digest."""
    rows = OfficialRequirementList.objects.filter(ended_at=None).order_by("title")
    return tuple(_load_list(content, digest) for content, digest in rows.values_list("content", "digest"))


@lru_cache(maxsize=8)
def _load_list(content: str, digest: str) -> OfficialList:
    data = content.encode()
    if canonical.digest_bytes(data) != digest:
        raise RowsDifferError(
            _("An official list differs from its digest."), _("Restore the database from a backup, or end the list.")
        )
    return parse_official_list(data)


def read_evidence(product: Product) -> ProductEvidence:
    """Read what is known of a product. Raises MunimentError where the policy cannot be read."""
    clauses = current_clauses()
    statements = list(
        RequirementStatement.find_in_force().filter(product=product).select_related("requester", "approver")
    )
    results = {row.test: row for row in NamedTestResult.objects.filter(product=product)}
    return ProductEvidence(
        open_rules=_find_open_rules(product, clauses),
        unscanned=_explain_unscanned(product),
        checks=_read_checks(product, clauses),
        tests={
            row.requirement: _describe_test(row.test, results.get(row.test))
            for row in statements
            if row.kind == StatementKind.TESTED
        },
        statements={
            row.requirement: _describe_statement(row) for row in statements if row.kind != StatementKind.TESTED
        },
    )


def _describe_statement(row: RequirementStatement) -> EvidenceStatement:
    people = [row.requester.name, *([row.approver.name] if row.approver is not None else [])]
    until = row.until.isoformat() if row.until is not None else ""
    return EvidenceStatement(", confirmed by ".join(people), row.kind == StatementKind.EXCLUDED, row.reason, until)


def _describe_test(name: str, result: NamedTestResult | None) -> NamedTest:
    if result is None:
        return NamedTest(name, None, "it was not read yet")
    if result.passed is None or result.ran_at is None:
        return NamedTest(name, None, result.problem or "no trusted test runner reported it")
    if result.ran_at < timezone.now() - RESULT_LASTS:
        return NamedTest(name, None, f"it ran last on {result.ran_at:%Y-%m-%d}")
    return NamedTest(name, result.passed)


def _find_open_rules(product: Product, clauses: Iterable[Clause]) -> frozenset[str]:
    """Rules with an open finding. One of another tool, or of a report, counts for our rules of the same CWE."""
    rows = find_open_findings(ProductFinding.objects.filter(product=product), find_due_days(clauses))
    found = set(rows.filter(source=FindingSource.SCAN).order_by().values_list("rule", flat=True).distinct())
    others = set(rows.exclude(source=FindingSource.SCAN).order_by().values_list("cwe", flat=True).distinct()) - {0}
    return frozenset(found | {name for name, rule in load_own_rules().items() if rule.cwe in others})


def _explain_unscanned(product: Product) -> str:
    """Sentence that says what was not scanned, "" if all code was."""
    repositories = list(Repository.objects.filter(product=product).order_by("pk").values_list("pk", "name"))
    scans = {row.repository_id: row for row in CodeScan.objects.filter(repository__product=product).defer("plan")}
    for number, name in repositories:
        scan = scans.get(number)
        if scan is None or scan.finished_at is None or scan.problem:
            return f"{name} was not scanned"
        if scan.unscanned_count:
            return f"files of {name} could not be scanned"
        languages = find_uncovered_languages(scan)
        if languages:
            return f"no engine reads {', '.join(languages)} in {name}"
    return "" if repositories else "the product has no repository"


def _read_checks(product: Product, clauses: Iterable[Clause]) -> Mapping[str, bool]:
    """Results of checks by the clauses whose controls have their names: met if each is, not met if one is not."""
    wanted = {one.check for one in load_checklist().values() if one.check}
    named: dict[str, list[str]] = {}
    for clause in clauses:
        if clause.control in wanted:
            named.setdefault(clause.control, []).append(clause.id)
    states = dict(ProductClauseState.objects.filter(product=product).values_list("clause", F("state")))
    found: dict[str, bool] = {}
    for check, ids in named.items():
        results = {states.get(clause) for clause in ids}
        if ClauseResult.VIOLATED in results:
            found[check] = False
        elif results == {ClauseResult.MET}:
            found[check] = True
    return found
