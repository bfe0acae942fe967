"""Scans the protected branch of a repository as a whole, and stores what changed as an act of the service."""

import hashlib
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import msgspec
from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from muniment.access.roles import Role
from muniment.errors import MunimentError
from muniment.facts import canonical
from muniment.git.repository import Repository as Git
from muniment.scanners.findings import CoverageState
from muniment.scanners.javascript.engine import JAVASCRIPT_ENGINE
from muniment.scanners.languages import find_language, find_unread_language
from muniment.scanners.python.analysis import PYTHON_ENGINE
from muniment.scanners.secrets.engine import SECRETS_ENGINE
from muniment.server.acts.execution import execute_system_act
from muniment.server.acts.system_actors import SystemActor
from muniment.server.changes.repository_context import open_repository_context
from muniment.server.connections.forge_access import (
    load_active_link,
    open_connected_forge,
    require_linked_repository,
)
from muniment.server.connections.forge_change_evaluator import open_repository_mirror
from muniment.server.connections.models import ProtectedBranch
from muniment.server.connections.named_locks import hold_lock
from muniment.server.error_text import format_error_text
from muniment.server.findings.leaked_secrets import report_secrets
from muniment.server.findings.models import CachedScan, CodeScan, LeakedSecret, ProductFinding, ReceivedReport
from muniment.server.findings.owners import find_owners, store_owners
from muniment.server.findings.scan_acts import StoreScan, make_place
from muniment.server.findings.scan_plan import ScanPlan, StoredFinding, plan_scan
from muniment.server.guarding.home_keys import read_digest_key
from muniment.server.people.messages import find_role_holders, notify_people
from muniment.server.products.models import FORGE, Repository, RepositoryScan
from muniment.server.records import row_checks
from muniment.workflows import branch_scan
from muniment.workflows.branch_scan import BranchScanResult, FileResult, scan_branch
from muniment.workflows.workflow_scan import WORKFLOW_ENGINE

_DAILY = timedelta(days=1)
_RETRY = timedelta(minutes=10)  # after a scan that failed
_CACHED = timedelta(days=60)  # after which a result that no scan used is deleted
_REPORTED = timedelta(days=30)  # for which the answer about a report is shown
_MOST_LISTED = 200  # unscanned files of one scan
_AT_ONCE = 5_000  # keys of one query
_MOST_DUE = 20  # repositories in one round
_PYTHON, _PIPELINES, _INFRASTRUCTURE = "Python", "Pipelines", "Infrastructure"


class DatabaseResultCache:
    """Cache of results in the database, for every repository."""

    def find_results(self, keys: Collection[str]) -> Mapping[str, tuple[FileResult, ...]]:
        """Find stored results, and note that they are still used."""
        today, listed = timezone.localdate(), list(keys)
        found: dict[str, tuple[FileResult, ...]] = {}
        for start in range(0, len(listed), _AT_ONCE):
            rows = CachedScan.objects.filter(key__in=listed[start : start + _AT_ONCE])
            for key, data in rows.values_list("key", "results"):
                found[key] = msgspec.msgpack.decode(bytes(data), type=tuple[FileResult, ...])
            rows.exclude(used_on=today).update(used_on=today)
        return found

    def store_results(self, results: Mapping[str, tuple[FileResult, ...]]) -> None:
        """Store results. What another scan stored meanwhile is the same."""
        today = timezone.localdate()
        rows = [
            CachedScan(key=key, results=msgspec.msgpack.encode(lines), used_on=today) for key, lines in results.items()
        ]
        CachedScan.objects.bulk_create(rows, ignore_conflicts=True, batch_size=_AT_ONCE)


def drop_unused_results() -> None:
    """Delete cached results that no scan used for long, and the rows of reports that were read."""
    CachedScan.objects.filter(used_on__lt=timezone.localdate() - _CACHED).delete()
    ReceivedReport.objects.filter(read_at__lt=timezone.now() - _REPORTED).delete()


def digest_all_engines() -> str:
    """Digest of the code and rules of all engines: after another one, every branch is due."""
    return hashlib.sha256("".join(branch_scan.digest_engines()).encode()).hexdigest()


def list_due_repositories() -> Iterator[int]:
    """List the repositories whose branch has moved, or was not scanned for a day, the longest waiting first."""
    rows = Repository.objects.filter(product__retired_at=None)
    here = Q(worker=settings.WORKER_NAME) & ~Q(path__startswith=FORGE)
    rows = rows.filter(here | Q(forge_link__connection__ended_at=None, path__startswith=FORGE))
    scans = {row.repository_id: row for row in CodeScan.objects.defer("plan", "unscanned")}
    tips = dict(RepositoryScan.objects.values_list("repository", "tip"))
    for repository, ref, tip in ProtectedBranch.objects.filter(tip__gt="").values_list("repository", "ref", "tip"):
        scan = scans.get(repository)
        if scan is not None and scan.branch == ref:
            tips[repository] = tip
    due: list[tuple[float, int]] = []
    for number in rows.values_list("pk", flat=True):
        scan = scans.get(number)
        if scan is None or scan.started_at is None:
            due.append((0, number))
        elif _is_due(scan, tips.get(number, "")):
            due.append((scan.started_at.timestamp(), number))
    for _, number in sorted(due)[:_MOST_DUE]:
        yield number


def _is_due(scan: CodeScan, tip: str) -> bool:
    """Whether a scan that began before is to be repeated."""
    age = timezone.now() - (scan.started_at or timezone.now())
    if scan.problem or scan.finished_at is None:
        return age > _RETRY
    return age > _DAILY or (tip not in ("", scan.tip) and age > _RETRY) or scan.engines != digest_all_engines()


@contextmanager
def open_branch(repository: Repository) -> Iterator[tuple[Git, str, str]]:
    """Open the git of a repository; with it, the ref and the commit of the branch to scan. Raises MunimentError."""
    connected = load_active_link(repository.pk)
    if connected is None:
        with open_repository_context(repository) as found:
            yield found.git, found.main_branch, found.branches[found.main_branch]
        return
    forge = open_connected_forge(connected.connection)
    there, target = require_linked_repository(connected), connected.default_branch
    tip = forge.reader.read_branch_tip(there, target)
    mirror = open_repository_mirror(connected, forge, there)
    with hold_lock(f"mirror:{connected.pk}"):  # two fetches into one mirror would fail at its refs
        mirror.fetch_refs((target,), (), (tip,))
    with mirror.open_copy() as git:
        yield git, target, tip


def scan_product_branch(repository: Repository) -> None:
    """Scan the branch of a repository. What cannot be scanned is noted with the reason, and closes no finding."""
    scan, _ = CodeScan.objects.get_or_create(repository=repository)
    scan.started_at = timezone.now()
    scan.save(update_fields=["started_at"])
    try:
        with open_branch(repository) as (git, branch, tip):
            key = read_digest_key(Path(settings.HOME))
            result = scan_branch(git, tip, key, DatabaseResultCache())
            owners = find_owners(repository, git, tip, _list_finding_paths(repository, result))
    except MunimentError as error:
        scan.problem, scan.finished_at = format_error_text(error), None
        scan.save(update_fields=["problem", "finished_at"])
        return
    scan.branch, scan.tip = branch, tip
    store_branch_scan(scan, result)
    store_owners(repository, owners)


def _list_finding_paths(repository: Repository, result: BranchScanResult) -> set[str]:
    """List the paths of findings: of this scan, of reports and of people."""
    present = ProductFinding.objects.filter(repository=repository, gone_at=None).values_list("path", flat=True)
    found = {one.location.path for lines in result.results.values() for line in lines for one in line.findings}
    return found.union(present) - {""}


def store_branch_scan(scan: CodeScan, result: BranchScanResult) -> None:
    """Store the result of a scan. `scan` has its branch and tip."""
    stored = row_checks.read_recorded(lambda: _load_findings(scan.repository), ProductFinding)
    present = LeakedSecret.objects.filter(repository=scan.repository, gone_at=None)
    plan = plan_scan(result, stored, frozenset(present.values_list("fingerprint", flat=True)))
    is_complete = _note_coverage(scan, result)
    secrets: list[int] = []
    with transaction.atomic():
        is_first = scan.baseline_at is None
        if plan.needs_record:
            secrets = _record_plan(scan, plan)
        for one in plan.moved:
            ProductFinding.objects.filter(pk=one.number).update(**make_place(one.finding))
        scan.finished_at, scan.problem, scan.engines, scan.plan = timezone.now(), "", digest_all_engines(), b""
        if is_first and is_complete:
            scan.baseline_at = scan.finished_at
        scan.save()
        report_secrets(secrets)
        if plan.new and not is_first:
            _notify_of_findings(scan, len(plan.new))


def _record_plan(scan: CodeScan, plan: ScanPlan) -> list[int]:
    scan.plan = msgspec.msgpack.encode(plan)
    scan.save(update_fields=["plan"])
    values = {"scan": scan.pk, "tip": scan.tip, "digest": canonical.digest_bytes(scan.plan)}
    made: list[int] = execute_system_act(SystemActor.CODE_SCAN, StoreScan, values)
    return made


def _load_findings(repository: Repository) -> list[StoredFinding]:
    names = ("pk", "tool", "rule", "fingerprint", "copy", "path", "line", "snippet", "severity", "gone_at")
    rows = ProductFinding.objects.filter(repository=repository, source="scan").values_list(*names)
    return [
        StoredFinding(number, tool, rule, fingerprint, copy, path, line, snippet, severity, gone_at is not None)
        for number, tool, rule, fingerprint, copy, path, line, snippet, severity, gone_at in rows
    ]


def _note_coverage(scan: CodeScan, result: BranchScanResult) -> bool:
    """Note which files were read. Returns whether any file was: where none was, the scan is no baseline."""
    gaps = [
        (path, line.engine, line.because)
        for path, lines in result.results.items()
        for line in lines
        if line.state in (CoverageState.FAILED, CoverageState.PARTIAL)
    ]
    scan.file_count, scan.scanned_count = len(result.results), result.scanned
    scan.unscanned, scan.unscanned_count = sorted(gaps)[:_MOST_LISTED], len(gaps)
    scan.languages = _measure_kinds(result)
    return not result.results or len({path for path, _, _ in gaps}) < len(result.results)


def _measure_kinds(result: BranchScanResult) -> list[list[str | int]]:
    """Measure bytes, bytes that an engine for the kind of file read, and files, for each kind of code."""
    kinds: dict[str, list[int]] = {}
    for path, lines in result.results.items():
        kind, is_read = _classify_file(path, lines)
        if kind:
            total = kinds.setdefault(kind, [0, 0, 0])
            size = result.sizes[path]
            total[0] += size
            total[1] += size if is_read else 0
            total[2] += 1
    return [[kind, *kinds[kind]] for kind in sorted(kinds, key=lambda name: -kinds[name][0])]


def _classify_file(path: str, lines: tuple[FileResult, ...]) -> tuple[str, bool]:
    """Kind of a file, "" for one that is no code, and whether an engine for that kind read it."""
    language = find_unread_language(path)
    if language:
        return language, False
    states = {line.engine: line.state for line in lines if line.state is not CoverageState.SKIPPED}
    if language := find_language(path):
        own = states.get(PYTHON_ENGINE if language == _PYTHON else JAVASCRIPT_ENGINE)
        return language, own is CoverageState.SCANNED
    states.pop(SECRETS_ENGINE, None)
    kind = _PIPELINES if WORKFLOW_ENGINE in states else _INFRASTRUCTURE if states else ""
    return kind, all(state is CoverageState.SCANNED for state in states.values())


def _notify_of_findings(scan: CodeScan, count: int) -> None:
    product = scan.repository.product
    people = find_role_holders((Role.OWNER, Role.SECURITY), product)
    text = f"New findings for {product.name}: {count}."
    notify_people(people, text, f"/products/{product.slug}/findings")
