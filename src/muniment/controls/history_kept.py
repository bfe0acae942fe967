"""A protected branch only grows: it is neither deleted nor rewound."""

from muniment.controls.control import (
    Case,
    Codes,
    Control,
    NoParameters,
    Reason,
    Scope,
    not_applicable,
    satisfied,
    unknown,
    violated,
)
from muniment.facts import kinds
from muniment.facts.change import Update
from muniment.facts.maybe import Unknown


class Reasons(Codes):
    """What this control answers."""

    GROWS = satisfied("{branch} keeps every commit it has.")
    BRANCH_STAYS = not_applicable("{branch} stays where it is.")
    REWOUND = violated(
        "{branch} would lose commits: {head} does not contain its tip {base}.",
        "Merge or rebase onto the tip of {branch}; to undo a change, push a commit that reverts it.",
    )
    DELETED = violated(
        "{branch} would be deleted.",
        "Keep it; if it is no longer used, take it out of the policy's protected branches first.",
    )
    NOT_LEARNT = unknown(
        "Whether {branch} keeps its commits could not be learnt: {why}.",
        "Make both commits readable here (a full clone has them), then check again.",
    )


_ANSWERS = {
    Update.NOTHING: Reasons.BRANCH_STAYS,
    Update.FORWARD: Reasons.GROWS,
    Update.PROPOSED: Reasons.GROWS,
    Update.CREATED: Reasons.GROWS,
    Update.REWOUND: Reasons.REWOUND,
    Update.DELETED: Reasons.DELETED,
}


def judge(case: Case) -> tuple[Reason, ...]:
    """What becomes of the branch."""
    revision = case.get(kinds.REVISION)
    details = {"branch": revision.target, "base": revision.base, "head": revision.head}
    subject = f"commit:{revision.head or revision.base}"
    if isinstance(revision.update, Unknown):
        return (Reasons.NOT_LEARNT(subject, why=revision.update.why, **details),)
    return (_ANSWERS[revision.update.value](subject, **details),)


CONTROL = Control(
    name="history-kept",
    version=1,
    summary="A protected branch is neither deleted nor rewound.",
    scope=Scope.REVISION,
    needs=(kinds.REVISION,),
    parameters=NoParameters,
    codes=Reasons,
    judge=judge,
)
