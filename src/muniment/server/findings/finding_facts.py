"""Supplies the facts about findings and monitored rules. Findings and decisions are compared with their records."""

from collections.abc import Collection, Mapping

from django.db.models import Prefetch

from muniment.facts import kinds
from muniment.facts.code_facts import UnscannedFile
from muniment.facts.facts import Fact
from muniment.facts.finding_facts import BranchScan, OpenFinding, ProductFindings
from muniment.facts.maybe import Known
from muniment.server import moments
from muniment.server.findings.coverage import find_uncovered_languages
from muniment.server.findings.models import CodeScan, FindingDecision, ProductFinding
from muniment.server.findings.rule_monitoring import list_monitored_rules
from muniment.server.products.models import Product, Repository
from muniment.server.records import row_checks
from muniment.workflows.fact_suppliers import create_fact

_SOURCE = "record"
_TABLES = (Product, Repository, ProductFinding, FindingDecision)
_NO_END = "9999-12-31T00:00:00.000000Z"  # of a correction


class FindingSupplier:
    """Supplier of a product's findings (`workflows.fact_suppliers`)."""

    names = frozenset({kinds.PRODUCT_FINDINGS.name, kinds.MONITORED_RULES.name})

    def supply_facts(self, product: str, names: Collection[str], now: str) -> Mapping[str, Fact]:
        """Supply the facts. Raises RowsDifferError if a row differs from the ledger."""
        found: dict[str, Fact] = {}
        if kinds.PRODUCT_FINDINGS.name in names:
            stored = row_checks.read_recorded(lambda: read_product_findings(product), *_TABLES)
            found[kinds.PRODUCT_FINDINGS.name] = create_fact(Known(stored), _SOURCE, now)
        if kinds.MONITORED_RULES.name in names:
            found[kinds.MONITORED_RULES.name] = create_fact(Known(list_monitored_rules()), _SOURCE, now)
        return found


def describe_finding_state() -> str:
    """Text that differs once the fact may: after a scan, an act, or a decision."""
    newest = CodeScan.objects.order_by("-finished_at").values_list("finished_at", flat=True).first()
    return f"{row_checks.format_versions(ProductFinding, FindingDecision)} {newest}"


def read_product_findings(product: str) -> ProductFindings:
    """Findings of a product that are in the code, and the scans of its repositories."""
    decisions = Prefetch("decisions", FindingDecision.find_in_force(), "current_decisions")
    rows = ProductFinding.objects.filter(product__slug=product, gone_at=None).prefetch_related(decisions).order_by("pk")
    repositories = Repository.objects.filter(product__slug=product).select_related("code_scan").order_by("pk")
    return ProductFindings(
        scans=tuple(_describe_scan(row, getattr(row, "code_scan", None)) for row in repositories),
        findings=tuple(_describe_finding(row, list(row.current_decisions)) for row in rows),
    )


def _describe_scan(repository: Repository, scan: CodeScan | None) -> BranchScan:
    if scan is None:
        return BranchScan(repository.name, "", "")
    return BranchScan(
        repository=repository.name,
        branch=scan.branch.removeprefix("refs/heads/"),
        scanned_at=moments.format_moment(scan.finished_at) if scan.finished_at is not None else "",
        problem=scan.problem,
        unscanned=tuple(UnscannedFile(path, why) for path, _engine, why in scan.unscanned),
        languages=find_uncovered_languages(scan),
    )


def _describe_finding(row: ProductFinding, decisions: list[FindingDecision]) -> OpenFinding:
    last = decisions[0] if decisions else None
    until = "" if last is None else _NO_END if last.ends_at is None else moments.format_moment(last.ends_at)
    return OpenFinding(
        number=row.pk,
        rule=row.rule,
        severity=row.severity,
        path=row.path or "the product",
        clock_from=moments.format_moment(row.clock_from),
        decision=last.kind if last is not None else "",
        decided_until=until,
    )
