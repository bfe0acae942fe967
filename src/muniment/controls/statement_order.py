"""Order of statements on an update: spent ones and those about another act are left out; of one moment, the blocking
one counts.
"""

from collections.abc import Iterable

from muniment.facts.change import Revision, UpdateKind
from muniment.facts.maybe import Known
from muniment.facts.statements import APPROVING_ACTIONS, Approval, LandedHeads, ReviewAction

_MOST_BLOCKING = (ReviewAction.REQUEST_CHANGES, ReviewAction.WITHDRAW, ReviewAction.ATTEST, *sorted(APPROVING_ACTIONS))
_REMOVING = {UpdateKind.DELETED: ReviewAction.DELETE, UpdateKind.REWOUND: ReviewAction.REWIND}


def find_approving_action(revision: Revision) -> ReviewAction | None:
    """Action of the statements that approve an update; None if the effect of the update is unknown."""
    return _REMOVING.get(revision.update.value, ReviewAction.APPROVE) if isinstance(revision.update, Known) else None


def removes_commits(revision: Revision) -> bool:
    """Whether the update deletes or rewinds the branch or tag, or may do so."""
    return find_approving_action(revision) is not ReviewAction.APPROVE


def select_approved_head(revision: Revision) -> str:
    """Commit that statements on an update are about: its head, or the tip that is deleted."""
    return revision.head or revision.base


def statement_key(statement: Approval) -> tuple[str, str, str, str]:
    """Key of a statement: one act on one head for one branch, by one person. A later statement replaces one with the
    same key.
    """
    act = statement.action if statement.action in (ReviewAction.DELETE, ReviewAction.REWIND) else ""
    return statement.ref_head, statement.ref_person, statement.target, act


def find_spent_approvals(approvals: Iterable[Approval], landed: LandedHeads) -> frozenset[str]:
    """Ids of the approvals whose head the branch took after they were recorded.

    The order of records decides, never the times that people sign.
    """
    positions = {one.head: one.position for one in landed.heads}
    recorded = {one.statement: one.position for one in landed.statements}
    return frozenset(
        approval.id
        for approval in approvals
        if approval.action in APPROVING_ACTIONS
        if recorded.get(approval.digest or approval.id, -1) < max(positions.get(approval.head, -1), landed.all_before)
    )


def choose_blocking_statement(before: Approval | None, approval: Approval) -> Approval:
    """Choose of two statements of one moment, given in their order, the one that blocks more; else the later one."""
    return before if before is not None and _blocks_more(before, approval) else approval


def _blocks_more(one: Approval, other: Approval) -> bool:
    return _MOST_BLOCKING.index(one.action) < _MOST_BLOCKING.index(other.action)
