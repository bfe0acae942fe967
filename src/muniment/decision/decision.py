"""What a judgement says: one result for each clause, and allow or deny from all of them."""

from collections.abc import Mapping
from enum import StrEnum

from msgspec import Struct

from muniment.controls.control import Answer, Codes, Reason, Status, Unlearnt, not_applicable, unknown, violated
from muniment.policy.model import Point


class Outcome(StrEnum):
    """What a decision comes to."""

    ALLOW = "allow"
    DENY = "deny"


_FINE = frozenset((Status.MET, Status.NOT_APPLICABLE))


class Result(Struct, frozen=True):
    """What one control says of one clause. `version` is the control's, 0 where none judged.

    `enforced` is false while the clause only reports; `exception` is the id of the exception that covers it, or "".
    """

    clause: str
    control: str
    control_version: int
    status: Status
    reasons: tuple[Reason, ...]
    enforced: bool
    exception: str = ""

    @property
    def fine(self) -> bool:
        """Whether the control has nothing against it, or an exception covers what it has."""
        return self.status in _FINE or bool(self.exception)

    @property
    def stops(self) -> bool:
        """Whether this result alone makes the decision a denial."""
        return self.enforced and not (self.status in _FINE or self.exception)


class Decision(Struct, frozen=True):
    """One judgement, whole. `preview`: its pushers were supposed, so it may be neither recorded nor enforced.

    `time` is the moment that it was judged for. `reasons` are nobody's clause: a freeze, or that no clause is enforced.
    """

    outcome: Outcome
    point: Point
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


class Reasons(Codes):
    """What a judgement says by itself, whatever the control."""

    CONTROL_NOT_AVAILABLE = unknown(
        "Not evaluated yet: the control {name} comes with part {part} of Muniment.",
        "Write enforce = [] for the clause until then.",
    )
    NO_CONTROL = unknown(
        "Nothing judges this clause: it names no control.",
        "Give it a control in policy.toml; muniment explain lists them.",
    )
    PATHS_NOT_TOUCHED = not_applicable("None of the paths of this clause is touched.")
    NO_CLAUSE_ENFORCED = unknown(
        "No clause of the policy is enforced at {point} on {name}.",
        'Add one to policy.toml, or say why none has to be enforced: [unenforced] {point} = "…"',
    )
    EXPLICITLY_UNENFORCED = not_applicable("No clause has to be enforced at {point}: {why}")
    FROZEN = violated(
        "All {stopped} are stopped since {since}{until} by {person}: {why}",
        "Wait. {appoint}Two people with the security role {lift}: muniment unfreeze {name} --home DIR, "
        "or the page Policy.",
    )
    FREEZE_ANNOUNCED = not_applicable("From {since}{until} there is {what}, by {person}: {why}")
    FREEZE_DRILL = not_applicable("A freeze drill is under way since {since}, by {person}: {why}. It stops nothing.")
    FREEZES_UNKNOWN = unknown(
        "Whether {stopped} are stopped could not be learnt: {why}.",
        "Ask who runs this installation; muniment doctor says more.",
    )
    CONTROL_WITHOUT_RESULT = unknown(
        "The control {name} gave no answer.",
        "This is a defect of Muniment: please report it. Until then only an exception lets this proceed.",
    )


def answer_of(codes: type[Codes], reason: Reason) -> Answer:
    """The Answer behind a reason, of the control's own codes or of the judgement's. KeyError for neither.

    A whole fact that is missing is told the same by every control, also by one with a code of that name.
    """
    first = Unlearnt if reason.subject.startswith("fact:") else ()
    for member in (*first, *codes, *Unlearnt, *Reasons):
        if member.code == reason.code and member.value.status is reason.status:
            answer: Answer = member.value
            return answer
    raise KeyError(reason.code)


def sentences(codes: type[Codes], reason: Reason) -> tuple[str, str]:
    """What a reason tells a person: what is so, and what to do next ("" where there is nothing to do)."""
    answer = answer_of(codes, reason)
    blanks = fillings(reason.subject, reason.details)
    return answer.message.format(**blanks), answer.remedy.format(**blanks)


def fillings(subject: str, details: Mapping[str, str | int]) -> dict[str, str | int]:
    """What fills the blanks of a reason's sentences. `name` is the subject's, unless the details say another."""
    kind, _, name = subject.partition(":")
    return {"name": name.replace("_", " ") if kind == "fact" else name, **details, "subject": subject}
