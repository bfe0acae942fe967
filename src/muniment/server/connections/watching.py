"""Watches protected branches: each step of one is a record, with the decision that allowed it, or a bypass.

A bypass is an incident. It stays open until enough others reviewed it afterwards (`escapes`), or a step reverted it.
"""

from collections.abc import Callable, Mapping
from datetime import timedelta

from django.db import transaction
from django.utils.translation import gettext as _

from muniment.decision.account import DecisionReport as Told
from muniment.errors import GitError, MunimentError
from muniment.forges import shapes
from muniment.forges.forge import Forge
from muniment.forges.shapes import State
from muniment.git import approvals
from muniment.git.mirror import Mirror, nameable
from muniment.git.repository import Repository as Git
from muniment.policy.patterns import matches
from muniment.server import moments
from muniment.server.changes.judging import cleaned
from muniment.server.changes.models import Change, Decision
from muniment.server.changes.rules import rules_of
from muniment.server.changes.states import keep_told
from muniment.server.connections import escapes
from muniment.server.connections.branch_updates import BranchRecorder, Watched, open_bypasses
from muniment.server.connections.judging import mirror_of
from muniment.server.connections.keeping import HEADS, PostgresKeeper, locked
from muniment.server.connections.landed_heads import used_decisions
from muniment.server.connections.models import BranchUpdate, ForgeChange, ProtectedBranch, RepositoryLink
from muniment.server.connections.reaching import repo_of, still_there
from muniment.server.incidents import kinds as incidents
from muniment.server.incidents.lifecycle import close_incident
from muniment.server.products.models import Repository
from muniment.server.records.reading import beside_all
from muniment.workflows.watch_branch import Step, steps

_LONGEST = 300  # letters of a ref
_CANDIDATES = 200  # allowed heads of one branch, and changes that tell of states, the newest
_SIGNED_AT_ONCE = 20  # heads with signed approvals that are brought here at once: whoever may push can name any
_BACK = timedelta(hours=1)  # what was merged before the last look at a branch may have been told late


def watch(connected: RepositoryLink, forge: Forge) -> None:
    """See what the protected branches took. Raises MunimentError; nothing is then taken to be well."""
    repository = connected.repository
    tips = _tips(connected, forge)
    known = _watched_tips(repository)
    if tips and known and all(tips.get(ref) == tip for ref, tip in known.items()) and not _new(tips, known):
        return
    still_there(connected, forge)
    merged = _merged(connected, forge)
    mirror = mirror_of(connected, forge)
    watched = {ref: tip for ref, tip in tips.items() if _nameable(ref)}
    with locked(f"mirror:{connected.pk}"):
        followed = [ref for ref in watched if ref in known or ref == connected.default_branch or _new({ref: ""}, {})]
        mirror.fetch(followed, (f"{approvals.PREFIX}*",), [*(tips[ref] for ref in followed), *known.values()])
        mirror.fetch((), (), _signed_heads_elsewhere(mirror))
    with mirror.open() as git:
        rules = rules_of(repository, git, tips.get(connected.default_branch, ""))
    protected = [ref for ref in tips if matches(ref.removeprefix(HEADS), rules.policy.policy.protected_branches)]
    with locked(f"mirror:{connected.pk}"):
        gone = mirror.fetch((), (), [tips[ref] for ref in protected])
    failed = [_unnameable(ref) for ref in protected if ref not in watched]
    new = sorted(ref for ref in protected if ref in watched and ref not in known and tips[ref] not in gone)
    with mirror.open() as git:
        recorder = BranchRecorder(connected, forge, git, rules, merged)
        for ref in (*sorted(known), *new):
            try:
                if ref in new and failed:
                    break  # it may be cut from a branch of which not all is recorded
                found = _looked_at(git, repository, ref, tips, merged, lambda: _tips(connected, forge))
                if found is not None:
                    recorder.record(found, allowed_heads(repository, ref))
            except MunimentError as error:  # what is wrong with one branch hides no other
                failed.append(error)
    if failed:
        raise failed[0]


def _signed_heads_elsewhere(mirror: Mirror) -> list[str]:
    """Heads with signed approvals that no evaluation brought here: a bypass may have taken what they hold."""
    with mirror.open() as git:
        heads = sorted({reference.head for reference in approvals.references(git.refs(approvals.PREFIX))})
        kinds = git.objects.kinds(heads) if heads else []
    return [head for head, kind in zip(heads, kinds, strict=True) if kind != "commit"][:_SIGNED_AT_ONCE]


def _tips(connected: RepositoryLink, forge: Forge) -> dict[str, str]:
    return {tip.ref: tip.commit for tip in forge.reader.tips(repo_of(connected))}


def _watched_tips(repository: Repository) -> dict[str, str]:
    """Where the watched branches were when they were last looked at."""
    return {row.ref: row.tip for row in ProtectedBranch.objects.filter(repository=repository).order_by("ref")}


def _nameable(ref: str) -> bool:
    return nameable(ref) and len(ref) <= _LONGEST


def _unnameable(ref: str) -> MunimentError:
    return GitError(
        _("a branch with such a name is not watched: %(name)s") % {"name": cleaned(ref)}, _("Rename it, or delete it.")
    )


def settle(repository: Repository) -> None:
    """Close the bypasses that enough others reviewed by now."""
    for row in open_bypasses(repository):
        if row.incident is not None and escapes.enough(row):
            close_incident(row.incident, incidents.REVIEWED, "Two others reviewed it afterwards, and let it stay.")


def keep_states(repository: Repository) -> None:
    """How the repository stands against each clause, by the last decisions on what was merged."""
    merged = Change.objects.filter(repository=repository, state=Change.State.MERGED, decision__isnull=False)
    digests = list(
        merged.order_by("-updated_at", "-pk").values_list("decision__explanation_digest", flat=True)[:_CANDIDATES]
    )
    told = [one for one in beside_all([each for each in digests if each], Told).values() if isinstance(one, Told)]
    with transaction.atomic():
        keep_told(repository, told)


def _new(tips: Mapping[str, str], known: Mapping[str, str]) -> bool:
    """Whether there are branches that the company's policy protects, and that nobody watches yet."""
    from muniment.server.policies.current import protected

    return any(ref not in known and matches(ref.removeprefix(HEADS), protected()) for ref in tips)


def _merged(connected: RepositoryLink, forge: Forge) -> dict[str, shapes.Change]:
    """The changes that were merged lately, by the commit that the branch took. Their rows learn of it."""
    last = (
        BranchUpdate.objects.filter(repository=connected.repository)
        .order_by("-seen_at")
        .values_list("seen_at", flat=True)
        .first()
    )
    if last is None:
        return {}
    keeper = PostgresKeeper(connected.repository)
    found = forge.reader.changes(repo_of(connected), State.MERGED, moments.text(last - _BACK))
    open_ = ForgeChange.objects.filter(repository=connected.repository, change__state=Change.State.OPEN)
    numbers = set(open_.values_list("number", flat=True))
    for change in found:
        if change.number in numbers:
            keeper.over(change)
    return {change.merged: change for change in found if change.merged}


def _looked_at(
    git: Git,
    repository: Repository,
    ref: str,
    tips: Mapping[str, str],
    merged: Mapping[str, shapes.Change],
    read_tips: Callable[[], Mapping[str, str]],
) -> Watched | None:
    known = _watched_tips(repository)
    tip, last = tips.get(ref, ""), known.get(ref)
    if tip == last:
        return None
    if not tip:
        return Watched(ref, last, "", (Step(last or "", "", (), "", rewound=True),))
    before = last
    if before is None:
        before = _fork(git, tip, tuple(known.values())) if known else tip
        if before == tip:
            return Watched(ref, last, tip, (Step("", tip, (), ""),), begun=True)
        now = read_tips()
        if any(now.get(one) != at for one, at in tips.items() if one in known):
            raise GitError(
                _("a branch moved while %(name)s was compared with it") % {"name": cleaned(ref)},
                _("It is compared again."),
            )
    heads = allowed_heads(repository, ref)
    return Watched(ref, last, tip, steps(git, ref, before, tip, heads.keys(), merged.keys()))


def _fork(git: Git, tip: str, known: tuple[str, ...]) -> str:
    """Where a new branch left the watched ones: what it has since then has to be allowed."""
    return git.run("merge-base", values=(tip, *known), codes=(0, 1)).decode("ascii").split("\n")[0].strip()


def allowed_heads(repository: Repository, ref: str) -> dict[str, Decision]:
    """The newest heads that the last decision on their change allowed for that branch, which did not take them yet."""
    rows = ForgeChange.objects.filter(repository=repository, change__target=ref, change__decision__allowed=True)
    rows = rows.exclude(change__decision__in=used_decisions(repository, ref))
    newest = rows.select_related("change__decision__record").order_by("-change__decision__decided_at", "-pk")[
        :_CANDIDATES
    ]
    found: dict[str, Decision] = {}
    for row in newest:
        decision = row.change.decision if row.change is not None else None
        if decision is not None and decision.head == row.head:
            found.setdefault(row.head, decision)
    return found
