"""Facts of a product that its repository and its gate tell, read at the tip of the protected branch."""

from collections.abc import Collection
from typing import Any

from msgspec import Struct

from muniment.controls import tests_passed
from muniment.decision.binding import BoundPolicy
from muniment.decision.judge import clauses_at, needed
from muniment.facts import kinds, moments
from muniment.facts.facts import Fact
from muniment.facts.maybe import Known, Maybe, Unknown
from muniment.facts.pipeline import BranchRules, BypassPath
from muniment.git.repository import Repository
from muniment.policy.model import Point
from muniment.workflows.supplies import fact


class Guard(Struct, frozen=True):
    """A gate before the repository. `enforced`: what it denies does not get in. `around` are ways past it."""

    enforced: bool
    around: Maybe[tuple[BypassPath, ...]] = Known(())


_OF_FILES = (kinds.PIPELINE_FILES.name, kinds.HARDENING.name, kinds.FORGE_SETTINGS.name)
NOBODY_SAID: Maybe[Guard] = Unknown("connect the forge, or import the server hook's log")


def facts_at_merge(
    repository: Repository, policy: BoundPolicy, target: str, tip: str, now: str, guard: Maybe[Guard] = NOBODY_SAID
) -> dict[str, Fact]:
    """Those that the clauses need which bite when something is merged into `target`."""
    names = needed(clauses_at(policy, Point.MERGE, target))
    return repository_facts(repository, target, tip, policy, names, now, guard)


def repository_facts(
    repository: Repository,
    target: str,
    tip: str,
    policy: BoundPolicy,
    names: Collection[str],
    now: str,
    guard: Maybe[Guard] = NOBODY_SAID,
) -> dict[str, Fact]:
    """Those that go by `names`, of the branch `target` (a full ref) at `tip`. Known guard: a plain git server with it.

    Without one, a forge may stand before the repository, whose rules and settings are then not known. It never raises.
    """
    found = _of_files(repository, tip, [name for name in _OF_FILES if name in names])
    if kinds.FORGE_SETTINGS.name in found and isinstance(guard, Unknown):
        found[kinds.FORGE_SETTINGS.name] = Unknown("no forge is connected")
    if kinds.BRANCH_RULES.name in names:
        found[kinds.BRANCH_RULES.name] = _rules(target, policy, now, guard)
    return {name: fact(value, "repository", now) for name, value in found.items()}


def _of_files(repository: Repository, tip: str, names: Collection[str]) -> dict[str, Maybe[Any]]:
    """A gate needs no more than Muniment itself, unless its policy asks after pipeline files."""
    if not names:
        return {}
    try:
        from muniment.pipelines import collect
    except ImportError:
        return dict.fromkeys(
            names, Unknown("what reads pipeline files is not installed: pip install muniment[pipeline]")
        )
    return collect.read(repository, tip, names)


def _rules(target: str, policy: BoundPolicy, now: str, guard: Maybe[Guard]) -> Maybe[BranchRules]:
    if isinstance(guard, Unknown):
        return guard
    by = "gate" if guard.value.enforced else ""
    return Known(BranchRules(target, by, required(target, policy, now), guard.value.around))


def required(target: str, policy: BoundPolicy, now: str) -> tuple[str, ...]:
    """The pipelines that the policy lets nothing in without, on this branch and today, whatever paths are touched."""
    found: dict[str, None] = {}
    for bound in clauses_at(policy, Point.MERGE, target):
        monitored = bound.clause.is_monitored(moments.day(now))
        if bound.control is tests_passed.CONTROL and not bound.clause.paths and not monitored:
            found.update(dict.fromkeys(bound.parameters.pipelines))
    return tuple(found)
