"""Facts about the findings of a product: those that are not corrected, and how far its code was scanned."""

from msgspec import Struct

from muniment.facts.code_facts import UnscannedFile


class BranchScan(Struct, frozen=True):
    """Newest scan of one branch. `scanned_at` is "" before the first; `problem` says why the newest one failed.

    `languages` are those without an engine: only secrets are looked for in their files.
    """

    repository: str
    branch: str
    scanned_at: str
    problem: str = ""
    unscanned: tuple[UnscannedFile, ...] = ()
    languages: tuple[str, ...] = ()


class OpenFinding(Struct, frozen=True):
    """Finding that is not corrected. Its due date counts from `clock_from`.

    `decision` is "" for none, else `false-positive` or `accepted`, which is valid until `decided_until`.
    """

    number: int
    rule: str
    severity: str
    path: str
    clock_from: str
    decision: str = ""
    decided_until: str = ""


class MonitoredRule(Struct, frozen=True):
    """Rule that is new or changed in this installation: until a moment its findings are shown and block nothing."""

    rule: str
    until: str


class ProductFindings(Struct, frozen=True):
    """Findings of a product, and the scans of its branches."""

    scans: tuple[BranchScan, ...]
    findings: tuple[OpenFinding, ...]
