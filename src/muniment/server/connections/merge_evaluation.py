"""Evaluates a merged change once more, with the forge's state up to the merge.

A status is true for the moment when it was posted. An approval that was dismissed, a check that failed or an
approver who lost write access before the merge made it untrue, with or without an event. What the forge gives no moment
for cannot be confirmed: that is a bypass too, and marked so.
"""

from django.utils.translation import gettext as _
from msgspec import Struct

from muniment.controls.control import ResultStatus
from muniment.decision.decision import Decision as Evaluated
from muniment.decision.decision import Outcome
from muniment.errors import ForgeCode, ForgeError, MunimentError
from muniment.facts.change import ContributorRole
from muniment.facts.maybe import Known
from muniment.forges.first_pushes import find_commits_beyond
from muniment.forges.forge import Forge
from muniment.forges.past_reading import has_review_of_deleted_account, rewind_reading
from muniment.forges.shapes import Account, ChangeState, Reading
from muniment.git.history import read_commits
from muniment.git.repository import Repository
from muniment.server import moments
from muniment.server.changes.models import Decision
from muniment.server.connections.forge_access import require_linked_repository
from muniment.server.connections.forge_change_evaluator import ForgeChangeEvaluator
from muniment.server.connections.models import BypassReason, ForgeChange, RepositoryLink
from muniment.workflows.branch_steps import BranchStep
from muniment.workflows.change_evaluation import ChangeEvaluation, Proposal

_NAMED_BY_TRAILERS = (ContributorRole.CO_AUTHOR, ContributorRole.REQUESTER)


class MergeEvaluation(Struct, frozen=True):
    """Evaluation of a merged change, and the reason why the merge is a bypass ("" if it is none).

    `change_evaluation` is None, and `error` says why, if the change could not be evaluated. A reason without an `error`
    is final: the forge tells no moment at which an approver lost write access, or was deleted, so whether that was
    before the merge cannot be confirmed.
    """

    change_evaluation: ChangeEvaluation | None
    reason: str
    error: MunimentError | None = None

    @property
    def is_certain(self) -> bool:
        """Whether another reading could not give another answer."""
        return self.error is None or self.reason != BypassReason.UNCONFIRMED


def evaluate_merge(
    connected: RepositoryLink, forge: Forge, decision: Decision, base: str, ref: str, landed: str = ""
) -> MergeEvaluation:
    """Evaluate the head that `decision` allowed, on the tip `base` that the branch `ref` had before it took it.

    `landed`: commit that the branch took, where its message names contributors that the head does not; else "". It has
    to be allowed too. Who of them is linked to no person takes away no approval.
    """
    found = _evaluate_head(connected, forge, decision, base, ref, decision.head)
    if not landed or found.reason:
        return found
    of_landed = _evaluate_head(connected, forge, decision, base, ref, landed)
    return of_landed if of_landed.reason == BypassReason.DENIED_AT_MERGE else found


def _evaluate_head(
    connected: RepositoryLink, forge: Forge, decision: Decision, base: str, ref: str, head: str
) -> MergeEvaluation:
    row = ForgeChange.objects.get(change=decision.change_id)
    proposal = Proposal(connected.repository.name, ref, base or decision.base, head)
    try:
        reading = forge.reader.read_full_change(require_linked_repository(connected), row.number)
        merged_at = reading.change.merged_at if reading.change.state is ChangeState.MERGED else ""
        decided_at = moments.format_moment(decision.decided_at)
        past = rewind_reading(reading, merged_at) if merged_at else reading
        now = (
            max(merged_at, decided_at) if merged_at else moments.current_moment()
        )  # two clocks: ours may be ahead of the forge's
        evaluator = ForgeChangeEvaluator(connected, forge)
        change_evaluation = evaluator.evaluate_merged(past, proposal, now, merged_at)
        reason = _find_bypass_reason(change_evaluation.decision)
        if reason == BypassReason.DENIED_AT_MERGE and merged_at:
            writers = [id for id, _ in row.writers if id]
            supposed = evaluator.evaluate_merged(past, proposal, now, merged_at, writers)
            if _find_bypass_reason(supposed.decision) != reason or _has_lost_approver(connected, forge, row, past):
                return MergeEvaluation(change_evaluation, BypassReason.UNCONFIRMED)
    except MunimentError as error:
        return MergeEvaluation(None, BypassReason.UNCONFIRMED, error)
    return MergeEvaluation(change_evaluation, reason, _make_unknown_error(row.number))


def _has_lost_approver(connected: RepositoryLink, forge: Forge, row: ForgeChange, past: Reading) -> bool:
    """Whether an approver on whom the change depended was deleted at the forge, which then tells nothing of the
    approval.

    GitHub and Gitea still have the approval, of no account. GitLab has none, and the account may write no more.
    """
    if has_review_of_deleted_account(past):
        return True
    seen = {one.by.id for one in past.reviews.value} if isinstance(past.reviews, Known) else set()
    gone = [Account(id, login) for id, login in row.writers if id and id not in seen]
    return any(not _can_write(connected, forge, account) for account in gone)


def _can_write(connected: RepositoryLink, forge: Forge, account: Account) -> bool:
    try:
        return forge.reader.can_write(require_linked_repository(connected), account)
    except ForgeError as error:
        if error.code is ForgeCode.NOT_FOUND:
            return False
        raise


def names_more_contributors(git: Repository, step: BranchStep) -> bool:
    """Whether trailers of the commits of an allowed step name contributors that the allowed head does not."""
    own = find_commits_beyond(git, [step.allowed], [step.before]) if step.allowed != step.commit else frozenset()
    made = [commit for commit in step.brought if commit not in own] if own else []
    known = {one.identity for commit in read_commits(git, sorted(own)) for one in commit.contributors}
    return any(
        one.role in _NAMED_BY_TRAILERS and one.identity not in known
        for commit in read_commits(git, made)
        for one in commit.contributors
    )


def _find_bypass_reason(decision: Evaluated) -> str:
    if decision.outcome is Outcome.ALLOW:
        return ""
    stopping = [result.status for result in decision.results if result.is_blocking]
    violated = ResultStatus.VIOLATED in (*stopping, *(reason.status for reason in decision.reasons))
    return BypassReason.DENIED_AT_MERGE if violated else BypassReason.UNCONFIRMED


def _make_unknown_error(number: int) -> ForgeError:
    problem = _("the forge does not tell all that #%(number)s is evaluated by, as it was when it was merged")
    return ForgeError(ForgeCode.CHANGED_MEANWHILE, problem % {"number": number}, _("It is read again."))
