"""Records each update of a protected branch: with its decision, evaluated once more, or as a bypass.

A step and the branch's new tip are one transaction, so that the next step is evaluated after this record.
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
from muniment.ledger import record_kinds, record_objects
from muniment.server import moments
from muniment.server.changes.branch_evaluation import clean_title, store_decision
from muniment.server.changes.models import Change, Decision
from muniment.server.changes.reevaluation_requests import request_reevaluation
from muniment.server.connections import bypass_reviews
from muniment.server.connections.landed_heads import read_included_heads, record_statements, record_taken_heads
from muniment.server.connections.merge_evaluation import MergeEvaluation, evaluate_merge, names_more_contributors
from muniment.server.connections.models import (
    BranchUpdate,
    BypassReason,
    ForgeChange,
    ProtectedBranch,
    RepositoryLink,
)
from muniment.server.incidents import kinds as incidents
from muniment.server.incidents.lifecycle import close_incident, open_incident
from muniment.server.job_queue import enqueue
from muniment.server.products.models import Repository
from muniment.server.records.models import Record
from muniment.server.records.record_writing import append_record
from muniment.workflows.branch_steps import BranchStep, find_bypass_step_heads, is_revert_of
from muniment.workflows.repository_rules import HEADS
from muniment.workflows.rule_sources import Rules

LONGEST_EVALUATION_WAIT = timedelta(minutes=10)  # for facts of a merge that the forge does not return yet
_CANDIDATES = 200  # heads of changes that a bypass may be made of, the newest

_WHY = {
    BypassReason.NO_DECISION: "no decision allowed this",
    BypassReason.DENIED_AT_MERGE: "a decision allowed this before, and would have been denied at the merge",
    BypassReason.UNCONFIRMED: "a decision allowed this before, and could not be confirmed at the merge",
}


class ObservedBranch(Struct, frozen=True):
    """Branch with the steps since it was last observed at `before`: None for a new one."""

    ref: str
    before: str | None
    tip: str
    steps: tuple[BranchStep, ...]
    begun: bool = False


class StepDetails(Struct, frozen=True):
    """Step with its data from git and the forge, the bypasses that it reverts, and the heads that it includes (None if
    unknown).
    """

    step: BranchStep
    decision: Decision | None
    evaluation: MergeEvaluation | None
    title: str
    url: str
    contributors: bypass_reviews.BypassContributors
    reverted: tuple[int, ...]
    included: tuple[str, ...] | None

    @property
    def bypass_reason(self) -> str:
        """Reason why the step is a bypass, "" if it is none."""
        if self.decision is None:
            return BypassReason.NO_DECISION
        return self.evaluation.reason if self.evaluation is not None else ""


class BranchRecorder:
    """Records the steps of one branch. `merged` are changes by the commit that the branch received from them."""

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
        self._pushers: Mapping[str, bypass_reviews.Who] | None = None

    def record_steps(self, found: ObservedBranch, allowed: Mapping[str, Decision]) -> None:
        """Record all steps, oldest first; `allowed` are decisions by the head that they allowed.

        Raises MunimentError for a step that cannot be evaluated now: those before it are recorded. Steps that another
        process recorded meanwhile are skipped.
        """
        at = found.before
        for step in found.steps:
            decision = None if found.begun else self._require_position(found.ref, allowed.get(step.allowed))
            evaluation = self._evaluate_step(found.ref, step, decision)
            details = self._collect_details(found, step, decision, evaluation)
            if not _record_step(self._repository, found, at, details):
                return
            at = step.commit

    def _require_position(self, ref: str, decision: Decision | None) -> Decision | None:
        """The decision if its record has a position in the ledger, else None: a record that the sequencer did not
        accept allows nothing. Raises LedgerError while the position may still come.
        """
        if decision is None or Record.objects.filter(decision=decision, place__position__isnull=False).exists():
            return decision
        if _is_in_time(self._repository, ref):
            raise LedgerError(
                _("the decision on what the branch took has no position in the ledger yet"),
                _("See that the sequencer runs: muniment doctor says more."),
            )
        return None

    def _evaluate_step(self, ref: str, step: BranchStep, decision: Decision | None) -> MergeEvaluation | None:
        """Evaluate an allowed step. Raises its error while a retry is in time."""
        if decision is None:
            return None
        landed = step.commit if names_more_contributors(self._git, step) else ""
        found = evaluate_merge(self._connected, self._forge, decision, step.before, ref, landed)
        if not found.is_certain and found.error is not None and _is_in_time(self._repository, ref):
            raise found.error
        return found

    def _collect_details(
        self, found: ObservedBranch, step: BranchStep, decision: Decision | None, evaluation: MergeEvaluation | None
    ) -> StepDetails:
        """Details of a step from git, read before anything is written."""
        change = self._merged.get(step.commit)
        allowed = decision is not None and evaluation is not None and not evaluation.reason
        contributors = bypass_reviews.BypassContributors()
        if not allowed and not found.begun:
            who = self._find_pushers(found, step.commit)
            contributors = bypass_reviews.find_bypass_contributors(
                self._connected, self._git, self._rules, step.brought, change, who
            )
        reverted = [
            row.pk for row in list_open_bypasses(self._repository) if allowed and _is_reverted_by(self._git, step, row)
        ]
        return StepDetails(
            step=step,
            decision=decision,
            evaluation=evaluation,
            title=_read_title(self._git, step.commit),
            url=change.url if change is not None else "",
            contributors=contributors,
            reverted=tuple(reverted),
            included=_find_included_heads(self._repository, self._git, found, step, decision, change),
        )

    def _find_pushers(self, found: ObservedBranch, commit: str) -> bypass_reviews.Who:
        """Accounts that pushed a commit to the branch, by the forge."""
        if self._pushers is None:
            commits = [step.commit for step in found.steps]
            self._pushers = bypass_reviews.read_branch_movers(
                self._connected, self._forge, found.ref, found.before or "", commits
            )
        return self._pushers.get(commit, ())


def list_open_bypasses(repository: Repository) -> list[BranchUpdate]:
    """Open bypasses of a repository."""
    rows = BranchUpdate.objects.filter(
        repository=repository, outcome=BranchUpdate.Outcome.BYPASS, incident__closed_at=None
    )
    return list(rows.select_related("incident", "repository__product").order_by("pk"))


def _is_in_time(repository: Repository, ref: str) -> bool:
    """Whether a failed evaluation is retried. A branch that is not observed yet has no time for that."""
    now = timezone.now()
    row = ProtectedBranch.objects.filter(repository=repository, ref=ref).first()
    if row is None:
        return False
    if row.evaluation_due_at is None:
        row.evaluation_due_at = now
        row.save(update_fields=["evaluation_due_at"])
    return now < row.evaluation_due_at + LONGEST_EVALUATION_WAIT


def _find_included_heads(
    repository: Repository,
    git: Git,
    found: ObservedBranch,
    step: BranchStep,
    decision: Decision | None,
    change: shapes.Change | None,
) -> tuple[str, ...] | None:
    """Heads whose approvals a step consumes: those of its decision, or, for a bypass, those of the last decisions on
    the changes that it is made of.
    """
    if found.begun:
        return ()
    if decision is not None:
        heads = read_included_heads(decision)
        return tuple({*heads, step.commit, *step.brought}) if heads is not None else None
    rows = ForgeChange.objects.filter(repository=repository, change__target=found.ref).exclude(head="")
    newest = {row.head: row for row in rows.select_related("change").order_by("-pk")[:_CANDIDATES]}
    signed = {reference.head for reference in approvals.find_approval_refs(git.read_refs(approvals.PREFIX))}
    heads = find_bypass_step_heads(
        git, found.ref, step, {*newest, *signed, *((change.head,) if change is not None else ())}
    )
    if heads is None:
        return None
    there = git.objects.read_kinds(sorted(signed)) if signed else []
    lost = [head for head, kind in zip(sorted(signed), there, strict=True) if kind != "commit"]  # it may have been any
    taken = {*heads, *lost, *((change.head,) if change is not None else ())}
    return _add_decided_heads(taken, newest)


def _add_decided_heads(taken: Collection[str], newest: Mapping[str, ForgeChange]) -> tuple[str, ...] | None:
    """The heads, and those that the last decisions on their changes included; None if they are unknown."""
    found = set(taken)
    for head in taken & newest.keys():
        last = Decision.objects.filter(change=newest[head].change).order_by("-decided_at", "-pk").first()
        more = read_included_heads(last) if last is not None else ()
        if more is None:
            return None
        found.update(more)
    return tuple(found)


def _record_step(repository: Repository, found: ObservedBranch, at: str | None, details: StepDetails) -> bool:
    """Record a step and the branch's new tip in one transaction. False if another process recorded it meanwhile."""
    step = details.step
    with transaction.atomic():
        # Only the process that still finds the tip `at` may record the step: two workers read the same push, and a
        # bypass recorded twice would be two incidents.
        row = ProtectedBranch.objects.select_for_update().filter(repository=repository, ref=found.ref).first()
        if (row.tip if row is not None else None) != at:
            return False
        update = _create_update(repository, found, details, _record_merge_decision(details))
        record_taken_heads(update, details.included)
        if update.outcome == BranchUpdate.Outcome.BYPASS:
            _open_incident(update, details)
            enqueue("post-bypass-status", update=update.pk)
        for bypass in BranchUpdate.objects.filter(pk__in=details.reverted).select_related("incident"):
            if bypass.incident is not None:
                close_incident(bypass.incident, incidents.REVERTED, f"{step.commit[:7]} reverted it.")
        if at is None or step.rewound:
            _reevaluate_open_changes(repository, found.ref)
        if step.commit:
            values = {"tip": step.commit, "evaluation_due_at": None}
            ProtectedBranch.objects.update_or_create(repository=repository, ref=found.ref, defaults=values)
        else:
            ProtectedBranch.objects.filter(repository=repository, ref=found.ref).delete()
    return True


def _reevaluate_open_changes(repository: Repository, ref: str) -> None:
    """Evaluate again the open changes for a branch that was rewound or created anew: they may contain more commits."""
    for change in Change.objects.filter(repository=repository, target=ref, state=Change.State.OPEN):
        request_reevaluation(change)


def _record_merge_decision(details: StepDetails) -> Decision | None:
    """Recorded decision on the merge: of the evaluation at the merge, else the one before."""
    decision = details.decision
    if decision is None or details.evaluation is None or details.evaluation.change_evaluation is None:
        return decision
    new = store_decision(decision.change, details.evaluation.change_evaluation)
    if new is None:
        return decision.change.decision
    record_statements(decision.change, details.evaluation.change_evaluation, new)
    return new


def _create_update(
    repository: Repository, found: ObservedBranch, details: StepDetails, decision: Decision | None
) -> BranchUpdate:
    step, reason = details.step, "" if found.begun else details.bypass_reason
    outcome = BranchUpdate.Outcome.BYPASS if reason else BranchUpdate.Outcome.ALLOWED
    outcome = BranchUpdate.Outcome.BASELINE if found.begun else outcome
    content = record_objects.BranchUpdate(step.brought, details.url, record_objects.draw_salt())
    included = record_objects.IncludedHeads(tuple(sorted(details.included))) if details.included is not None else None
    entry = record_kinds.BranchUpdateRecord(
        time=moments.current_moment(),
        object=canonical.digest_value(content),
        repository_location=repository.place,
        repository=repository.name,
        target=found.ref,
        commit=step.commit,
        previous_commit=step.before,
        commit_count=len(step.brought),
        status=outcome.value,
        bypass_reason=reason,
        decision=decision.record.details_digest if decision is not None and decision.record is not None else "",
        included_heads=canonical.digest_value(included) if included is not None else "",
    )
    more = (content, *((included,) if included is not None else ()))
    return BranchUpdate.objects.create(
        repository=repository,
        ref=found.ref,
        commit=step.commit,
        previous_tip=step.before,
        outcome=outcome,
        bypass_reason=reason,
        decision=decision,
        title=details.title,
        record_id=append_record(entry, more).pk,
    )


def _open_incident(row: BranchUpdate, details: StepDetails) -> None:
    step, branch = details.step, row.ref.removeprefix(HEADS)
    name = row.repository.name
    what = f"Commit {step.commit[:7]} reached {branch} of {name}" if step.commit else f"{branch} of {name} was deleted"
    more = " The branch lost commits." if step.rewound and step.commit else ""
    row.contributors, row.unlinked_contributor_count, row.pusher_known = (
        list(details.contributors.people),
        details.contributors.strangers,
        details.contributors.pusher_known,
    )
    row.incident = open_incident(
        incidents.ESCAPE,
        row.repository.product,
        f"commit:{step.commit or step.before} {row.ref}",
        f"{what}, and {_WHY[BypassReason(row.bypass_reason)]}.{more} {bypass_reviews.describe_required_reviews(row)}",
        link=f"/branch-updates/{row.pk}",
        involved=row.contributors,
    )
    row.save(update_fields=["contributors", "unlinked_contributor_count", "pusher_known", "incident"])


def _is_reverted_by(git: Git, step: BranchStep, row: BranchUpdate) -> bool:
    return bool(row.commit) and is_revert_of(git, step, BranchStep(row.previous_tip, row.commit, (), ""))


def _read_title(git: Git, commit: str) -> str:
    if not commit:
        return ""
    out = git.run_git("log", "--max-count=1", "--format=%s", values=(commit,))
    return clean_title(out.decode("utf-8", "replace").strip())
