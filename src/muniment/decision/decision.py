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


class Result(Struct, frozen=True):
    """What one control says of one clause. `version` is the control's, 0 where none judged.

    `enforced` is false while the clause only reports; `exception` is the id of the exception that covers it, or "".
    """

    clause: str
    control: str
    version: int
    status: Status
    reasons: tuple[Reason, ...]
    enforced: bool
    exception: str = ""

    @property
    def fine(self) -> bool:
        """Whether the control has nothing against it, or an exception covers what it has."""
        return self.status in (Status.SATISFIED, Status.NOT_APPLICABLE) or bool(self.exception)

    @property
    def stops(self) -> bool:
        """Whether this result alone makes the decision a denial."""
        return self.enforced and not self.fine


class Decision(Struct, frozen=True):
    """One judgement, whole. `preview`: its pushers were supposed, so it may be neither recorded nor enforced.

    `time` is the moment that it was judged for. `reasons` are nobody's clause: a freeze, or that nothing bites.
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

    NOT_EVALUATED_YET = unknown(
        "Not evaluated yet: the control {name} comes with part {part} of Muniment.",
        "Let the clause bite at report only until then.",
    )
    UNCOVERED = unknown(
        "Nothing judges this clause: it names no control.",
        "Give it a control in policy.toml; muniment explain lists them.",
    )
    OTHER_PATHS = not_applicable("None of the paths of this clause is touched.")
    NO_CLAUSE_BITES = unknown(
        "No clause of the policy bites at {point} on {name}.",
        'Add one to policy.toml, or say in words why none has to: [unjudged] {point} = "…"',
    )
    JUDGED_BY_NOBODY = not_applicable("No clause has to bite at {point}: {why}")
    FROZEN = violated(
        "All {stopped} are stopped since {since} by {person}: {why}",
        "Wait. Two people with the security role lift it: muniment unfreeze {name}, or the page Policy.",
    )
    FREEZE_REHEARSED = not_applicable("A freeze is rehearsed since {since} by {person}: {why}. It stops nothing.")
    FREEZES_NOT_LEARNT = unknown(
        "Whether {stopped} are stopped could not be learnt: {why}.",
        "Ask who runs this installation; muniment doctor says more.",
    )
    CONTROL_SAID_NOTHING = unknown(
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
    """What fills the blanks of a reason's sentences."""
    kind, _, name = subject.partition(":")
    return {**details, "subject": subject, "name": name.replace("_", " ") if kind == "fact" else name}
