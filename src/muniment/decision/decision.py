"""Decision of an evaluation: one result for each clause, and allow or deny from all of them."""

from collections.abc import Mapping
from enum import StrEnum

from msgspec import Struct

from muniment.controls.control import (
    Reason,
    ReasonCodes,
    ReasonTemplate,
    ResultStatus,
    UnknownFact,
    not_applicable,
    unknown,
    violated,
)
from muniment.policy.model import EnforcementPoint


class Outcome(StrEnum):
    """Outcome of a decision."""

    ALLOW = "allow"
    DENY = "deny"


_ACCEPTABLE = frozenset((ResultStatus.MET, ResultStatus.NOT_APPLICABLE))


class Result(Struct, frozen=True):
    """Result of one clause. `control_version` is 0 without a control.

    `enforced` is false while the clause is monitored; `exception` is the id of the exception that covers it, or "".
    """

    clause: str
    control: str
    control_version: int
    status: ResultStatus
    reasons: tuple[Reason, ...]
    enforced: bool
    exception: str = ""

    @property
    def is_acceptable(self) -> bool:
        """Whether the clause is met or not applicable, or an exception covers it."""
        return self.status in _ACCEPTABLE or bool(self.exception)

    @property
    def is_blocking(self) -> bool:
        """Whether this result alone denies."""
        return self.enforced and not (self.status in _ACCEPTABLE or self.exception)


class Decision(Struct, frozen=True):
    """Decision at one enforcement point. `preview`: the pushers were assumed, so it is neither recorded nor enforced.

    `time` is the moment of the evaluation. `reasons` belong to no clause: a freeze, or that no clause is enforced.
    """

    outcome: Outcome
    point: EnforcementPoint
    time: str
    policy: str
    facts: str
    repository: str
    target: str
    base: str
    head: str
    preview: bool
    results: tuple[Result, ...]
    reasons: tuple[Reason, ...] = ()


class Reasons(ReasonCodes):
    """Reasons that do not depend on a control."""

    CONTROL_NOT_AVAILABLE = unknown(
        "This version does not evaluate the control {name}.",
        "Write enforce = [] for the clause.",
    )
    CLAUSE_NOT_EVALUABLE = unknown(
        "This version cannot evaluate the clause {name}: {problem}.",
        "Correct the clause in policy.toml (muniment policy check names the line), or install a version that has it. "
        "In .muniment/policy.toml of the branch: in a change of that file alone, which two others approve. In a home: "
        "the operator. In the service: page Policy.",
    )
    NO_CONTROL = unknown(
        "No control evaluates this clause.",
        "Give it a control in policy.toml; muniment explain lists them.",
    )
    PATHS_NOT_TOUCHED = not_applicable("None of the paths of this clause is touched.")
    NO_CLAUSE_ENFORCED = unknown(
        "No clause of the policy is enforced at {point} on {name}.",
        'Add one to policy.toml, or give the reason for enforcing none: [unenforced] {point} = "…"',
    )
    EXPLICITLY_UNENFORCED = not_applicable("No clause has to be enforced at {point}: {why}")
    FROZEN = violated(
        "All {stopped} are stopped since {since}{until} by {person}: {why}",
        "Wait. {appoint}Two people with the security role {lift}: muniment unfreeze {name} --home DIR, "
        "or the page Policy.",
    )
    FREEZE_ANNOUNCED = not_applicable("From {since}{until} there is {what}, by {person}: {why}")
    FREEZE_DRILL = not_applicable("A freeze drill is under way since {since}, by {person}: {why}. It blocks nothing.")
    FREEZES_UNKNOWN = unknown(
        "It is unknown whether {stopped} are frozen: {why}.",
        "Ask the operator of this installation; muniment doctor says more.",
    )
    CONTROL_WITHOUT_RESULT = unknown(
        "The control {name} gave no answer.",
        "This is a defect of Muniment: please report it. Until it is fixed, only an exception allows this.",
    )


def find_template(codes: type[ReasonCodes], reason: Reason) -> ReasonTemplate:
    """Template of a reason, of the control's own codes or of the decision's. KeyError for neither.

    Every control gives the same sentences for an unknown fact, also a control with a code of that name.
    """
    first = UnknownFact if reason.subject.startswith("fact:") else ()
    for member in (*first, *codes, *UnknownFact, *Reasons):
        if member.code == reason.code and member.value.status is reason.status:
            answer: ReasonTemplate = member.value
            return answer
    raise KeyError(reason.code)


def format_sentences(codes: type[ReasonCodes], reason: Reason) -> tuple[str, str]:
    """Format the two sentences of a reason: the finding and the next step ("" if there is none)."""
    answer = find_template(codes, reason)
    blanks = placeholder_values(reason.subject, reason.details)
    return answer.message.format(**blanks), answer.remedy.format(**blanks)


def placeholder_values(subject: str, details: Mapping[str, str | int]) -> dict[str, str | int]:
    """Values for the placeholders of a reason's sentences. `name` is the subject's, unless the details have one."""
    kind, _, name = subject.partition(":")
    return {"name": name.replace("_", " ") if kind == "fact" else name, **details, "subject": subject}
