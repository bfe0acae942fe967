"""Control: a protected branch is neither deleted nor rewound."""

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
from muniment.facts.change import UpdateKind
from muniment.facts.maybe import Unknown


class Reasons(ReasonCodes):
    """Reasons of this control."""

    HISTORY_PRESERVED = met("{branch} keeps all its commits.")
    UNCHANGED = not_applicable("{branch} is not changed.")
    REWOUND = violated(
        "{branch} would lose commits: {head} does not contain its tip {base}.",
        "Merge or rebase onto the tip of {branch}; to undo a change, push a commit that reverts it.",
    )
    DELETED = violated(
        "{branch} would be deleted.",
        "Keep it. If it is no longer used, remove it from the policy's protected branches first.",
    )
    TAG_DELETED = violated(
        "{branch} would be deleted.",
        "Keep it. If it must be deleted, remove it from the policy's protected tags first.",
    )
    TAG_MOVED = violated(
        "{branch} would move from {base} to {head}.",
        "Keep it where it is, and give the other commit a tag of another name.",
    )
    UPDATE_UNKNOWN = unknown(
        "It is unknown whether {branch} keeps its commits: {why}.",
        "Make both commits readable here (a full clone has them), then check again.",
    )


_TAGS = "refs/tags/"
_ANSWERS = {
    UpdateKind.UNCHANGED: Reasons.UNCHANGED,
    UpdateKind.FAST_FORWARD: Reasons.HISTORY_PRESERVED,
    UpdateKind.DIVERGED: Reasons.HISTORY_PRESERVED,
    UpdateKind.CREATED: Reasons.HISTORY_PRESERVED,
    UpdateKind.REWOUND: Reasons.REWOUND,
    UpdateKind.DELETED: Reasons.DELETED,
}
_TAG_ANSWERS = {Reasons.DELETED: Reasons.TAG_DELETED, Reasons.REWOUND: Reasons.TAG_MOVED}


def evaluate_case(case: Case) -> tuple[Reason, ...]:
    """Evaluate whether the branch keeps its commits."""
    revision = case.get_fact(kinds.REVISION)
    details = {"branch": revision.target, "base": revision.base, "head": revision.head}
    subject = f"commit:{revision.head or revision.base}"
    if isinstance(revision.update, Unknown):
        return (Reasons.UPDATE_UNKNOWN(subject, why=revision.update.reason, **details),)
    answer = _ANSWERS[revision.update.value]
    if revision.target.startswith(_TAGS):
        answer = _TAG_ANSWERS.get(answer, answer)
    return (answer(subject, **details),)


CONTROL = Control(
    name="protected-history",
    version=3,
    summary="A protected branch is neither deleted nor rewound.",
    scope=Scope.REVISION,
    needs=(kinds.REVISION,),
    parameters=NoParameters,
    codes=Reasons,
    evaluate=evaluate_case,
)
