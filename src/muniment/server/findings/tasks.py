"""Background jobs of findings: scans of branches, and what follows from decisions."""

from django.conf import settings

from muniment.server.findings import report_import, scanning
from muniment.server.findings.early_stops import count_stopped_findings
from muniment.server.findings.leaked_secrets import close_revoked_secrets, report_secrets
from muniment.server.findings.rule_monitoring import note_rules
from muniment.server.job_queue import LONG_SECONDS, enqueue, register_periodic_task, register_task
from muniment.server.products.models import Repository

_MINUTE = 60


@register_task("scan-code", LONG_SECONDS, share_slots=True)
def scan_code_task(repository: int) -> None:
    """Scan the protected branch of a repository as a whole."""
    row = Repository.objects.select_related("product").filter(pk=repository, product__retired_at=None).first()
    note_rules()
    if row is not None and not settings.DEMONSTRATION:  # the repositories of a demonstration have no code
        scanning.scan_product_branch(row)


@register_periodic_task("scan-due-code", every=_MINUTE)
def scan_due_code() -> None:
    """Enqueue the scan of each branch that has moved, or was not scanned for a day."""
    note_rules()
    if not settings.DEMONSTRATION:
        for number in scanning.list_due_repositories():
            enqueue("scan-code", repository=number)
    scanning.drop_unused_results()


@register_periodic_task("count-stopped-findings", every=10 * _MINUTE)
def count_stopped_findings_task() -> None:
    """Count the findings that were stopped on changes."""
    count_stopped_findings()


@register_task("close-revoked-secrets")
def close_revoked_secrets_task() -> None:
    """Close the incidents of secrets that are revoked."""
    close_revoked_secrets()


@register_task("report-leaked-secret")
def report_leaked_secret(leak: int) -> None:
    """Open the incident of a secret that is not revoked."""
    report_secrets([leak])


@register_task("import-report", LONG_SECONDS)
def import_report_task(report: int) -> None:
    """Import a report of another tool."""
    report_import.import_report(report)
