"""Say in words why a statement on a revision does not count: what a code of `WhyNot` or `Signature` means."""

from collections.abc import Iterable, Iterator

from muniment.controls.review_statements import WhyNot
from muniment.decision.account import ApprovalReport
from muniment.facts.statements import Signature

TEXTS: dict[str, str] = {
    WhyNot.OTHER_REPOSITORY.value: "it is for another repository",
    WhyNot.OTHER_BRANCH.value: "it is for another branch",
    WhyNot.RETARGETED.value: "the change was pointed at another branch after it, so it needs a new approval",
    WhyNot.OTHER_HEAD.value: "the change was different then",
    WhyNot.OTHER_TREE.value: "it names other files than the commit has",
    WhyNot.SPENT.value: "the branch already contained this revision, so it needs a new approval",
    WhyNot.OTHER_ACTION.value: "it approves something else: a change, a deletion or a rewind",
    WhyNot.OTHER_TIP.value: "the branch was elsewhere then",
    WhyNot.REPLACED.value: "a later statement replaced it",
    WhyNot.CHANGES_REQUESTED.value: "it asks for changes",
    WhyNot.WITHDRAWN.value: "it was withdrawn",
    WhyNot.ATTESTED.value: "a person who attested a contributor cannot also approve",
    WhyNot.CONTRIBUTOR.value: "they contributed to the change",
    WhyNot.INACTIVE.value: "they are not active any more",
    WhyNot.MAY_NOT_WRITE.value: "they may not write to this repository",
    WhyNot.DATED_LATER.value: "its date is in the future",
    Signature.BAD.value: "its signature is not valid",
    Signature.OTHER_KEY.value: "it is signed with a key that is not theirs",
    Signature.UNCONFIRMED.value: "link waits for a second person",
    Signature.NO_ACCOUNT.value: "no account of theirs at the forge is linked, so it is not known that they may write",
    Signature.UNTOUCHED.value: "their security key was not touched for it",
    Signature.MALFORMED.value: "it cannot be read",
    Signature.OUT_OF_ORDER.value: "it does not follow the statement before it",
    Signature.UNKNOWN_PERSON.value: "no person has that name",
    Signature.MACHINE.value: "a machine made it",
}


def sentence(approval: ApprovalReport) -> str:
    """Why one statement does not count."""
    return "; ".join(TEXTS.get(code, code) for code in approval.reasons_not_counted)


def worth_telling(approvals: Iterable[ApprovalReport]) -> Iterator[ApprovalReport]:
    """The statements that do not count, but for those that a later one of the same person only replaced."""
    for approval in approvals:
        if not approval.counted and approval.reasons_not_counted != (WhyNot.REPLACED.value,):
            yield approval
