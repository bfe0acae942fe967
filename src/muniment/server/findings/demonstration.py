"""Part of the demonstration about findings: scans of a few products, decisions, and a secret that leaked.

The engines of the product find the findings, in the examples of our own rules.
"""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from functools import partial

from django.utils import timezone

from muniment.scanners.findings import CoverageState, Finding, SourceFile
from muniment.scanners.python.analysis import PYTHON_ENGINE, scan_python
from muniment.scanners.rules import load_scan_rules
from muniment.scanners.secrets.engine import SECRETS_ENGINE, CredentialEngine
from muniment.server.demonstration_story import (
    SECOND_SECURITY_OFFICER,
    SECURITY_OFFICER,
    Demonstration,
    DemonstrationEvent,
)
from muniment.server.findings import models
from muniment.server.findings.decision_acts import AcceptFinding, AssignFinding, CallFalsePositive
from muniment.server.findings.entered_findings import EnterFinding
from muniment.server.findings.scanning import store_branch_scan
from muniment.server.products.models import Repository
from muniment.workflows.branch_scan import BranchScanResult, FileResult

_TIP = "0be77ac4" * 5
_Files = Mapping[str, str]  # path to the rule whose example it has; "" for harmless code
_SCANS: tuple[tuple[int, str, _Files], ...] = (  # days ago, product, Python files
    (170, "patient-portal", {"portal/forms.py": "cross-site-scripting", "cache/keys.py": "weak-hash"}),
    (169, "analytics", {"cache/keys.py": "weak-hash", "jobs/pick.py": "weak-random"}),
    (168, "billing", {"billing/fetch.py": "certificate-not-verified", "billing/job.py": "swallowed-exception"}),
    (150, "patient-portal", {"portal/forms.py": "", "cache/keys.py": ""}),
    (
        22,
        "clinic-scheduler",
        {
            "accounts/reset.py": "weak-random",
            "nav/links.py": "open-redirect",
            "files/store.py": "path-traversal",
            "jobs/run.py": "command-injection",
        },
    ),
    (21, "imaging-viewer", {"viewer/tools.py": "weak-hash"}),
    (
        5,
        "patient-portal",
        {"portal/forms.py": "", "cache/keys.py": "", "auth/next.py": "open-redirect", "logs/web.py": "log-injection"},
    ),
    (1, "patient-portal", {"portal/forms.py": "", "auth/next.py": "open-redirect", "pay/hooks.py": "weak-hash"}),
)
_OTHER_CODE = {
    "imaging-viewer": {"src/render.cpp": 38_000, "src/volume.cpp": 21_000},
    "analytics": {"q/all.sql": 4_000},
}


def list_events(company: Demonstration) -> Iterator[DemonstrationEvent]:
    """Events of half a year: scans, what people decided about findings, and a secret of yesterday."""
    for days, product, files in _SCANS:
        run = partial(_store_scan, product, files)
        yield DemonstrationEvent(company.find_moment(days, 6, 10), "worker", run)
    yield DemonstrationEvent(company.find_moment(20, 10), "web", partial(_decide_findings, company))
    yield DemonstrationEvent(company.find_moment(16, 11), "web", partial(_enter_finding, company))
    yield DemonstrationEvent(company.find_moment(4, 9, 20), "web", partial(_assign_finding, company))
    yield DemonstrationEvent(company.find_moment(1, 7, 45), "worker", _leak_secret)


def _store_scan(product: str, files: _Files, secrets: tuple[Finding, ...] = ()) -> None:
    repository = Repository.objects.select_related("product").filter(product__slug=product).earliest("pk")
    scan, _ = models.CodeScan.objects.get_or_create(repository=repository)
    scan.branch, scan.tip, scan.started_at = "refs/heads/main", _TIP, timezone.now()
    rules = load_scan_rules()
    codes = {path: rules[rule].bad[0].code.encode() if rule else b"READY = True\n" for path, rule in files.items()}
    sources = [SourceFile(path, code) for path, code in codes.items()]
    results: dict[str, tuple[FileResult, ...]] = {}
    for source in sources:
        found = scan_python([source])
        own = tuple(one for one in found.findings if one.rule == files[source.path])
        results[source.path] = (FileResult(source.path, PYTHON_ENGINE, CoverageState.SCANNED, "", own),)
    sizes = {source.path: len(source.content) * 20 for source in sources}
    for path, size in _OTHER_CODE.get(product, {}).items():
        sizes[path] = size
        results[path] = (FileResult(path, SECRETS_ENGINE, CoverageState.SCANNED),)
    for one in secrets:
        path, sizes[one.location.path] = one.location.path, 200
        results[path] = (FileResult(path, SECRETS_ENGINE, CoverageState.SCANNED, "", secrets),)
    store_branch_scan(scan, BranchScanResult(sizes, results, len(results)))


def _find_present_finding(product: str, rule: str) -> int:
    """Id of the first finding of a rule; an example of one may have several."""
    return models.ProductFinding.objects.filter(product__slug=product, rule=rule, gone_at=None).earliest("pk").pk


def _decide_findings(company: Demonstration) -> None:
    """A false positive of Analytics, and a risk of Billing that is accepted for a while."""
    number = _find_present_finding("analytics", "weak-hash")
    reason = "The digest is the key of a cache, and protects nothing."
    officers = (SECURITY_OFFICER, SECOND_SECURITY_OFFICER)
    company.perform_by_two("ines-duarte", officers[0], CallFalsePositive, finding=number, reason=reason)
    number = _find_present_finding("billing", "certificate-not-verified")
    until = (timezone.localdate() + timedelta(days=80)).isoformat()
    reason = "The bank's test system has no certificate. It is replaced by the end of the quarter."
    values = {"finding": number, "person": "pedro-alves", "until": until, "reason": reason}
    company.perform_by_two("liam-byrne", officers[1], AcceptFinding, **values)


def _enter_finding(company: Demonstration) -> None:
    values = {
        "weakness": "session stays valid after a password change",
        "severity": "high",
        "reported_in": "penetration test of Northgate Labs",
        "cwe": "613",
        "impact": "Somebody who has an old session keeps access.",
        "description": "All sessions of a person end when their password changes.",
    }
    company.perform("karin-holm", EnterFinding, product="lab-gateway", **values)


def _assign_finding(company: Demonstration) -> None:
    number = _find_present_finding("patient-portal", "open-redirect")
    company.perform("hana-kim", AssignFinding, finding=number, person="priya-nair")


def _leak_secret() -> None:
    token = "gh" + "p_" + "q7Rk2Zt9Xw4Lm8Bv3Nc6Hd1Jf5Gs0PyTaUeK"
    source = SourceFile("deploy/settings.py", f"\n\nTOKEN = '{token}'\n".encode())
    found = CredentialEngine(b"demonstration").scan_files([source], {source.path}).findings
    _store_scan("lab-gateway", {"gateway/main.py": ""}, found)
