"""Judge a change at a forge: read it, bring its commits here, collect its facts, judge. Acting on it is for others."""

from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

from muniment.errors import GitError, UsageError
from muniment.facts import moments
from muniment.facts.change import Because, Hand
from muniment.facts.maybe import Maybe
from muniment.facts.people import email_identity
from muniment.facts.statements import Approval, Freeze
from muniment.forges.collect import ForgeCollector, commits_to_keep
from muniment.forges.connecting import Connection
from muniment.forges.forge import Forge
from muniment.forges.shapes import Change, Reading, Repo
from muniment.git import history, landing, machine
from muniment.git.approvals import PREFIX
from muniment.git.mirror import Mirror
from muniment.git.repository import Repository
from muniment.policy.model import Point
from muniment.workflows.forge_facts import facts_at_merge
from muniment.workflows.judge_change import NOTHING_FROZEN, Judgement, judge_change
from muniment.workflows.sources import Rules

RulesAt = Callable[[Repository, str], Rules]  # those that hold for a branch with this tip


def mirror_of(folder: str | Path, forge: Forge, repository: Repo) -> Mirror:
    """The copy of a repository in `folder`, fetched with the connection's own token."""
    return Mirror(folder, repository.clone, forge.reader.fetch_header())


def bring(forge: Forge, mirror: Mirror, reading: Reading) -> str:
    """Fetch what a judgement of this change reads; where its branch is. Raises GitError if that or its head is not."""
    change = reading.change
    wanted = commits_to_keep(reading)
    gone = mirror.fetch((change.target, forge.reader.change_ref(change.number)), (f"{PREFIX}*",), wanted)
    if change.head in gone:
        raise GitError(f"the forge does not give out the head {change.head}", "It is read again.")
    tip = tip_of(mirror, change.target)
    mirror.complete((tip, commit) for commit in wanted if commit not in gone)
    return tip


def tip_of(mirror: Mirror, ref: str) -> str:
    """Where a branch was when it was fetched. Raises GitError if there is none."""
    with mirror.open() as git:
        tip = git.refs(ref).get(ref, "")
    if not tip:
        raise GitError(f"there is no branch {ref} at the forge", "Point the change at a branch that is there.")
    return tip


def judge_open(
    connection: Connection,
    forge: Forge,
    mirror: Mirror,
    repository: Repo,
    reading: Reading,
    rules_at: RulesAt,
    now: str,
    freezes: Maybe[tuple[Freeze, ...]] = NOTHING_FROZEN,
    statements: Iterable[Approval] = (),
) -> tuple[Judgement, Rules]:
    """The judgement of an open change that was brought here, with the rules it is by.

    `statements` are what people said of it in the service. Raises GitError or ConfigurationError if it cannot be judged
    at all; that is a denial.
    """
    change = reading.change
    tip = tip_of(mirror, change.target)
    with mirror.open() as git:
        rules = rules_at(git, tip)
        collector = collector_of(connection, forge, repository, reading, git, rules, now, statements)
        return _judged(forge, repository, git, collector, rules, change.target, tip, change.head, now, freezes), rules


def landed(
    connection: Connection,
    forge: Forge,
    mirror: Mirror,
    repository: Repo,
    reading: Reading,
    rules_at: RulesAt,
    now: str,
    statements: Iterable[Approval] = (),
) -> tuple[Judgement, Rules]:
    """The judgement of what a branch took from a merged change, as if it were proposed now; else like `judge_open`."""
    change = reading.change
    with mirror.open() as git:
        base = landing.before(git, change.merged, change.head, change.base)
        rules = rules_at(git, base)
        collector = collector_of(connection, forge, repository, reading, git, rules, now, statements)
        return _judged(forge, repository, git, collector, rules, change.target, base, change.merged, now), rules


def _judged(
    forge: Forge,
    repository: Repo,
    git: Repository,
    collector: ForgeCollector,
    rules: Rules,
    target: str,
    base: str,
    head: str,
    now: str,
    freezes: Maybe[tuple[Freeze, ...]] = NOTHING_FROZEN,
) -> Judgement:
    revision = collector.revision(rules.policy.policy.repository, target, base, head)
    given = facts_at_merge(forge, repository, git, rules.policy, target, base, now)
    return judge_change(collector, rules, revision, Point.MERGE, now, freezes, given)


def prepare_revert(
    connection: Connection, forge: Forge, mirror: Mirror, repository: Repo, ref: str, commit: str, asker: str, now: str
) -> Change:
    """A change that undoes `commit` on the branch `ref`, opened by our account; it needs approvals like any other.

    `asker` (`name <address>`) asked for it, so its commit says so: their approval does not count. Raises UsageError if
    somebody else asked before, and GitError where it cannot be undone cleanly, so that somebody has to do it by hand.
    """
    title = f"Revert {commit[:12]}"
    text = f"This undoes {commit}, which no decision allowed."
    source = f"refs/heads/muniment/revert-{commit[:12]}"
    there = mirror.listed([source])
    mirror.fetch([ref, *there])
    tip = tip_of(mirror, ref)
    with mirror.open() as git:
        if there:  # asked for once before
            _see_that_it_names(git, there[source], asker, source)
            return forge.publisher.propose(repository, source, ref, title, text)
        tree = machine.undone(git, tip, commit)
        if not tree:
            raise GitError(f"{commit} cannot be undone cleanly", "Undo it by hand, in a change of its own.")
        who = connection.address(forge.reader.about().ours)
        seconds = int(moments.parse(now).timestamp())
        undoing = machine.committed(git, tree, tip, who, seconds, f"{title}\n\n{text}\n\nRequested-by: {asker}")
        mirror.push(git, undoing, source)
    return forge.publisher.propose(repository, source, ref, title, text)


def _see_that_it_names(git: Repository, commit: str, asker: str, source: str) -> None:
    """That the change that is there counts `asker` among those who made it. Raises UsageError if it does not."""
    (found,) = history.read(git, [commit])
    address = asker.rpartition("<")[2].removesuffix(">")
    if Hand(email_identity(address), Because.ASKED) not in found.hands:
        branch = source.removeprefix("refs/heads/")
        raise UsageError(
            f"somebody else asked for it: the branch {branch} is there already",
            "Review the change that comes from it, or delete the branch and ask again.",
        )


def collector_of(
    connection: Connection,
    forge: Forge,
    repository: Repo,
    reading: Reading,
    git: Repository,
    rules: Rules,
    now: str,
    statements: Iterable[Approval] = (),
) -> ForgeCollector:
    """What reads the facts of this change. What others say of its head is asked only if a clause wants it."""
    return ForgeCollector(
        connection.name,
        reading,
        git,
        rules.people,
        now,
        noreply=connection.domains,
        numbered=connection.numbered,
        statements=statements,
        statuses=partial(forge.reader.statuses, repository),
        may_write=partial(forge.reader.may_write, repository),
    )
