"""Watches protected branches: each step of one is a record, with the decision that allowed it, or a bypass.

A bypass is an incident. It stays open until enough others reviewed it (`bypass_reviews`), or a step reverted it.
"""

from collections.abc import Callable, Mapping
from datetime import timedelta

from django.db import transaction
from django.utils.translation import gettext as _

from muniment.decision.report import DecisionReport
from muniment.errors import GitError, MunimentError
from muniment.forges import shapes
from muniment.forges.forge import Forge
from muniment.forges.shapes import ChangeState
from muniment.git import approvals
from muniment.git.mirror import Mirror
from muniment.git.mirror_refs import is_fetchable_name
from muniment.git.repository import Repository as Git
from muniment.policy.patterns import matches_any
from muniment.server import moments
from muniment.server.changes.branch_evaluation import clean_title
from muniment.server.changes.clause_states import store_reported_states
from muniment.server.changes.models import Change, Decision
from muniment.server.changes.product_rules import load_repository_rules
from muniment.server.connections import bypass_reviews
from muniment.server.connections.branch_updates import BranchRecorder, ObservedBranch, list_open_bypasses
from muniment.server.connections.forge_access import require_linked_repository, require_unmoved
from muniment.server.connections.forge_change_evaluator import open_repository_mirror
from muniment.server.connections.forge_change_store import ForgeChangeStore
from muniment.server.connections.landed_heads import list_used_decisions
from muniment.server.connections.models import BranchUpdate, ForgeChange, ProtectedBranch, RepositoryLink
from muniment.server.connections.named_locks import hold_lock
from muniment.server.incidents import kinds as incidents
from muniment.server.incidents.lifecycle import close_incident
from muniment.server.products.models import Repository
from muniment.server.records.record_details import read_all_details
from muniment.workflows.branch_steps import BranchStep, find_branch_steps
from muniment.workflows.repository_rules import HEADS

_LONGEST = 300  # letters of a ref
_CANDIDATES = 200  # allowed heads of one branch, and changes that tell of states, the newest
_SIGNED_AT_ONCE = 20  # heads with signed approvals that are brought here at once: whoever may push can name any
_BACK = timedelta(hours=1)  # a merge from before the branch was read last may have been reported late


def observe_branches(connected: RepositoryLink, forge: Forge) -> None:
    """Record the updates of the protected branches. Raises MunimentError; nothing is then assumed to be unchanged."""
    repository = connected.repository
    tips = _read_tips(connected, forge)
    known = _load_watched_tips(repository)
    # Nothing is fetched while no tip moved: this is asked for each repository every few minutes.
    if (
        tips
        and known
        and all(tips.get(ref) == tip for ref, tip in known.items())
        and not _has_unwatched_branches(tips, known)
    ):
        return
    # The path may belong to another repository by now: its commits would be recorded as this one's.
    require_unmoved(connected, forge)
    merged = _read_merged_changes(connected, forge)
    mirror = open_repository_mirror(connected, forge)
    watched = {ref: tip for ref, tip in tips.items() if _is_nameable(ref)}
    # Two fetches into one mirror would fail at its refs. Copies are read without the lock, so that evaluations of other
    # changes fetch while the rules are read.
    with hold_lock(f"mirror:{connected.pk}"):
        followed = [
            ref
            for ref in watched
            if ref in known or ref == connected.default_branch or _has_unwatched_branches({ref: ""}, {})
        ]
        mirror.fetch_refs(followed, (f"{approvals.PREFIX}*",), [*(tips[ref] for ref in followed), *known.values()])
        mirror.fetch_refs((), (), _find_missing_signed_heads(mirror))
    with mirror.open_copy() as git:
        rules = load_repository_rules(repository, git, tips.get(connected.default_branch, ""))
    protected = [ref for ref in tips if matches_any(ref.removeprefix(HEADS), rules.policy.policy.protected_branches)]
    with hold_lock(f"mirror:{connected.pk}"):
        # A branch that the policy at the new tips protects may not have been followed before.
        gone = mirror.fetch_refs((), (), [tips[ref] for ref in protected])
    failed = [_make_unnameable_error(ref) for ref in protected if ref not in watched]
    new = sorted(ref for ref in protected if ref in watched and ref not in known and tips[ref] not in gone)
    # Each fetch has the lock, and the reading of what was fetched has none: copies read a state that does not change.
    with mirror.open_copy() as git:
        recorder = BranchRecorder(connected, forge, git, rules, merged)
        for ref in (*sorted(known), *new):
            try:
                if ref in new and failed:
                    break  # it may be cut from a branch of which not all is recorded
                found = _observe_branch(git, repository, ref, tips, merged, lambda: _read_tips(connected, forge))
                if found is not None:
                    recorder.record_steps(found, find_allowed_heads(repository, ref))
            except MunimentError as error:  # what is wrong with one branch hides no other
                failed.append(error)
    if failed:
        raise failed[0]


def _find_missing_signed_heads(mirror: Mirror) -> list[str]:
    """Heads with signed approvals that no evaluation fetched: a bypass may contain their commits."""
    with mirror.open_copy() as git:
        heads = sorted({reference.head for reference in approvals.find_approval_refs(git.read_refs(approvals.PREFIX))})
        kinds = git.objects.read_kinds(heads) if heads else []
    return [head for head, kind in zip(heads, kinds, strict=True) if kind != "commit"][:_SIGNED_AT_ONCE]


def _read_tips(connected: RepositoryLink, forge: Forge) -> dict[str, str]:
    return {tip.ref: tip.commit for tip in forge.reader.list_branches(require_linked_repository(connected))}


def _load_watched_tips(repository: Repository) -> dict[str, str]:
    """Tips of the watched branches when they were last read."""
    return {row.ref: row.tip for row in ProtectedBranch.objects.filter(repository=repository).order_by("ref")}


def _is_nameable(ref: str) -> bool:
    return is_fetchable_name(ref) and len(ref) <= _LONGEST


def _make_unnameable_error(ref: str) -> MunimentError:
    return GitError(
        _("a branch with such a name is not watched: %(name)s") % {"name": clean_title(ref)},
        _("Rename it, or delete it."),
    )


def close_reviewed_bypasses(repository: Repository) -> None:
    """Close the bypasses that enough others reviewed by now."""
    for row in list_open_bypasses(repository):
        if row.incident is not None and bypass_reviews.has_enough_reviews(row):
            close_incident(row.incident, incidents.REVIEWED, "Two others reviewed it afterwards, and let it stay.")


def store_merged_states(repository: Repository) -> None:
    """Store the repository's state for each clause, by the last decisions on merged changes."""
    merged = Change.objects.filter(repository=repository, state=Change.State.MERGED, decision__isnull=False)
    digests = list(
        merged.order_by("-updated_at", "-pk").values_list("decision__explanation_digest", flat=True)[:_CANDIDATES]
    )
    reports = [
        one
        for one in read_all_details([each for each in digests if each], DecisionReport).values()
        if isinstance(one, DecisionReport)
    ]
    with transaction.atomic():
        store_reported_states(repository, reports)


def _has_unwatched_branches(tips: Mapping[str, str], known: Mapping[str, str]) -> bool:
    """Whether there are branches that the company's policy protects, and that are not watched yet."""
    from muniment.server.policies.policy_in_force import protected_patterns

    return any(ref not in known and matches_any(ref.removeprefix(HEADS), protected_patterns()) for ref in tips)


def _read_merged_changes(connected: RepositoryLink, forge: Forge) -> dict[str, shapes.Change]:
    """Changes that were merged recently, by the commit that the branch received. Updates their rows."""
    last = (
        BranchUpdate.objects.filter(repository=connected.repository)
        .order_by("-seen_at")
        .values_list("seen_at", flat=True)
        .first()
    )
    if last is None:
        return {}
    change_store = ForgeChangeStore(connected.repository)
    found = forge.reader.list_changes(
        require_linked_repository(connected), ChangeState.MERGED, moments.format_moment(last - _BACK)
    )
    open_ = ForgeChange.objects.filter(repository=connected.repository, change__state=Change.State.OPEN)
    numbers = set(open_.values_list("number", flat=True))
    for change in found:
        if change.number in numbers:
            change_store.record_closed(change)
    return {change.merged: change for change in found if change.merged}


def _observe_branch(
    git: Git,
    repository: Repository,
    ref: str,
    tips: Mapping[str, str],
    merged: Mapping[str, shapes.Change],
    read_tips: Callable[[], Mapping[str, str]],
) -> ObservedBranch | None:
    known = _load_watched_tips(repository)
    tip, last = tips.get(ref, ""), known.get(ref)
    if tip == last:
        return None
    if not tip:
        return ObservedBranch(ref, last, "", (BranchStep(last or "", "", (), "", rewound=True),))
    before = last
    if before is None:
        before = _find_fork_point(git, tip, tuple(known.values())) if known else tip
        if before == tip:
            return ObservedBranch(ref, last, tip, (BranchStep("", tip, (), ""),), begun=True)
        now = read_tips()
        if any(now.get(one) != at for one, at in tips.items() if one in known):
            raise GitError(
                _("a branch moved while %(name)s was compared with it") % {"name": clean_title(ref)},
                _("It is compared again."),
            )
    heads = find_allowed_heads(repository, ref)
    return ObservedBranch(ref, last, tip, find_branch_steps(git, ref, before, tip, heads.keys(), merged.keys()))


def _find_fork_point(git: Git, tip: str, known: tuple[str, ...]) -> str:
    """Commit where a new branch left the watched ones: each later commit has to be allowed."""
    return git.run_git("merge-base", values=(tip, *known), codes=(0, 1)).decode("ascii").split("\n")[0].strip()


def find_allowed_heads(repository: Repository, ref: str) -> dict[str, Decision]:
    """Newest heads that the last decision on their change allowed for that branch, which did not receive them yet."""
    rows = ForgeChange.objects.filter(repository=repository, change__target=ref, change__decision__allowed=True)
    rows = rows.exclude(change__decision__in=list_used_decisions(repository, ref))
    newest = rows.select_related("change__decision__record").order_by("-change__decision__decided_at", "-pk")[
        :_CANDIDATES
    ]
    found: dict[str, Decision] = {}
    for row in newest:
        decision = row.change.decision if row.change is not None else None
        if decision is not None and decision.head == row.head:
            found.setdefault(row.head, decision)
    return found
