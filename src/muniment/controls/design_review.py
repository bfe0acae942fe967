"""Control: a change that alters the design, or protects less than before, is approved by the security role."""

from muniment.controls import code_review
from muniment.controls.control import (
    Case,
    Control,
    NoParameters,
    Reason,
    ReasonCodes,
    Scope,
    met,
    not_applicable,
    unknown,
    violated,
)
from muniment.facts import kinds
from muniment.facts.design_facts import DesignChange
from muniment.facts.statements import ReviewAction

_MOST_NAMED = 8  # entries of one sentence


class Reasons(ReasonCodes):
    """Reasons of this control."""

    UNCHANGED = not_applicable("The change does not alter the design.")
    NO_DESIGN = not_applicable("The repository has no design.toml, neither before nor after the change.")
    REVIEWED = met("{who} approved this revision with the security role. It alters the design: {entries}.")
    WEAKER_REVIEWED = met("{message} {who} approved this revision with the security role.")
    NOT_REVIEWED = violated(
        "The change alters the design ({entries}), and nobody with the security role who did not contribute has "
        "approved this revision.",
        "Ask {ask} to review the design before and after, and to approve this revision.",
        ReviewAction.APPROVE,
    )
    WEAKER = violated(
        "{message} Nobody with the security role who did not contribute has approved this revision.",
        "Take that back, or ask {ask} to review and approve this revision.",
        ReviewAction.APPROVE,
    )
    CONTRIBUTORS_UNKNOWN = unknown(
        "The change alters the design, and who contributed to it is not known.",
        "Let somebody with the security role attest who contributed.",
        ReviewAction.ATTEST,
    )
    DESIGN_UNREADABLE = unknown("The design cannot be read: {why}.", "Correct it, then run: muniment design check")
    NOT_COMPARED = unknown("The design was not compared with its base.", "Run: muniment design diff origin/main")


def evaluate_case(case: Case) -> tuple[Reason, ...]:
    """Require an approval of this very revision by the security role where the design is altered."""
    design = case.get_fact(kinds.DESIGN)
    revision = case.get_fact(kinds.REVISION)
    subject = f"commit:{revision.head}"
    if design.problem:
        return (Reasons.DESIGN_UNREADABLE(subject, why=design.problem.rstrip(".")),)
    change = design.change
    if change is None:
        return (Reasons.NOT_COMPARED(subject),)
    if not (change.added or change.removed or change.weaker):
        return ((Reasons.UNCHANGED if design.is_present else Reasons.NO_DESIGN)(subject),)
    return _check_review(case, change, subject)


def _check_review(case: Case, change: DesignChange, subject: str) -> tuple[Reason, ...]:
    if unlearnt := case.explain_unknown(code_review.NEEDS):
        return unlearnt
    review = case.compute_once(code_review.read_code_review)
    if review.unknown_contributors:  # the approver may be one of them
        return (Reasons.CONTRIBUTORS_UNKNOWN(subject),)
    head = case.get_fact(kinds.REVISION).head
    security = code_review.find_security_reviewers(case, review)
    # An approval that carries over from another head was given to another design.
    approvers = [person for person in security.counted if review.counted[person].head == head]
    labels = case.get_fact(kinds.PEOPLE).labels
    who = ", ".join(labels[one] for one in approvers)
    found = []
    for problem in change.weaker:
        if who:
            found.append(Reasons.WEAKER_REVIEWED(subject, message=problem.message, who=who))
        else:
            found.append(Reasons.WEAKER(subject, message=problem.message, ask=security.ask))
    entries = _name_entries(change)
    if entries and who:
        found.append(Reasons.REVIEWED(subject, who=who, entries=entries))
    elif entries:
        found.append(Reasons.NOT_REVIEWED(subject, ask=security.ask, entries=entries))
    return tuple(found)


def _name_entries(change: DesignChange) -> str:
    """Entries that a change adds and removes, as one text; "" for none."""
    named = [*(f"adds {name}" for name in change.added), *(f"removes {name}" for name in change.removed)]
    rest = len(named) - _MOST_NAMED
    more = [f"{rest} more entries"] if rest > 0 else []
    return ", ".join([*named[:_MOST_NAMED], *more])


CONTROL = Control(
    name="design-review",
    version=1,
    summary="A change that alters the design, or protects less than before, is approved by the security role.",
    scope=Scope.REVISION,
    needs=(kinds.REVISION, kinds.DESIGN),
    consults=code_review.NEEDS,
    parameters=NoParameters,
    codes=Reasons,
    evaluate=evaluate_case,
)
