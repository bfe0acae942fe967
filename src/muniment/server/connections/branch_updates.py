"""Records what a protected branch took: each step with its decision, evaluated once more, or as a bypass.

A step is one transaction with where the branch is after it, so that the next one is evaluated after its record.
"""

from collections.abc import Collection, Mapping
from datetime import timedelta

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from msgspec import Struct

from muniment.errors import LedgerError
from muniment.facts import canonical
from muniment.forges import shapes
from muniment.forges.forge import Forge
from muniment.git import approvals
from muniment.git.repository import Repository as Git
from muniment.ledger import entries, objects
from muniment.server import moments
from muniment.server.changes.again import judge_again
from muniment.server.changes.judging import cleaned, decided
from muniment.server.changes.models import Change, Decision
from muniment.server.connections import escapes
from muniment.server.connections.keeping import HEADS
from muniment.server.connections.landed_heads import heads_included_by, record_statements, take_heads
from muniment.server.connections.merge_evaluation import MergeEvaluation, evaluate_merge
from muniment.server.connections.models import (
    BranchUpdate,
    BypassReason,
    ForgeChange,
    ProtectedBranch,
    RepositoryLink,
)
from muniment.server.incidents import kinds as incidents
from muniment.server.incidents.lifecycle import close_incident, open_incident
from muniment.server.products.models import Repository
from muniment.server.records.entering import enter
from muniment.server.records.models import Record
from muniment.server.work import soon
from muniment.workflows.sources import Rules
from muniment.workflows.watch_branch import Step, heads_of_bypass, reverts

EVALUATION_PATIENCE = timedelta(minutes=10)  # until what the forge does not tell of a merge counts as lost
_CANDIDATES = 200  # heads of changes that a bypass may be made of, the newest

_WHY = {
    BypassReason.NO_DECISION: "which no decision allowed",
    BypassReason.DENIED_AT_MERGE: "which was allowed before, and would have been denied when it was merged",
    BypassReason.UNCONFIRMED: "which was allowed before; that it still was at the merge could not be confirmed",
}


class Watched(Struct, frozen=True):
    """One branch, and what it took since it was last looked at, when it was at `before`: None for a new one."""

    ref: str
    before: str | None
    tip: str
    steps: tuple[Step, ...]
    begun: bool = False


class StepDetails(Struct, frozen=True):
    """A step with what git and the forge say of it, the bypasses that it reverts, and the heads that it includes
    (None if nobody knows)."""

    step: Step
    decision: Decision | None
    evaluation: MergeEvaluation | None
    title: str
    url: str
    contributors: escapes.Hands
    reverted: tuple[int, ...]
    included: tuple[str, ...] | None

    @property
    def bypass_reason(self) -> str:
        """Why it is a bypass, "" if it is none."""
        if self.decision is None:
            return BypassReason.NO_DECISION
        return self.evaluation.reason if self.evaluation is not None else ""


class BranchRecorder:
    """Records the steps of one branch. `merged` are changes by the commit that the branch took of them."""

    def __init__(
        self,
        connected: RepositoryLink,
        forge: Forge,
        git: Git,
        rules: Rules,
        merged: Mapping[str, shapes.Change],
    ) -> None:
        self._connected = connected
        self._repository: Repository = connected.repository
        self._forge = forge
        self._git = git
        self._rules = rules
        self._merged = merged
        self._pushers: Mapping[str, escapes.Who] | None = None

    def record(self, found: Watched, allowed: Mapping[str, Decision]) -> None:
        """Record all steps, oldest first; `allowed` are decisions by the head that they allowed.

        Raises MunimentError for a step that cannot be evaluated now: those before it are recorded. What another process
        recorded meanwhile is left alone.
        """
        at = found.before
        for step in found.steps:
            decision = None if found.begun else self._placed(found.ref, allowed.get(step.allowed))
            evaluation = self._evaluated(found.ref, step, decision)
            details = self._details(found, step, decision, evaluation)
            if not _keep(self._repository, found, at, details):
                return
            at = step.commit

    def _placed(self, ref: str, decision: Decision | None) -> Decision | None:
        """The decision if its record has a position in the ledger, else None: what the sequencer did not accept allows
        nothing. Raises LedgerError while it may be placed yet."""
        if decision is None or Record.objects.filter(decision=decision, place__position__isnull=False).exists():
            return decision
        if _is_in_time(self._repository, ref):
            raise LedgerError(
                _("the decision on what the branch took has no position in the ledger yet"),
                _("See that the sequencer runs: muniment doctor says more."),
            )
        return None

    def _evaluated(self, ref: str, step: Step, decision: Decision | None) -> MergeEvaluation | None:
        """The evaluation of an allowed step. Raises its error while it may be told yet."""
        if decision is None:
            return None
        found = evaluate_merge(self._connected, self._forge, decision, step.before, ref)
        if not found.is_certain and found.error is not None and _is_in_time(self._repository, ref):
            raise found.error
        return found

    def _details(
        self, found: Watched, step: Step, decision: Decision | None, evaluation: MergeEvaluation | None
    ) -> StepDetails:
        """What git has to say of a step, before anything is written."""
        change = self._merged.get(step.commit)
        allowed = decision is not None and evaluation is not None and not evaluation.reason
        contributors = escapes.Hands()
        if not allowed and not found.begun:
            who = self._pushed(found, step.commit)
            contributors = escapes.hands_of(self._connected, self._git, self._rules, step.brought, change, who)
        reverted = [row.pk for row in open_bypasses(self._repository) if allowed and _reverts(self._git, step, row)]
        return StepDetails(
            step=step,
            decision=decision,
            evaluation=evaluation,
            title=_title(self._git, step.commit),
            url=change.url if change is not None else "",
            contributors=contributors,
            reverted=tuple(reverted),
            included=_included(self._repository, self._git, found, step, decision, change),
        )

    def _pushed(self, found: Watched, commit: str) -> escapes.Who:
        """Who pushed a commit to the branch, as the forge tells."""
        if self._pushers is None:
            commits = [step.commit for step in found.steps]
            self._pushers = escapes.told(self._connected, self._forge, found.ref, found.before or "", commits)
        return self._pushers.get(commit, ())


def open_bypasses(repository: Repository) -> list[BranchUpdate]:
    """Those of a repository."""
    rows = BranchUpdate.objects.filter(
        repository=repository, outcome=BranchUpdate.Outcome.BYPASS, incident__closed_at=None
    )
    return list(rows.select_related("incident", "repository__product").order_by("pk"))


def _is_in_time(repository: Repository, ref: str) -> bool:
    """Whether what could not be evaluated is tried again. A branch that is not watched yet has no time for that."""
    now = timezone.now()
    row = ProtectedBranch.objects.filter(repository=repository, ref=ref).first()
    if row is None:
        return False
    if row.evaluation_due_at is None:
        row.evaluation_due_at = now
        row.save(update_fields=["evaluation_due_at"])
    return now < row.evaluation_due_at + EVALUATION_PATIENCE


def _included(
    repository: Repository,
    git: Git,
    found: Watched,
    step: Step,
    decision: Decision | None,
    change: shapes.Change | None,
) -> tuple[str, ...] | None:
    """The heads whose approvals a step spends: those of the decision on it, or, for a bypass, those of the last ones on
    the changes that it is made of."""
    if found.begun:
        return ()
    if decision is not None:
        heads = heads_included_by(decision)
        return tuple({*heads, step.commit, *step.brought}) if heads is not None else None
    rows = ForgeChange.objects.filter(repository=repository, change__target=found.ref).exclude(head="")
    newest = {row.head: row for row in rows.select_related("change").order_by("-pk")[:_CANDIDATES]}
    signed = {reference.head for reference in approvals.references(git.refs(approvals.PREFIX))}
    heads = heads_of_bypass(git, found.ref, step, {*newest, *signed, *((change.head,) if change is not None else ())})
    if heads is None:
        return None
    there = git.objects.kinds(sorted(signed)) if signed else []
    lost = [head for head, kind in zip(sorted(signed), there, strict=True) if kind != "commit"]  # it may have been any
    taken = {*heads, *lost, *((change.head,) if change is not None else ())}
    return _with_decided(taken, newest)


def _with_decided(taken: Collection[str], newest: Mapping[str, ForgeChange]) -> tuple[str, ...] | None:
    """The heads, and those that the last decisions on their changes included; None if nobody knows them."""
    found = set(taken)
    for head in taken & newest.keys():
        last = Decision.objects.filter(change=newest[head].change).order_by("-decided_at", "-pk").first()
        more = heads_included_by(last) if last is not None else ()
        if more is None:
            return None
        found.update(more)
    return tuple(found)


def _keep(repository: Repository, found: Watched, at: str | None, details: StepDetails) -> bool:
    """Record a step, in one transaction with where the branch is now. False if another process moved on meanwhile."""
    step = details.step
    with transaction.atomic():
        row = ProtectedBranch.objects.select_for_update().filter(repository=repository, ref=found.ref).first()
        if (row.tip if row is not None else None) != at:
            return False
        update = _recorded(repository, found, details, _decision_at_merge(details))
        take_heads(update, details.included)
        if update.outcome == BranchUpdate.Outcome.BYPASS:
            _open_incident(update, details)
            soon("post-bypass-status", update=update.pk)
        for bypass in BranchUpdate.objects.filter(pk__in=details.reverted).select_related("incident"):
            if bypass.incident is not None:
                close_incident(bypass.incident, incidents.REVERTED, f"{step.commit[:12]} took it back.")
        if at is None or step.rewound:
            _reevaluate_open_changes(repository, found.ref)
        if step.commit:
            values = {"tip": step.commit, "evaluation_due_at": None}
            ProtectedBranch.objects.update_or_create(repository=repository, ref=found.ref, defaults=values)
        else:
            ProtectedBranch.objects.filter(repository=repository, ref=found.ref).delete()
    return True


def _reevaluate_open_changes(repository: Repository, ref: str) -> None:
    """Have the open changes for a branch that was rewound, or made anew, evaluated again: they may contain more."""
    for change in Change.objects.filter(repository=repository, target=ref, state=Change.State.OPEN):
        judge_again(change)


def _decision_at_merge(details: StepDetails) -> Decision | None:
    """The decision on what was merged, recorded: of the evaluation at the merge, else the one before."""
    decision = details.decision
    if decision is None or details.evaluation is None or details.evaluation.judgement is None:
        return decision
    new = decided(decision.change, details.evaluation.judgement)
    if new is None:
        return decision.change.decision
    record_statements(decision.change, details.evaluation.judgement, new)
    return new


def _recorded(repository: Repository, found: Watched, details: StepDetails, decision: Decision | None) -> BranchUpdate:
    step, reason = details.step, "" if found.begun else details.bypass_reason
    outcome = BranchUpdate.Outcome.BYPASS if reason else BranchUpdate.Outcome.ALLOWED
    outcome = BranchUpdate.Outcome.BASELINE if found.begun else outcome
    beside = objects.BranchUpdate(step.brought, details.url, objects.salt())
    included = objects.IncludedHeads(tuple(sorted(details.included))) if details.included is not None else None
    entry = entries.BranchUpdateRecord(
        time=moments.now(),
        object=canonical.digest_of(beside),
        repository_location=repository.place,
        repository=repository.name,
        target=found.ref,
        commit=step.commit,
        previous_commit=step.before,
        commit_count=len(step.brought),
        status=outcome.value,
        bypass_reason=reason,
        decision=decision.record.details_digest if decision is not None and decision.record is not None else "",
        included_heads=canonical.digest_of(included) if included is not None else "",
    )
    more = (beside, *((included,) if included is not None else ()))
    return BranchUpdate.objects.create(
        repository=repository,
        ref=found.ref,
        commit=step.commit,
        previous_tip=step.before,
        outcome=outcome,
        bypass_reason=reason,
        decision=decision,
        title=details.title,
        record_id=enter(entry, more).pk,
    )


def _open_incident(row: BranchUpdate, details: StepDetails) -> None:
    step, branch = details.step, row.ref.removeprefix(HEADS)
    what = f"{branch} took {step.commit[:12]}" if step.commit else f"{branch} was deleted"
    more = ", and lost commits" if step.rewound and step.commit else ""
    row.contributors, row.unlinked_contributor_count, row.pusher_known = (
        list(details.contributors.people),
        details.contributors.strangers,
        details.contributors.pusher_known,
    )
    row.incident = open_incident(
        incidents.ESCAPE,
        row.repository.product,
        f"commit:{step.commit or step.before} {row.ref}",
        f"{row.repository.name}: {what}, {_WHY[BypassReason(row.bypass_reason)]}{more}.",
        link=f"/branch-updates/{row.pk}",
        involved=row.contributors,
    )
    row.save(update_fields=["contributors", "unlinked_contributor_count", "pusher_known", "incident"])


def _reverts(git: Git, step: Step, row: BranchUpdate) -> bool:
    return bool(row.commit) and reverts(git, step, Step(row.previous_tip, row.commit, (), ""))


def _title(git: Git, commit: str) -> str:
    if not commit:
        return ""
    out = git.run("log", "--max-count=1", "--format=%s", values=(commit,))
    return cleaned(out.decode("utf-8", "replace").strip())
