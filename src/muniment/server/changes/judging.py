"""Judges changes of plain git repositories: what is open, and what a branch took in the past.

Nothing that git reads is done inside a transaction; what came of it is written in one, with its entry. A judgement
that was made before, of the same things, adds nothing.
"""

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone
from msgspec import Struct

from muniment.controls.control import Status
from muniment.decision.account import account
from muniment.decision.decision import Outcome
from muniment.decision.judge import biting, needed
from muniment.errors import ConfigurationError, GitError, UsageError
from muniment.facts import canonical, kinds
from muniment.facts.facts import Fact, Facts
from muniment.facts.maybe import Known, Maybe
from muniment.git.collect import GitCollector
from muniment.git.past import History, Past
from muniment.git.repository import Repository as Git
from muniment.ledger import entries, objects
from muniment.policy.model import Point
from muniment.policy.patterns import matches
from muniment.server import moments
from muniment.server.changes.models import Change, Decision
from muniment.server.changes.rules import ProductHome, freezes, rules_of
from muniment.server.changes.standing import product_facts
from muniment.server.changes.states import all_unknown, keep_states, keep_today
from muniment.server.installation import home
from muniment.server.products.models import Reading, Repository
from muniment.server.record.entering import enter
from muniment.workflows.judge_change import Judgement, judge_change
from muniment.workflows.judged import judged
from muniment.workflows.replay import Replay, Summary, state_names
from muniment.workflows.sources import Rules, policy_from

HEADS = "refs/heads/"
SHOWN = 500  # past changes of a repository that get a page; the states count all

_TOLD = 50  # changes that a trial names
_PROGRESS = 50  # changes between two reports of how far it is


class Scene(Struct, frozen=True):
    """A repository that is open, its protected branches with their tips, and the rules of the first."""

    repository: Repository
    git: Git
    branches: dict[str, str]
    rules: Rules

    @property
    def main(self) -> str:
        """The branch that HEAD names if it is protected, else the first."""
        head = self.git.head_branch()
        return head if head in self.branches else min(self.branches)


@contextmanager
def scene(repository: Repository) -> Iterator[Scene]:
    """Raises GitError, ConfigurationError or UsageError if the repository or its rules cannot be read."""
    with Git.open(repository.folder) as git:
        heads = git.refs(HEADS)
        head = git.head_branch()
        tip = heads.get(head) or next(iter(heads.values()), "")
        if not tip:
            raise UsageError("there is no branch yet", "Push the first commit.")
        found = rules_of(repository, git, tip)
        protected = found.policy.policy.protected
        branches = {ref: at for ref, at in heads.items() if matches(ref.removeprefix(HEADS), protected)}
        if not branches:
            raise UsageError(f"the policy protects no branch here ({', '.join(protected)})", "Name them in the policy.")
        yield Scene(repository, git, branches, found)


def open_heads(found: Scene) -> dict[str, str]:
    """Branches that are not protected and hold something that the main one does not."""
    heads = found.git.refs(HEADS)
    main = found.branches[found.main]
    new = {ref: tip for ref, tip in heads.items() if ref not in found.branches and tip != main}
    merged = found.git.run("for-each-ref", "--merged", main, "--format=%(refname)", HEADS).decode().split()
    return {ref: tip for ref, tip in new.items() if ref not in merged}


def judge_open(repository: Repository, ref: str) -> bool:
    """Judge the newest state of an open branch; whether it is a decision that was not there.

    What cannot be judged has no decision: an older yes is not left standing.
    """
    try:
        return _judge_open(repository, ref)
    except (GitError, ConfigurationError, UsageError):
        Change.objects.filter(repository=repository, name=ref, where=Change.Where.OPEN).update(decision=None)
        raise


def _judge_open(repository: Repository, ref: str) -> bool:
    now = moments.now()
    with scene(repository) as found:
        head = open_heads(found).get(ref)
        if head is None:
            Change.objects.filter(repository=repository, name=ref, where=Change.Where.OPEN).update(
                where=Change.Where.GONE
            )
            return False
        collector = GitCollector(found.git, Known(found.rules.people), now)
        target = found.main
        revision = collector.revision(repository.name, target, found.branches[target], head)
        names = needed(biting(found.rules.policy, Point.MERGE, target))
        given = _facts_of(found, names, now)
        judgement = judge_change(collector, found.rules, revision, Point.MERGE, now, Known(freezes()), given)
        title = found.git.run("log", "-1", "--format=%s", head, "--").decode("utf-8", "replace").strip()
    with transaction.atomic():
        change = _change(repository, ref, target, head, now, Change.Where.OPEN, title)
        return decided(change, judgement, found.rules) is not None


def _change(
    repository: Repository, name: str, target: str, head: str, time: str, where: Change.Where, title: str
) -> Change:
    values = {"head": head, "time": moments.read(time), "where": where, "title": cleaned(title)}
    found, _ = Change.objects.select_for_update().update_or_create(
        repository=repository, target=target[:300], name=name[:300], defaults=values
    )
    return found


def cleaned(text: str) -> str:
    """A title as pages show it: an attacker wrote it."""
    return "".join(letter for letter in text if letter.isprintable())[:300]


def decided(change: Change, judgement: Judgement, rules: Rules, *, enforced: bool = False) -> Decision | None:
    """The decision, kept with its entry and made the newest; None if the same was there."""
    decision = judgement.decision
    inputs = _inputs(judgement)
    known = change.decisions.filter(inputs=inputs).first()
    if known is not None:
        if change.decision_id != known.pk:
            change.decision = known
            change.save(update_fields=["decision"])
        return None
    entry, kept = judged(change.repository.place, judgement, rules, "", enforced=enforced)
    told = home().put(canonical.encode(account(decision, judgement.policy, judgement.facts)))
    row = Decision.objects.create(
        change=change,
        entry=enter(entry, kept),
        head=decision.head,
        base=decision.base,
        allowed=decision.outcome is Outcome.ALLOW,
        time=moments.read(decision.time),
        policy=decision.policy,
        inputs=inputs,
        account=told,
    )
    change.decision = row
    change.save(update_fields=["decision"])
    return row


def _inputs(judgement: Judgement) -> str:
    """What tells whether two judgements are of the same: policy, facts without salt and moment, and what came of it."""
    facts = {name: fact.value for name, fact in judgement.facts.items().items()}
    return canonical.digest_of(
        {"policy": judgement.decision.policy, "facts": facts, "results": judgement.decision.results}
    )


def judge_past(repository: Repository) -> None:
    """Judge what the main branch took, by the policy of now: for the states of the clauses, and for pages.

    What cannot be read is told in `Reading.problem`, and every clause is then unknown.
    """
    reading, _ = Reading.objects.get_or_create(repository=repository)
    try:
        with scene(repository) as found:
            _study(found, reading)
    except (GitError, ConfigurationError, UsageError) as error:
        with transaction.atomic():
            reading.problem = f"{error.message}. {error.remedy}".strip()
            reading.save()
            all_unknown(repository, reading.problem)


class Tried(Struct, frozen=True):
    """What another policy would have made of some changes: how many the policy of now allows and how many it would,
    those that come out otherwise, and of each clause how many did not hold, [now, then], None where there is no such.
    """

    changes: int
    now_allowed: int
    then_allowed: int
    other: list[list[str]]
    clauses: dict[str, list[int | None]]


def try_policy(repository: Repository, text: str, days: int) -> Tried:
    """What another policy would have made of the last days. Nothing is kept.

    Raises GitError, ConfigurationError or UsageError.
    """
    now = moments.now()
    with scene(repository) as found:
        other = policy_from(ProductHome(repository.product).completed(text), found.rules.texts[1])[0]
        since = moments.text(timezone.now() - timedelta(days=days))
        target = found.main
        past = History(found.git, repository.name, target, found.branches[target], since=since)
        collector = GitCollector(found.git, Known(found.rules.people), now)
        before, after = Replay(found.rules.policy, target), Replay(other, target)
        known = {**_facts_of(found, before.names | after.names, now), **_known(found.rules)}
        differ: list[list[str]] = []
        for step in past:
            read = {kinds.COMMITS.name: Known(step.commits), kinds.FILES.name: step.files}
            facts = collector.collect(step.revision, before.names | after.names, {**known, **read})
            one, two = before.judge(facts, now).outcome, after.judge(facts, now).outcome
            if one is not two and len(differ) < _TOLD:
                differ.append([step.revision.head, one.value, two.value])
        one_summary, two_summary = before.summary(now), after.summary(now)
        now_, then = _not_held(one_summary), _not_held(two_summary)
        clauses: dict[str, list[int | None]] = {name: [now_.get(name), then.get(name)] for name in {**then, **now_}}
        return Tried(len(past), one_summary.allowed, two_summary.allowed, differ, clauses)


def _not_held(summary: Summary) -> dict[str, int]:
    return {row.clause: row.counts[Status.VIOLATED] + row.counts[Status.UNKNOWN] - row.excepted for row in summary.rows}


class _Past(Struct, frozen=True):
    """One past change, judged: its step, when, what was decided, and that told as JSON."""

    step: Past
    decision: Judgement
    told: bytes


def _study(found: Scene, reading: Reading) -> None:
    now, repository, rules = moments.now(), found.repository, found.rules
    target = found.main
    tip = found.branches[target]
    inputs = canonical.digest_of(
        {
            "tip": tip,
            "policy": rules.policy.policy.digest,
            "people": rules.people,
            "exceptions": rules.exceptions,
            "day": now[:10],  # exceptions end, and clauses that only report begin to bite
        }
    )
    names = state_names(rules.policy, target)
    given = _facts_of(found, names, now)
    replay = Replay(rules.policy, target)
    today = _today(found, names, given, now)
    if reading.inputs == inputs and not reading.problem:
        with transaction.atomic():
            Reading.objects.filter(pk=reading.pk).update(finished=moments.read(now))
            keep_today(repository, replay.summary(now, today))
        return
    past = History(found.git, repository.name, target, tip)
    known = {**{name: fact for name, fact in given.items() if name in replay.names}, **_known(rules)}
    reading.branch, reading.done, reading.total, reading.problem = target, 0, len(past), ""
    reading.save()
    collector = GitCollector(found.git, Known(rules.people), now)
    newest: list[_Past] = []
    for number, step in enumerate(past, 1):
        read = {kinds.COMMITS.name: Known(step.commits), kinds.FILES.name: step.files}
        facts = collector.collect(step.revision, replay.names, {**known, **read})
        decision = replay.judge(facts, now)
        if number > len(past) - SHOWN:
            judgement = Judgement(decision, rules.policy, facts)
            newest.append(_Past(step, judgement, canonical.encode(account(decision, rules.policy, facts))))
        if number % _PROGRESS == 0:
            Reading.objects.filter(pk=reading.pk).update(done=number)
    summary = replay.summary(now, today)
    titles = _titles(found.git, tip, len(newest))
    with transaction.atomic():
        _keep_past(repository, target, newest, titles)
        _enter_study(repository, summary, tip, now)
        reading.tip, reading.policy, reading.done = tip, summary.policy, reading.total
        reading.inputs = inputs
        reading.finished = moments.read(now)
        reading.save()
        keep_states(repository, summary)


def _facts_of(found: Scene, names: Collection[str], now: str) -> dict[str, Fact]:
    target = found.main
    return product_facts(found.repository, found.git, target, found.branches[target], found.rules.policy, names, now)


def _today(found: Scene, names: Collection[str], given: Mapping[str, Fact], now: str) -> Facts:
    """What the clauses that judge no change have their state by: the product, and the newest commit of the branch."""
    collector = GitCollector(found.git, Known(found.rules.people), now)
    newest = collector.landed(found.repository.name, found.main, found.branches[found.main])
    return collector.collect(newest, names, {**given, **_known(found.rules)})


def _known(rules: Rules) -> dict[str, Maybe[Any]]:
    """The facts that git does not have. What was merged was not stopped."""
    return {
        kinds.PEOPLE.name: Known(rules.people),
        kinds.EXCEPTIONS.name: Known(rules.exceptions),
        kinds.FREEZES.name: Known(()),
    }


def _enter_study(repository: Repository, summary: Summary, tip: str, now: str) -> None:
    kept = objects.Study(summary, objects.salt())
    entry = entries.Studied(
        time=now,
        object=canonical.digest_of(kept),
        place=repository.place,
        target=summary.target,
        policy=summary.policy,
        head=tip,
        changes=summary.changes,
        allowed=summary.allowed,
    )
    enter(entry, (kept,))


def _titles(git: Git, tip: str, most: int) -> dict[str, str]:
    """The first lines of the newest commits of a branch, by id."""
    if not most:
        return {}
    out = git.run("log", "--first-parent", f"--max-count={most}", "-z", "--format=%H %s", tip, "--", timeout=60)
    rows = (row.partition(" ") for row in out.decode("utf-8", "replace").split("\0") if row)
    return {head: title for head, _, title in rows}


def _keep_past(repository: Repository, target: str, steps: list[_Past], titles: dict[str, str]) -> None:
    """One change and one decision for each. What came out the same before stays as it is."""
    home().put_all([step.told for step in steps])
    rows = [
        Change(
            repository=repository,
            name=past.step.revision.head,
            target=target,
            where=Change.Where.PAST,
            title=cleaned(titles.get(past.step.revision.head, "")),
            head=past.step.revision.head,
            time=moments.read(past.step.date),
        )
        for past in steps
    ]
    Change.objects.bulk_create(rows, ignore_conflicts=True)
    names = [row.name for row in rows]
    changes = {c.name: c for c in Change.objects.filter(repository=repository, target=target, name__in=names)}
    decisions = [
        Decision(
            change=changes[past.step.revision.head],
            head=past.step.revision.head,
            base=past.step.revision.base,
            allowed=past.decision.decision.outcome is Outcome.ALLOW,
            time=moments.read(past.step.date),
            policy=past.decision.decision.policy,
            inputs=_inputs(past.decision),
            account=canonical.digest(past.told),
        )
        for past in steps
    ]
    Decision.objects.bulk_create(decisions, ignore_conflicts=True)
    wanted = {decision.inputs for decision in decisions}
    there = Decision.objects.filter(change__in=changes.values(), inputs__in=wanted)
    newest = {decision.change_id: decision for decision in there.only("id", "change_id")}
    bound = _bound(changes)
    supposed = [change for change in changes.values() if change.pk not in bound]
    for change in supposed:
        change.decision = newest[change.pk]
    Change.objects.bulk_update(supposed, ["decision"], batch_size=500)


def _bound(changes: dict[str, Change]) -> set[int]:
    """Those that a gate decided on: nothing supposed takes its place."""
    rows = Change.objects.filter(pk__in=[change.pk for change in changes.values()], decision__gate__isnull=False)
    return set(rows.values_list("pk", flat=True))
