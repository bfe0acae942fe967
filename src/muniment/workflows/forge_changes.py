"""Judge a change at a forge: read it, bring its commits here, collect its facts, judge. Acting on it is for others."""

from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

from muniment.errors import ForgeError, GitError, HttpError, UsageError
from muniment.facts import moments
from muniment.facts.change import Contributor, ContributorRole
from muniment.facts.maybe import Maybe, Unknown
from muniment.facts.people import email_identity
from muniment.facts.statements import Approval, Freeze
from muniment.forges.collect import ForgeCollector, commits_to_keep
from muniment.forges.connecting import Connection
from muniment.forges.first_pushes import FirstPush, ReadFirstPushes, find_first_pushes
from muniment.forges.forge import Forge
from muniment.forges.shapes import Change, Reading, Repo
from muniment.git import history, landing, machine
from muniment.git.approvals import PREFIX
from muniment.git.collect import ReadLandedHeads
from muniment.git.mirror import Mirror
from muniment.git.repository import Repository
from muniment.http.addresses import parse_address
from muniment.http.proxies import select_proxy
from muniment.policy.model import Point
from muniment.workflows.forge_facts import facts_at_merge
from muniment.workflows.judge_change import NOTHING_FROZEN, Judgement, judge_change
from muniment.workflows.sources import Rules

PUSHES_DAYS = 30  # before a change was opened, for which pushes to other branches are looked through

RulesAt = Callable[[Repository, str], Rules]  # those that hold for a branch with this tip


def mirror_of(folder: str | Path, forge: Forge, repository: Repo, proxy: str = "") -> Mirror:
    """The copy of a repository in `folder`, fetched with the connection's own token through its proxy.

    `proxy` is the connection's setting (`http.proxies.select_proxy`). Raises GitError.
    """
    try:
        through = select_proxy(parse_address(repository.clone, plain=True), proxy)
    except HttpError as error:
        raise GitError(f"the repository cannot be fetched: {error.message}", error.remedy) from None
    return Mirror(folder, repository.clone, forge.reader.fetch_header(), through.url if through is not None else "")


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
    tip = mirror.value_of(ref)
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
    first_pushes = read_first_pushes(forge, mirror, repository, change)
    with mirror.open() as git:
        rules = rules_at(git, tip)
        collector = collector_of(
            connection, forge, repository, reading, git, rules, now, statements, first_pushes=first_pushes
        )
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
    first_pushes = read_first_pushes(forge, mirror, repository, change)
    with mirror.open() as git:
        base = landing.before(git, change.merged, change.head, change.base)
        rules = rules_at(git, base)
        collector = collector_of(
            connection, forge, repository, reading, git, rules, now, statements, first_pushes=first_pushes
        )
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
            raise GitError(f"{commit} cannot be undone cleanly", "Revert it manually, in a change of its own.")
        who = connection.address(forge.reader.about().ours)
        seconds = int(moments.parse(now).timestamp())
        undoing = machine.committed(git, tree, tip, who, seconds, f"{title}\n\n{text}\n\nRequested-by: {asker}")
        mirror.push(git, undoing, source)
    return forge.publisher.propose(repository, source, ref, title, text)


def _see_that_it_names(git: Repository, commit: str, asker: str, source: str) -> None:
    """That the change that is there counts `asker` among those who made it. Raises UsageError if it does not."""
    (found,) = history.read(git, [commit])
    address = asker.rpartition("<")[2].removesuffix(">")
    if Contributor(email_identity(address), ContributorRole.REQUESTER) not in found.contributors:
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
    landed: ReadLandedHeads | None = None,
    merged_at: str = "",
    first_pushes: ReadFirstPushes | None = None,
    was_said: Callable[[Approval], bool] | None = None,
) -> ForgeCollector:
    """What reads the facts of this change. What others say of its head is asked only if a clause wants it.

    Of a change that was `merged_at` a moment ("" for one that was not), what they said of its head until then.
    """
    return ForgeCollector(
        connection.name,
        reading,
        git,
        rules.people,
        now,
        noreply=connection.domains,
        numbered=connection.numbered,
        statements=statements,
        statuses=partial(forge.reader.statuses, repository, until=merged_at),
        may_write=partial(forge.reader.may_write, repository),
        landed=landed,
        first_pushes=first_pushes,
        was_said=was_said,
    )


def read_first_pushes(forge: Forge, mirror: Mirror, repository: Repo, change: Change) -> ReadFirstPushes:
    """What tells who pushed first: from the pushes to all branches, of the repository and of a change's fork.

    Their commits are fetched where the forge still gives them out.
    """
    since = moments.later(change.opened, days=-PUSHES_DAYS)
    places: tuple[Repo | str, ...] = (repository, *forks_of(repository, change))
    try:
        found = [push for place in places for push in forge.reader.all_pushes(place, since)]
        mirror.fetch((), (), [push.new for push in found])
    except (ForgeError, GitError) as error:
        unknown = FirstPush(Unknown(f"who pushed to other branches could not be read: {error.message}"), "")
        return lambda _git, commits, _base: dict.fromkeys(commits, unknown)
    return lambda git, commits, base: find_first_pushes(git, found, commits, base)


def forks_of(repository: Repo, change: Change) -> tuple[str, ...]:
    """The repository that a change comes from, as the forge names it, if it is another one."""
    return tuple({change.source_repository} - {"", repository.path, repository.id})
