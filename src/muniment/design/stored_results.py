"""Results of a design as data that passes from a child process and into a database.

A finding is its code with the blanks of its sentences: the sentences themselves come from the closed list of codes.
"""

import msgspec

from muniment.design.comparison import DesignDifference
from muniment.design.findings import DesignFinding, DesignNote, DesignStatus, Evidence, FindingCode, Principle
from muniment.design.findings import PrincipleResult as Result
from muniment.design.model import DesignModel
from muniment.design.threats import Threat


class StoredDesignFinding(msgspec.Struct, frozen=True):
    """Finding with the name of its code."""

    code: str
    subject: str
    detail: str = ""
    path: tuple[str, ...] = ()
    where: str = ""


class StoredResult(msgspec.Struct, frozen=True):
    """Result of one principle."""

    principle: Principle
    status: DesignStatus
    evidence: tuple[Evidence, ...]
    findings: tuple[StoredDesignFinding, ...]
    notes: tuple[DesignNote, ...] = ()
    examined: int = 0


class StoredDifference(msgspec.Struct, frozen=True):
    """Effect of a change."""

    added: tuple[str, ...]
    removed: tuple[str, ...]
    altered: tuple[str, ...]
    findings: tuple[StoredDesignFinding, ...]
    weaker: tuple[StoredDesignFinding, ...]


class EvaluatedDesign(msgspec.Struct, frozen=True):
    """Design of a product or a commit with its results. `problem` says why there are none, "" otherwise.

    `model` is None where no repository has a design file, or one cannot be read.
    """

    model: DesignModel | None = None
    problem: str = ""
    results: tuple[StoredResult, ...] = ()
    threats: tuple[Threat, ...] = ()


def pack_finding(finding: DesignFinding) -> StoredDesignFinding:
    """Convert a finding to data."""
    return StoredDesignFinding(finding.code.name, finding.subject, finding.detail, finding.path, finding.where)


def load_finding(stored: StoredDesignFinding) -> DesignFinding:
    """Convert data to a finding. Raises KeyError for an unknown code."""
    return DesignFinding(FindingCode[stored.code], stored.subject, stored.detail, stored.path, stored.where)


def pack_result(result: Result) -> StoredResult:
    """Convert a result to data."""
    findings = tuple(map(pack_finding, result.findings))
    return StoredResult(result.principle, result.status, result.evidence, findings, result.notes, result.examined)


def load_result(stored: StoredResult) -> Result:
    """Convert data to a result. Raises KeyError for an unknown code."""
    findings = tuple(map(load_finding, stored.findings))
    return Result(stored.principle, stored.status, stored.evidence, findings, stored.notes, stored.examined)


def pack_difference(difference: DesignDifference) -> StoredDifference:
    """Convert the effect of a change to data."""
    return StoredDifference(
        difference.added,
        difference.removed,
        difference.altered,
        tuple(map(pack_finding, difference.findings)),
        tuple(map(pack_finding, difference.weaker)),
    )
