"""Acts of scans: have a product scanned now, and store what a scan found, which the service does."""

from datetime import datetime
from typing import Annotated, ClassVar

import msgspec
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from muniment.access.actions import Action
from muniment.access.authorization import Actor, Resource
from muniment.errors import RefusedError
from muniment.facts import canonical
from muniment.scanners.findings import Finding as FoundWeakness
from muniment.server.acts.act import Act, ActContext
from muniment.server.acts.fields import number_input
from muniment.server.acts.inputs import Label, Text
from muniment.server.findings.finding_events import FOUND, GONE, RAISED, REOPENED, add_events
from muniment.server.findings.models import CodeScan, LeakedSecret, ProductFinding
from muniment.server.findings.rule_monitoring import read_monitoring_ends
from muniment.server.findings.scan_plan import PlannedFinding, ScanPlan
from muniment.server.job_queue import enqueue_first
from muniment.server.products.act_fields import ProductAct
from muniment.server.products.models import Repository


class ScanProduct(ProductAct, frozen=True):
    """Have the branches of a product scanned now."""

    actions: ClassVar[tuple[Action, ...]] = (Action.SCAN_CODE,)
    title: ClassVar[Label] = gettext_lazy("Scan now")

    def describe_act(self) -> str:
        return _("scan the code of the product %(product)s") % {"product": self.find_product_row().name}

    def check_preconditions(self, context: ActContext) -> None:
        """Require an active product with a repository."""
        rows = Repository.objects.filter(product__slug=self.product, product__retired_at=None)
        if not rows.exists():
            raise RefusedError(
                "nothing-to-scan",
                _("The product has no repository, or is retired."),
                _("Add a repository on the page of the product."),
            )

    def carry_out(self, context: ActContext) -> None:
        """Enqueue a scan of each repository."""
        for number in Repository.objects.filter(product__slug=self.product).values_list("pk", flat=True):
            enqueue_first("scan-code", repository=number)


def _all_scans(actor: Actor) -> "QuerySet[CodeScan]":
    return CodeScan.objects.all()


class StoreScan(Act, frozen=True):
    """Store what a scan changes: findings that are new, changed, gone or there again, and secrets."""

    actions: ClassVar[tuple[Action, ...]] = (Action.SCAN_CODE,)
    title: ClassVar[Label] = gettext_lazy("Store scan")

    scan: Annotated[
        int,
        number_input(
            label=gettext_lazy("Scan"),
            rows=_all_scans,
            missing=gettext_lazy("There is no such scan."),
            remedy=gettext_lazy("Select Scan now on the page of the product."),
            recorded=True,
        ),
    ]
    tip: Annotated[str, Text(label=gettext_lazy("Commit"), most=64, recorded=True)]
    digest: Annotated[str, Text(label=gettext_lazy("Digest of the changes"), most=71, recorded=True)]

    def load_scan(self) -> CodeScan:
        """Row of the scan."""
        return CodeScan.objects.select_related("repository__product").get(pk=self.scan)

    def find_resource(self) -> Resource:
        """The product of the repository."""
        return Resource(product=self.load_scan().repository.product.slug)

    def format_subject(self) -> str:
        return f"product:{self.load_scan().repository.product.slug}"

    def describe_act(self) -> str:
        return _("store the scan of %(repository)s") % {"repository": self.load_scan().repository.name}

    def check_preconditions(self, context: ActContext) -> None:
        """Require the plan that the digest names."""
        if canonical.digest_bytes(bytes(self.load_scan().plan)) != self.digest:
            raise RefusedError("other-plan", _("Another scan came between."), _("The next scan stores its findings."))

    def carry_out(self, context: ActContext) -> list[int]:
        """Carry out the plan. Returns the numbers of new secrets."""
        row = self.load_scan()
        plan = msgspec.msgpack.decode(bytes(row.plan), type=ScanPlan)
        now = timezone.now()
        _add_findings(row, plan.new, now)
        for one in plan.reopened:
            # Its clock goes on from its beginning: taking code out and in again gains no time.
            ProductFinding.objects.filter(pk=one.number).update(gone_at=None, **make_place(one.finding))
        for one in plan.changed:
            _change_finding(one.number, one.copy, one.finding, now)
        ProductFinding.objects.filter(pk__in=plan.gone).update(gone_at=now)
        add_events((one.number for one in plan.reopened), REOPENED)
        add_events(plan.gone, GONE)
        LeakedSecret.objects.filter(repository=row.repository, fingerprint__in=plan.gone_secrets).update(gone_at=now)
        return [_store_secret(row, one, now) for one in plan.secrets]


def make_place(found: FoundWeakness) -> dict[str, str | int | list[dict[str, str | int]]]:
    """Columns of a finding that may change with each scan, and that no record holds."""
    return {
        "path": found.location.path[:1000],
        "line": found.location.line,
        "symbol": found.symbol[:300],
        "snippet": found.snippet,
        "message": found.message,
        "remedy": found.remedy,
        "steps": [{"path": step.location.path, "line": step.location.line, "text": step.text} for step in found.steps],
    }


def _add_findings(scan: CodeScan, planned: tuple[PlannedFinding, ...], now: datetime) -> None:
    rules = read_monitoring_ends({one.finding.rule for one in planned}, now)
    rows = [
        ProductFinding(
            product=scan.repository.product,
            repository=scan.repository,
            tool=one.tool,
            rule=one.finding.rule[:200],
            fingerprint=one.finding.fingerprint,
            copy=one.copy,
            severity=one.finding.severity.value,
            cwe=one.finding.cwe,
            owasp_2021=one.finding.owasp_2021,
            owasp_2025=one.finding.owasp_2025,
            requirement=one.finding.requirement,
            impact=one.finding.impact,
            confidence=one.finding.confidence.value,
            first_found_at=now,
            clock_from=max(now, rules[one.finding.rule] or now),
            is_baseline=scan.baseline_at is None,
            **make_place(one.finding),
        )
        for one in planned
    ]
    made = ProductFinding.objects.bulk_create(rows)
    add_events((row.pk for row in made), FOUND)


def _change_finding(number: int, copy: int, found: FoundWeakness, now: datetime) -> None:
    row = ProductFinding.objects.get(pk=number)
    levels = ("low", "medium", "high", "critical")
    row.fingerprint, row.copy = found.fingerprint, copy
    if levels.index(found.severity.value) > levels.index(row.severity):
        row.severity, row.clock_from = found.severity.value, now
        add_events([number], RAISED)
    for name, value in make_place(found).items():
        setattr(row, name, value)
    row.save()


def _store_secret(scan: CodeScan, found: FoundWeakness, now: datetime) -> int:
    """Store a secret that is in the code now. One that was there before is there again, revoked or not."""
    where = {"path": found.location.path[:1000], "line": found.location.line}
    row, _made = LeakedSecret.objects.update_or_create(
        repository=scan.repository,
        fingerprint=found.fingerprint,
        defaults={"gone_at": None, **where},
        create_defaults={
            "product": scan.repository.product,
            "rule": found.rule,
            "hint": found.message[:300],
            "first_found_at": now,
            **where,
        },
    )
    return row.pk
