"""Lists of threats of designs, with the answer in force to each."""

from typing import NamedTuple

from django.db.models import Exists, OuterRef, Prefetch
from django.db.models.query import QuerySet

from muniment.server.designs.models import AnswerKind, DesignThreat, ThreatAnswer
from muniment.server.designs.threat_texts import KIND_TEXTS, describe_threat, find_severity


class ThreatLine(NamedTuple):
    """Threat as a page shows it, with its answer in force, and the code and word of its state."""

    threat: DesignThreat
    text: str
    kind: str
    severity: str
    answer: ThreatAnswer | None

    @property
    def status_code(self) -> str:
        """Code of the state for the components."""
        if self.answer is None:
            return "violated" if self.severity == "high" else "unknown"
        return "met" if self.answer.kind == AnswerKind.MITIGATED else "exception"


def filter_open_threats(rows: "QuerySet[DesignThreat]") -> "QuerySet[DesignThreat]":
    """Threats that the design has, and to which no answer is in force."""
    answered = Exists(ThreatAnswer.find_in_force().filter(threat=OuterRef("pk")))
    return rows.filter(~answered, gone_at=None)


def list_threat_lines(rows: "QuerySet[DesignThreat]") -> list[ThreatLine]:
    """Threats with their answers in force: two queries."""
    answers = Prefetch("answers", ThreatAnswer.find_in_force().select_related("person"), "current_answers")
    return [describe_line(row, next(iter(row.current_answers), None)) for row in rows.prefetch_related(answers)]


def describe_line(row: DesignThreat, answer: ThreatAnswer | None) -> ThreatLine:
    """Line of one threat."""
    text = describe_threat(row.kind, row.element)
    return ThreatLine(row, text, str(KIND_TEXTS[row.kind]), find_severity(row.score), answer)
