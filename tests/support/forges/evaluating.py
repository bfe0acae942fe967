"""Evaluates a change of a fake or real forge at once, with no service: the pushes are the forge's own list of them.

The service also compares the refs with that list (`server.connections.first_pushes`), since accounts can hide activity.
"""

from collections.abc import Callable, Collection, Iterable

from muniment.errors import ForgeError, GitError
from muniment.facts import moments
from muniment.facts.facts import Fact
from muniment.facts.maybe import Maybe, Unknown
from muniment.facts.statements import Approval, Freeze
from muniment.forges.first_pushes import FirstPush, ReadFirstPushes, find_first_pushes
from muniment.forges.forge import Forge
from muniment.forges.forge_collector import ForgeCollector
from muniment.forges.forge_connection import Connection
from muniment.forges.shapes import Change, ForgeRepository, Reading
from muniment.git import landed_base
from muniment.git.mirror import Mirror
from muniment.git.repository import Repository
from muniment.workflows.change_evaluation import NOTHING_FROZEN, ChangeEvaluation, Proposal, evaluate_proposal
from muniment.workflows.forge_changes import PUSHES_DAYS, create_collector, find_forks, require_tip
from muniment.workflows.forge_facts import read_forge_facts
from muniment.workflows.rule_sources import Rules

LoadRulesAt = Callable[[Repository, str], Rules]  # those that hold for a branch with this tip


def evaluate_open_change(
    connection: Connection,
    forge: Forge,
    mirror: Mirror,
    repository: ForgeRepository,
    reading: Reading,
    rules_at: LoadRulesAt,
    now: str,
    freezes: Maybe[tuple[Freeze, ...]] = NOTHING_FROZEN,
    statements: Iterable[Approval] = (),
) -> tuple[ChangeEvaluation, Rules]:
    """Evaluate an open change that was fetched. Returns the evaluation and the rules that it used.

    `statements` are reviews and attestations in the service. Raises GitError or ConfigurationError if the change cannot
    be evaluated at all; that is a denial.
    """
    change = reading.change
    tip = require_tip(mirror, change.target)
    first_pushes = create_first_push_reader(forge, mirror, repository, change)
    with mirror.open_copy() as git:
        rules = rules_at(git, tip)
        collector = create_collector(
            connection, forge, repository, reading, git, rules, now, statements, first_pushes=first_pushes
        )
        return _evaluate_at_forge(
            forge, repository, git, collector, rules, change.target, tip, change.head, now, freezes
        ), rules


def evaluate_merged_change(
    connection: Connection,
    forge: Forge,
    mirror: Mirror,
    repository: ForgeRepository,
    reading: Reading,
    rules_at: LoadRulesAt,
    now: str,
    statements: Iterable[Approval] = (),
) -> tuple[ChangeEvaluation, Rules]:
    """Evaluate the commits that a branch received from a merged change, as if they were proposed now; else like
    `evaluate_open_change`.
    """
    change = reading.change
    first_pushes = create_first_push_reader(forge, mirror, repository, change)
    with mirror.open_copy() as git:
        base = landed_base.find_base_before_merge(git, change.merged, change.head, change.base)
        rules = rules_at(git, base)
        collector = create_collector(
            connection, forge, repository, reading, git, rules, now, statements, first_pushes=first_pushes
        )
        return _evaluate_at_forge(
            forge, repository, git, collector, rules, change.target, base, change.merged, now
        ), rules


def _evaluate_at_forge(
    forge: Forge,
    repository: ForgeRepository,
    git: Repository,
    collector: ForgeCollector,
    rules: Rules,
    target: str,
    base: str,
    head: str,
    now: str,
    freezes: Maybe[tuple[Freeze, ...]] = NOTHING_FROZEN,
) -> ChangeEvaluation:
    proposal = Proposal(rules.policy.policy.repository, target, base, head)

    def read_facts(names: Collection[str]) -> dict[str, Fact]:
        return read_forge_facts(forge, repository, git, target, base, rules.policy, names, now)

    return evaluate_proposal(collector, rules, proposal, now, read_facts, freezes)


def create_first_push_reader(
    forge: Forge, mirror: Mirror, repository: ForgeRepository, change: Change
) -> ReadFirstPushes:
    """Create a function that finds first pushers, from the pushes to all branches of the repository and of the change's
    fork.

    Their commits are fetched where the forge still provides them.
    """
    since = moments.add_time(change.opened, days=-PUSHES_DAYS)
    places: tuple[ForgeRepository | str, ...] = (repository, *find_forks(repository, change))
    try:
        found = [push for place in places for push in forge.reader.list_all_pushes(place, since)]
        mirror.fetch_refs((), (), [push.new for push in found])
    except (ForgeError, GitError) as error:
        unknown = FirstPush(Unknown(f"who pushed to other branches could not be read: {error.message}"), "")
        return lambda _git, commits, _base: dict.fromkeys(commits, unknown)
    return lambda git, commits, base: find_first_pushes(git, found, commits, base)
