"""A protected branch only grows: it is neither deleted nor rewound."""

from muniment.controls.control import (
    Case,
    Codes,
    Control,
    NoParameters,
    Reason,
    Scope,
    met,
    not_applicable,
    unknown,
    violated,
)
from muniment.facts import kinds
from muniment.facts.change import Update
from muniment.facts.maybe import Unknown


class Reasons(Codes):
    """What this control answers."""

    HISTORY_PRESERVED = met("{branch} keeps every commit it has.")
    UNCHANGED = not_applicable("{branch} stays where it is.")
    REWOUND = violated(
        "{branch} would lose commits: {head} does not contain its tip {base}.",
        "Merge or rebase onto the tip of {branch}; to undo a change, push a commit that reverts it.",
    )
    DELETED = violated(
        "{branch} would be deleted.",
        "Keep it; if it is no longer used, take it out of the policy's protected branches first.",
    )
    TAG_DELETED = violated(
        "{branch} would be deleted.",
        "Keep it; if it must go, take it out of the policy's protected tags first.",
    )
    UPDATE_UNKNOWN = unknown(
        "Whether {branch} keeps its commits could not be learnt: {why}.",
        "Make both commits readable here (a full clone has them), then check again.",
    )


_TAGS = "refs/tags/"
_ANSWERS = {
    Update.UNCHANGED: Reasons.UNCHANGED,
    Update.FAST_FORWARD: Reasons.HISTORY_PRESERVED,
    Update.DIVERGED: Reasons.HISTORY_PRESERVED,
    Update.CREATED: Reasons.HISTORY_PRESERVED,
    Update.REWOUND: Reasons.REWOUND,
    Update.DELETED: Reasons.DELETED,
}


def judge(case: Case) -> tuple[Reason, ...]:
    """What becomes of the branch."""
    revision = case.get(kinds.REVISION)
    details = {"branch": revision.target, "base": revision.base, "head": revision.head}
    subject = f"commit:{revision.head or revision.base}"
    if isinstance(revision.update, Unknown):
        return (Reasons.UPDATE_UNKNOWN(subject, why=revision.update.reason, **details),)
    answer = _ANSWERS[revision.update.value]
    if answer is Reasons.DELETED and revision.target.startswith(_TAGS):
        answer = Reasons.TAG_DELETED
    return (answer(subject, **details),)


CONTROL = Control(
    name="protected-history",
    version=2,
    summary="A protected branch is neither deleted nor rewound.",
    scope=Scope.REVISION,
    needs=(kinds.REVISION,),
    parameters=NoParameters,
    codes=Reasons,
    judge=judge,
)
