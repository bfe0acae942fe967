"""Imports reports of other tools, in the worker: reads a file, and stores what it changes as an act."""

from pathlib import Path

import msgspec
from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from muniment.errors import MunimentError, UsageError
from muniment.facts import canonical
from muniment.scanners.imports.import_coverage import CoverageDeclaration, ImportCanary
from muniment.scanners.imports.isolation import read_report_runs
from muniment.scanners.imports.sarif_import import ImportedRun
from muniment.server.acts.execution import execute_system_act
from muniment.server.acts.system_actors import SystemActor
from muniment.server.error_text import format_error_text
from muniment.server.findings.models import FindingSource, ProductFinding, ReceivedReport, ToolCoverage, ToolImport
from muniment.server.findings.report_acts import StoreReport
from muniment.server.findings.report_files import unpack_report
from muniment.server.findings.report_plan import RunPlan, StoredImport, find_declaration, plan_run
from muniment.server.findings.scanning import open_branch
from muniment.server.guarding.home_keys import read_digest_key
from muniment.server.products.models import Repository
from muniment.server.records import row_checks
from muniment.workflows.code_files import list_code_files


def import_report(number: int) -> None:
    """Import a received report, once. One that cannot be read changes nothing, and its row says why."""
    report = ReceivedReport.objects.select_related("repository__product").filter(pk=number, read_at=None).first()
    if report is None:
        return
    try:
        content = unpack_report(bytes(report.content))
        if canonical.digest_bytes(content) != report.digest:
            raise UsageError(_("The report differs from its digest."), _("Send it again."))
        runs = read_report_runs(content, read_digest_key(Path(settings.HOME)))
        _store_runs(report, runs)
        report.problem = ""
    except MunimentError as error:
        report.problem = format_error_text(error)
    report.read_at, report.content, report.plan = timezone.now(), b"", b""
    report.save(update_fields=["read_at", "content", "plan", "problem"])


def _store_runs(report: ReceivedReport, runs: tuple[ImportedRun, ...]) -> None:
    stored = row_checks.read_recorded(lambda: _load_findings(report.repository), ProductFinding)
    declared = row_checks.read_recorded(lambda: _load_declarations(report.repository), ToolCoverage)
    files = _list_files(report.repository)
    earlier = {(row.tool, row.category): row.digest for row in ToolImport.objects.filter(repository=report.repository)}
    plans: list[RunPlan] = []
    for run in runs:
        declaration = find_declaration(declared, run.tool)
        digest = earlier.get((run.tool[:100], run.category))
        plan = plan_run(run, stored, declaration, files, report.digest, digest)
        if plan is not None:
            plans.append(plan)
    with transaction.atomic():
        if plans:
            report.plan = msgspec.msgpack.encode(plans)
            report.save(update_fields=["plan"])
            values = {"report": report.pk, "digest": canonical.digest_bytes(report.plan)}
            execute_system_act(SystemActor.CODE_SCAN, StoreReport, values)
        for plan in plans:
            _note_import(report.repository, plan)


def _note_import(repository: Repository, plan: RunPlan) -> None:
    values = {
        "version": plan.version[:300],
        "digest": plan.digest,
        "imported_at": timezone.now(),
        "coverage": plan.coverage.value,
        "because": plan.because,
        "file_count": plan.file_count,
        "languages": list(plan.languages),
    }
    ToolImport.objects.update_or_create(repository=repository, tool=plan.tool, category=plan.category, defaults=values)


def _load_findings(repository: Repository) -> list[StoredImport]:
    rows = ProductFinding.objects.filter(repository=repository, source=FindingSource.IMPORTED)
    return [
        StoredImport(
            number=row.pk,
            tool=row.tool,
            category=row.category,
            fingerprint=row.fingerprint,
            copy=row.copy,
            place=row.path,
            line=row.line,
            severity=row.severity,
            is_gone=row.gone_at is not None,
        )
        for row in rows.order_by("pk")
    ]


def _load_declarations(repository: Repository) -> dict[str, tuple[CoverageDeclaration, ImportCanary]]:
    return {
        row.tool.lower(): (
            CoverageDeclaration(tuple(row.paths), tuple(row.languages)),
            ImportCanary(row.canary_rule, row.canary_path),
        )
        for row in ToolCoverage.objects.filter(repository=repository, ended_at=None)
    }


def _list_files(repository: Repository) -> frozenset[str] | None:
    """Paths of the branch; None if it cannot be read: nothing counts as removed, and no language as covered."""
    try:
        with open_branch(repository) as (git, _branch, tip):
            return frozenset(list_code_files(git, tip))
    except MunimentError:
        return None
