"""Evaluates what a branch took from an allowed change once more, with what the forge knows up to the merge.

A status says what was so when it was posted. An approval that was dismissed, a check that failed or an approver who
lost write access before the merge made it untrue, whether or not an event told us.
"""

from django.utils.translation import gettext as _
from msgspec import Struct

from muniment.controls.control import Status
from muniment.decision.decision import Decision as Evaluated
from muniment.decision.decision import Outcome
from muniment.errors import ForgeCode, ForgeError, MunimentError
from muniment.forges.forge import Forge
from muniment.forges.past_reading import reading_at
from muniment.forges.shapes import State
from muniment.server import moments
from muniment.server.changes.models import Decision
from muniment.server.connections.judging import Court, Proposal
from muniment.server.connections.models import BypassReason, ForgeChange, RepositoryLink
from muniment.server.connections.reaching import repo_of
from muniment.workflows.judge_change import Judgement


class MergeEvaluation(Struct, frozen=True):
    """The evaluation of a merged change, and why the merge is a bypass ("" if it is none).

    `judgement` is None, and `error` says why, if the change could not be evaluated.
    """

    judgement: Judgement | None
    reason: str
    error: MunimentError | None = None

    @property
    def is_certain(self) -> bool:
        """Whether another reading could not give another answer."""
        return self.reason != BypassReason.UNCONFIRMED


def evaluate_merge(connected: RepositoryLink, forge: Forge, decision: Decision, base: str, ref: str) -> MergeEvaluation:
    """Evaluate the head that `decision` allowed, on the tip `base` that the branch `ref` had before it took it."""
    row = ForgeChange.objects.get(change=decision.change_id)
    proposal = Proposal(ref, base or decision.base, decision.head)
    try:
        reading = forge.reader.read(repo_of(connected), row.number)
        merged_at = reading.change.merged_at if reading.change.state is State.MERGED else ""
        decided_at = moments.text(decision.decided_at)
        past = reading_at(reading, merged_at) if merged_at else reading
        now = max(merged_at, decided_at) if merged_at else moments.now()  # two clocks: ours may be ahead of the forge's
        judgement = Court(connected, forge).evaluate_merged(past, proposal, now, merged_at)
    except MunimentError as error:
        return MergeEvaluation(None, BypassReason.UNCONFIRMED, error)
    return MergeEvaluation(judgement, _bypass_reason(judgement.decision), _unknown(row.number))


def _bypass_reason(decision: Evaluated) -> str:
    if decision.outcome is Outcome.ALLOW:
        return ""
    stopping = [result.status for result in decision.results if result.stops]
    violated = Status.VIOLATED in (*stopping, *(reason.status for reason in decision.reasons))
    return BypassReason.DENIED_AT_MERGE if violated else BypassReason.UNCONFIRMED


def _unknown(number: int) -> ForgeError:
    told = _("the forge does not tell all that #%(number)s is evaluated by, as it was when it was merged")
    return ForgeError(ForgeCode.CHANGED_MEANWHILE, told % {"number": number}, _("It is read again."))
