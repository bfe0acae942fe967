"""Coverage of scans: how much of the code was read, by kind of file, and which files were not."""

from datetime import datetime
from typing import NamedTuple

from django.utils import timezone

from muniment.access.actions import Action
from muniment.access.authorization import Actor
from muniment.server.findings.models import IMPORT_LASTS, CodeScan, ToolImport
from muniment.server.products.models import Repository
from muniment.server.products.visible_products import within_reach

# Kinds of files that an engine of ours reads.
ENGINE_KINDS = frozenset({"Python", "JavaScript", "TypeScript", "Pipelines", "Infrastructure"})


class KindCoverage(NamedTuple):
    """Coverage of one kind of file: the share of the code that it is, and of it the share that was read, in percent."""

    name: str
    files: int
    share: int
    read: int
    has_engine: bool


class RepositoryCoverage(NamedTuple):
    """Coverage of the branch of a repository. `read` is the percentage of its code that an engine read, None before
    the first scan; `unscanned` are path, engine and reason.
    """

    repository: Repository
    branch: str
    scanned_at: datetime | None
    problem: str
    read: int | None
    kinds: tuple[KindCoverage, ...]
    unscanned: tuple[tuple[str, str, str], ...]
    unscanned_count: int
    files: int


def read_coverage(actor: Actor, product: str = "") -> list[RepositoryCoverage]:
    """Read the coverage of the repositories of active products, of one product or of all that an actor may see."""
    rows = Repository.objects.filter(within_reach(actor, Action.SEE_FINDINGS, "product"), product__retired_at=None)
    if product:
        rows = rows.filter(product__slug=product)
    rows = rows.select_related("product", "code_scan").defer("code_scan__plan").order_by("product__name", "name")
    return [_describe_repository(row, getattr(row, "code_scan", None)) for row in rows]


def _describe_repository(row: Repository, scan: CodeScan | None) -> RepositoryCoverage:
    if scan is None:
        return RepositoryCoverage(row, "", None, "", None, (), (), 0, 0)
    total = sum(size for _, size, _, _ in scan.languages)
    kinds = tuple(
        KindCoverage(name, files, find_percentage(size, total), find_percentage(read, size), name in ENGINE_KINDS)
        for name, size, read, files in scan.languages
    )
    return RepositoryCoverage(
        repository=row,
        branch=scan.branch.removeprefix("refs/heads/"),
        scanned_at=scan.finished_at,
        problem=scan.problem,
        read=find_percentage(sum(read for _, _, read, _ in scan.languages), total)
        if scan.finished_at is not None
        else None,
        kinds=kinds,
        unscanned=tuple((path, engine, why) for path, engine, why in scan.unscanned),
        unscanned_count=scan.unscanned_count,
        files=scan.file_count,
    )


def find_percentage(part: int, whole: int) -> int:
    """Whole find_percentage, rounded down so that 100 means all; 100 of nothing."""
    return 100 * part // whole if whole else 100


def find_uncovered_languages(scan: CodeScan) -> tuple[str, ...]:
    """Find the languages of a branch that neither an engine nor a report of the last days reads whole."""
    since = timezone.now() - IMPORT_LASTS
    imports = ToolImport.objects.filter(repository=scan.repository_id, imported_at__gt=since)
    covered = {name for languages in imports.values_list("languages", flat=True) for name in languages}
    return tuple(sorted(kind for kind, *_ in scan.languages if kind not in ENGINE_KINDS and kind not in covered))
