"""Watches protected branches: what each took is an entry, with the decision that allowed it, or an escape.

An escape is an incident. It stays open until enough others reviewed it afterwards (`escapes`), or a step took it back.
"""

from collections.abc import Iterable, Mapping
from datetime import timedelta

from django.db import transaction
from msgspec import Struct

from muniment.decision.account import Account as Told
from muniment.errors import GitError, MunimentError
from muniment.facts import canonical
from muniment.forges.forge import Forge
from muniment.forges.shapes import Change as ForgeChange
from muniment.forges.shapes import State
from muniment.git.mirror import nameable
from muniment.git.repository import Repository as Git
from muniment.ledger import entries, objects
from muniment.policy.patterns import matches
from muniment.server import moments
from muniment.server.changes.judging import cleaned
from muniment.server.changes.models import Change, Decision
from muniment.server.changes.rules import rules_of
from muniment.server.changes.states import keep_told
from muniment.server.connections import escapes
from muniment.server.connections.judging import mirror_of
from muniment.server.connections.keeping import HEADS, PostgresKeeper, locked
from muniment.server.connections.models import Arrival, AtForge, Branch, Connected
from muniment.server.connections.reaching import repo_of, still_there
from muniment.server.incidents import kinds as incidents
from muniment.server.incidents.acts import close_incident, open_incident
from muniment.server.products.models import Repository
from muniment.server.record.entering import enter
from muniment.server.record.reading import beside_all
from muniment.workflows.sources import Rules
from muniment.workflows.watch_branch import Step, reverts, steps

_LONGEST = 300  # letters of a ref
_CANDIDATES = 200  # allowed heads of one branch, the newest
_BACK = timedelta(hours=1)  # what was merged before the last look at a branch may have been told late


class Watched(Struct, frozen=True):
    """One branch, and what it took since it was last looked at, when it was at `before`: None for a new one."""

    ref: str
    before: str | None
    tip: str
    steps: tuple[Step, ...]
    begun: bool = False


class Read(Struct, frozen=True):
    """One step with what git and the forge say of it, and the escapes that it takes back."""

    step: Step
    title: str
    url: str
    hands: escapes.Hands
    takes_back: tuple[int, ...]


def watch(connected: Connected, forge: Forge) -> None:
    """See what the protected branches took. Raises MunimentError; nothing is then taken to be well."""
    repository = connected.repository
    tips = {tip.ref: tip.commit for tip in forge.reader.tips(repo_of(connected))}
    known = {row.ref: row.tip for row in Branch.objects.filter(repository=repository)}
    if tips and known and all(tips.get(ref) == tip for ref, tip in known.items()) and not _new(tips, known):
        return
    still_there(connected, forge)
    merged = _merged(connected, forge)
    mirror = mirror_of(connected, forge)
    watched = {ref: tip for ref, tip in tips.items() if _nameable(ref)}
    with locked(f"mirror:{connected.pk}"):
        followed = [ref for ref in watched if ref in known or ref == connected.default or _new({ref: ""}, {})]
        mirror.fetch(followed, (), [*(tips[ref] for ref in followed), *known.values()])
    with mirror.open() as git:
        rules = rules_of(repository, git, tips.get(connected.default, ""))
    protected = [ref for ref in tips if matches(ref.removeprefix(HEADS), rules.policy.policy.protected)]
    with locked(f"mirror:{connected.pk}"):
        gone = mirror.fetch((), (), [tips[ref] for ref in protected])
    failed = [_unnameable(ref) for ref in protected if ref not in watched]
    with mirror.open() as git:
        for ref in sorted({*known, *(ref for ref in protected if ref in watched and tips[ref] not in gone)}):
            try:
                found = _looked_at(git, repository, ref, known, watched, connected.default, merged)
                if found is not None:
                    heads = allowed_heads(repository, ref)
                    _keep(repository, found, _read(connected, forge, git, rules, found, heads, merged), heads)
            except MunimentError as error:  # what is wrong with one branch hides no other
                failed.append(error)
    if failed:
        raise failed[0]


def _nameable(ref: str) -> bool:
    return nameable(ref) and len(ref) <= _LONGEST


def _unnameable(ref: str) -> MunimentError:
    return GitError(f"a branch with such a name is not watched: {cleaned(ref)}", "Rename it, or delete it.")


def settle(repository: Repository) -> None:
    """Close the escapes that enough others reviewed by now."""
    for row in open_escapes(repository):
        if row.incident is not None and escapes.enough(row):
            close_incident(row.incident, incidents.REVIEWED, "Two others reviewed it afterwards, and let it stay.")


def keep_states(repository: Repository) -> None:
    """How the repository stands against each clause, by the last decisions on what was merged."""
    merged = Change.objects.filter(repository=repository, where=Change.Where.PAST, decision__isnull=False)
    digests = list(merged.order_by("-time", "-pk").values_list("decision__account", flat=True)[:_CANDIDATES])
    told = [one for one in beside_all([each for each in digests if each], Told).values() if isinstance(one, Told)]
    with transaction.atomic():
        keep_told(repository, told)


def open_escapes(repository: Repository) -> list[Arrival]:
    """Those of a repository."""
    rows = Arrival.objects.filter(repository=repository, how=Arrival.How.ESCAPE, incident__closed=None)
    return list(rows.select_related("incident", "repository__product").order_by("pk"))


def _new(tips: Mapping[str, str], known: Mapping[str, str]) -> bool:
    """Whether there are branches that the company's policy protects, and that nobody watches yet."""
    from muniment.server.policies.current import protected

    return any(ref not in known and matches(ref.removeprefix(HEADS), protected()) for ref in tips)


def _merged(connected: Connected, forge: Forge) -> dict[str, ForgeChange]:
    """The changes that were merged lately, by the commit that the branch took. Their rows learn of it."""
    last = Arrival.objects.filter(repository=connected.repository).order_by("-at").values_list("at", flat=True).first()
    if last is None:
        return {}
    keeper = PostgresKeeper(connected.repository)
    found = forge.reader.changes(repo_of(connected), State.MERGED, moments.text(last - _BACK))
    open_ = AtForge.objects.filter(repository=connected.repository, change__where=Change.Where.OPEN)
    numbers = set(open_.values_list("number", flat=True))
    for change in found:
        if change.number in numbers:
            keeper.over(change)
    return {change.merged: change for change in found if change.merged}


def _looked_at(
    git: Git,
    repository: Repository,
    ref: str,
    known: Mapping[str, str],
    tips: Mapping[str, str],
    default: str,
    merged: Mapping[str, ForgeChange],
) -> Watched | None:
    tip, last = tips.get(ref, ""), known.get(ref)
    if tip == last:
        return None
    if not tip:
        return Watched(ref, last, "", (Step(last or "", "", (), "", rewound=True),))
    before = last
    if before is None:
        before = _fork(git, tip, known.get(default, "")) if known else tip
        if before == tip:
            return Watched(ref, last, tip, (Step("", tip, (), ""),), begun=True)
    heads = allowed_heads(repository, ref)
    return Watched(ref, last, tip, steps(git, ref, before, tip, heads.keys(), merged.keys()))


def _fork(git: Git, tip: str, default: str) -> str:
    """Where a new branch left the one that is watched: what it has since then has to be allowed."""
    if not default:
        return ""
    return git.run("merge-base", tip, default, codes=(0, 1)).decode("ascii").split("\n")[0].strip()


def allowed_heads(repository: Repository, ref: str) -> dict[str, Decision]:
    """The newest heads that the last decision on their change allowed for that branch."""
    rows = AtForge.objects.filter(repository=repository, change__target=ref, change__decision__allowed=True)
    newest = rows.select_related("change__decision__entry").order_by("-change__decision__time", "-pk")[:_CANDIDATES]
    found: dict[str, Decision] = {}
    for row in newest:
        decision = row.change.decision if row.change is not None else None
        if decision is not None and decision.head == row.head:
            found.setdefault(row.head, decision)
    return found


def _read(
    connected: Connected,
    forge: Forge,
    git: Git,
    rules: Rules,
    found: Watched,
    heads: Mapping[str, Decision],
    merged: Mapping[str, ForgeChange],
) -> list[Read]:
    """What git has to say of each step, before anything is written."""
    open_ = open_escapes(connected.repository)
    read: list[Read] = []
    fine = found.begun or all(step.allowed in heads for step in found.steps)
    commits = [step.commit for step in found.steps]
    pushed = {} if fine else escapes.told(connected, forge, found.ref, found.before or "", commits)
    for step in found.steps:
        change, decision = merged.get(step.commit), heads.get(step.allowed)
        who = pushed.get(step.commit, ())
        hands = escapes.Hands() if decision else escapes.hands_of(connected, git, rules, step.brought, change, who)
        back = [row.pk for row in open_ if decision and _takes_back(git, step, row)]
        url = change.url if change is not None else ""
        read.append(Read(step, _title(git, step.commit), url, hands, tuple(back)))
    return read


def _keep(repository: Repository, found: Watched, read: Iterable[Read], heads: Mapping[str, Decision]) -> None:
    """All that a branch took, in one transaction with where it is now; nothing if another kept it meanwhile."""
    with transaction.atomic():
        row = Branch.objects.select_for_update().filter(repository=repository, ref=found.ref).first()
        if (row.tip if row is not None else None) != found.before:
            return
        for one in read:
            arrival = _arrived(repository, found, one, heads.get(one.step.allowed))
            if arrival.how == Arrival.How.ESCAPE:
                _escaped(arrival, one)
            for escape in Arrival.objects.filter(pk__in=one.takes_back).select_related("incident"):
                if escape.incident is not None:
                    close_incident(escape.incident, incidents.REVERTED, f"{one.step.commit[:12]} took it back.")
        if found.tip:
            Branch.objects.update_or_create(repository=repository, ref=found.ref, defaults={"tip": found.tip})
        else:
            Branch.objects.filter(repository=repository, ref=found.ref).delete()


def _arrived(repository: Repository, found: Watched, read: Read, decision: Decision | None) -> Arrival:
    step = read.step
    how = Arrival.How.BEGUN if found.begun else Arrival.How.ALLOWED if decision is not None else Arrival.How.ESCAPE
    beside = objects.Arrival(step.brought, read.url, objects.salt())
    entry = entries.Arrived(
        time=moments.now(),
        object=canonical.digest_of(beside),
        place=repository.place,
        repository=repository.name,
        target=found.ref,
        commit=step.commit,
        before=step.before,
        brought=len(step.brought),
        how=how.value,
        decision=decision.entry.object if decision is not None and decision.entry is not None else "",
    )
    return Arrival.objects.create(
        repository=repository,
        ref=found.ref,
        commit=step.commit,
        before=step.before,
        how=how,
        decision=decision,
        title=read.title,
        entry_id=enter(entry, (beside,)).pk,
    )


def _escaped(row: Arrival, read: Read) -> None:
    step, branch = read.step, row.ref.removeprefix(HEADS)
    what = f"{branch} took {step.commit[:12]}" if step.commit else f"{branch} was deleted"
    why = ", and lost commits" if step.rewound and step.commit else ""
    row.hands, row.strangers, row.pusher_known = list(read.hands.people), read.hands.strangers, read.hands.pusher_known
    row.incident = open_incident(
        incidents.ESCAPE,
        row.repository.product,
        f"commit:{step.commit or step.before} {row.ref}",
        f"{row.repository.name}: {what}, which no decision allowed{why}.",
        link=f"/arrivals/{row.pk}",
        involved=row.hands,
    )
    row.save(update_fields=["hands", "strangers", "pusher_known", "incident"])


def _takes_back(git: Git, step: Step, row: Arrival) -> bool:
    return bool(row.commit) and reverts(git, step, Step(row.before, row.commit, (), ""))


def _title(git: Git, commit: str) -> str:
    if not commit:
        return ""
    return cleaned(git.run("log", "-1", "--format=%s", commit, "--").decode("utf-8", "replace").strip())
