"""Results of the tests. Unknown is never a pass."""

from dataclasses import dataclass, field
from enum import StrEnum


class TestStatus(StrEnum):
    """Result of a guard or a route."""

    __test__ = False  # pytest collects classes of this name otherwise

    MET = "met"
    VIOLATED = "violated"
    UNKNOWN = "unknown"


class Problem(StrEnum):
    """Kind of a finding."""

    OPENED = "opened-on-failure"
    CHANGED = "data-changed-on-failure"
    LEAKED = "leaked-on-failure"
    NO_ANSWER = "no-answer-on-failure"
    NO_GUARD = "reached-without-rights"
    LATE_REFUSAL = "refused-after-handler-began"
    OTHER_OWNER = "reached-object-of-another-owner"
    OTHER_METHOD = "method-let-through"
    EMPTY_SETTINGS = "open-with-empty-settings"


SENTENCES = {
    Problem.OPENED: "lets the request through",
    Problem.CHANGED: "refuses, and leaves changed data",
    Problem.LEAKED: "refuses, and shows what it must not show",
    Problem.NO_ANSWER: "does not answer",
    Problem.NO_GUARD: "runs its handler for a request without rights",
    Problem.LATE_REFUSAL: "refuses only after its handler began",
    Problem.OTHER_OWNER: "gives the object of one owner to another",
    Problem.OTHER_METHOD: "runs its handler for a method that no guard refuses",
    Problem.EMPTY_SETTINGS: "runs its handler in an application with empty settings",
}


@dataclass(frozen=True)
class TestFinding:
    """Weakness that a test showed. `where` is file and line of the code to correct, "" if it is not known."""

    __test__ = False

    problem: Problem
    subject: str
    detail: str
    where: str = ""

    @property
    def sentence(self) -> str:
        """Finding for people."""
        place = f" ({self.where})" if self.where else ""
        return f"{self.subject} {SENTENCES[self.problem]}: {self.detail}{place}"


@dataclass(frozen=True)
class GuardResult:
    """Result of one guard: faults that reached it out of those injected, findings, and reasons why it is unknown."""

    guard: str
    asks: tuple[str, ...]
    faults: int
    reached: int
    findings: tuple[TestFinding, ...] = ()
    unknown: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def status(self) -> TestStatus:
        """Violated by any finding; met only if every thing that it asks was made to fail."""
        if self.findings:
            return TestStatus.VIOLATED
        return TestStatus.UNKNOWN if self.unknown or not self.reached else TestStatus.MET


@dataclass(frozen=True)
class RouteResult:
    """Result of one (route, method): outcome of each identity, findings, and reasons why it is unknown."""

    pattern: str
    method: str
    handler: str
    public: bool
    outcomes: dict[str, str] = field(default_factory=dict)
    findings: tuple[TestFinding, ...] = ()
    unknown: tuple[str, ...] = ()

    @property
    def status(self) -> TestStatus:
        """Violated by any finding; met only if nothing is unknown."""
        if self.findings:
            return TestStatus.VIOLATED
        return TestStatus.UNKNOWN if self.unknown else TestStatus.MET
