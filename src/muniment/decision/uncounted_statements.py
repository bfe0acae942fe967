"""Explains why a statement on a revision does not count: by the codes of `Objection` and `SignatureResult`."""

from collections.abc import Iterable, Iterator

from muniment.controls.review_statements import Objection
from muniment.decision.report import ApprovalReport
from muniment.facts.statements import SignatureResult

TEXTS: dict[str, str] = {
    Objection.OTHER_REPOSITORY.value: "it is for another repository",
    Objection.OTHER_BRANCH.value: "it is for another branch",
    Objection.RETARGETED.value: "the change was pointed at another branch after it, so it needs a new approval",
    Objection.OTHER_HEAD.value: "the change was different then",
    Objection.OTHER_TREE.value: "it names other files than the commit has",
    Objection.SPENT.value: "the branch already contained this revision, so it needs a new approval",
    Objection.OTHER_ACTION.value: "it approves something else: a change, a deletion or a rewind",
    Objection.OTHER_TIP.value: "the branch was elsewhere then",
    Objection.REPLACED.value: "a later statement replaced it",
    Objection.CHANGES_REQUESTED.value: "it asks for changes",
    Objection.WITHDRAWN.value: "it was withdrawn",
    Objection.ATTESTED.value: "a person who attested a contributor cannot also approve",
    Objection.CONTRIBUTOR.value: "they contributed to the change",
    Objection.INACTIVE.value: "they are not active any more",
    Objection.MAY_NOT_WRITE.value: "they may not write to this repository",
    Objection.DATED_LATER.value: "its date is in the future",
    SignatureResult.BAD.value: "its signature is not valid",
    SignatureResult.OTHER_KEY.value: "it is signed with a key that is not theirs",
    SignatureResult.UNCONFIRMED.value: "link waits for a second person",
    SignatureResult.NO_ACCOUNT.value: (
        "no account of theirs at the forge is linked, so it is not known that they may write"
    ),
    SignatureResult.UNTOUCHED.value: "their security key was not touched for it",
    SignatureResult.MALFORMED.value: "it cannot be read",
    SignatureResult.OUT_OF_ORDER.value: "it does not follow the statement before it",
    SignatureResult.UNKNOWN_PERSON.value: "no person has that name",
    SignatureResult.MACHINE.value: "a machine made it",
}


def explain_uncounted(approval: ApprovalReport) -> str:
    """Explain why one statement does not count."""
    return "; ".join(TEXTS.get(code, code) for code in approval.reasons_not_counted)


def select_notable(approvals: Iterable[ApprovalReport]) -> Iterator[ApprovalReport]:
    """Statements that do not count, except those that a later one of the same person replaced."""
    for approval in approvals:
        if not approval.counted and Objection.REPLACED.value not in approval.reasons_not_counted:
            yield approval
