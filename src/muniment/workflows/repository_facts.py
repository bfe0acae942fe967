"""Facts of a product from its repository and its server hook, read at the tip of the protected branch."""

from collections.abc import Collection

from msgspec import Struct

from muniment.controls import tests_passed
from muniment.decision.binding import BoundPolicy
from muniment.decision.evaluation import select_clauses
from muniment.facts import kinds, moments
from muniment.facts.facts import Fact
from muniment.facts.maybe import Known, Maybe, Unknown
from muniment.facts.pipeline import BranchPipelineRules, BypassPath
from muniment.git.repository import Repository
from muniment.policy.model import EnforcementPoint
from muniment.workflows.fact_suppliers import create_fact


class HookProtection(Struct, frozen=True):
    """Protection by a server hook. `enforced`: denied updates do not get in. `around` are ways past it."""

    enforced: bool
    around: Maybe[tuple[BypassPath, ...]] = Known(())


_OF_FILES = (kinds.PIPELINE_FILES.name, kinds.HARDENING.name, kinds.FORGE_SETTINGS.name)
_OF_LOCKS = (kinds.DEPENDENCY_LOCKS.name, kinds.FRAMEWORKS.name)
PROTECTION_UNKNOWN: Maybe[HookProtection] = Unknown("connect the forge, or import the server hook's log")


def read_repository_facts(
    repository: Repository,
    target: str,
    tip: str,
    policy: BoundPolicy,
    names: Collection[str],
    now: str,
    guard: Maybe[HookProtection] = PROTECTION_UNKNOWN,
) -> dict[str, Fact]:
    """Read the facts named by `names`, of the branch `target` (a full ref) at `tip`. It never raises.

    Known guard: a plain git server with it. Without one, a forge may host the repository, whose rules and settings are
    then unknown.
    """
    found = _read_file_facts(repository, tip, [name for name in _OF_FILES if name in names])
    if kinds.FORGE_SETTINGS.name in found and isinstance(guard, Unknown):
        found[kinds.FORGE_SETTINGS.name] = Unknown("no forge is connected")
    found |= _read_code_facts(repository, tip, [name for name in (kinds.CODE_SECRETS.name,) if name in names])
    found |= _read_lock_facts(repository, tip, [name for name in _OF_LOCKS if name in names])
    if kinds.DESIGN.name in names:
        from muniment.workflows import design_evaluation  # a server hook loads it only if its policy needs it

        name = policy.policy.repository
        found[kinds.DESIGN.name] = design_evaluation.evaluate_commit_design(repository, name, tip, now)
    if kinds.BRANCH_RULES.name in names:
        found[kinds.BRANCH_RULES.name] = _build_branch_rules(target, policy, now, guard)
    return {name: create_fact(value, "repository", now) for name, value in found.items()}


def _read_file_facts(repository: Repository, tip: str, names: Collection[str]) -> dict[str, Maybe[object]]:
    """Read the facts of pipeline files. A server hook needs the extra for them only if its policy does."""
    if not names:
        return {}
    try:
        from muniment.pipelines import collect
    except ImportError:
        return dict.fromkeys(
            names, Unknown("what reads pipeline files is not installed: pip install muniment[pipeline]")
        )
    return collect.read_pipeline_facts(repository, tip, names)


def _read_lock_facts(repository: Repository, tip: str, names: Collection[str]) -> dict[str, Maybe[object]]:
    """Read the facts of lock files. A server hook needs the extra for them only if its policy does."""
    if not names:
        return {}
    try:
        from muniment.updates import lock_facts
    except ImportError:
        reason = "the reader of lock files is not installed: pip install muniment[updates]"
        return dict.fromkeys(names, Unknown(reason))
    return lock_facts.read_lock_facts(repository, tip, names)


def _read_code_facts(repository: Repository, tip: str, names: Collection[str]) -> dict[str, Maybe[object]]:
    """Read the secrets in the code. A server hook loads the engines only if its policy needs them."""
    if not names:
        return {}
    try:
        from muniment.workflows import secret_scan
    except ImportError:
        reason = "what reads infrastructure and pipeline files is not installed: pip install muniment[pipeline]"
        return dict.fromkeys(names, Unknown(reason))
    return dict.fromkeys(names, secret_scan.scan_commit_for_secrets(repository, tip))


def _build_branch_rules(
    target: str, policy: BoundPolicy, now: str, guard: Maybe[HookProtection]
) -> Maybe[BranchPipelineRules]:
    if isinstance(guard, Unknown):
        return guard
    by = "server-hook" if guard.value.enforced else ""
    return Known(BranchPipelineRules(target, by, list_required_pipelines(target, policy, now), guard.value.around))


def list_required_pipelines(target: str, policy: BoundPolicy, now: str) -> tuple[str, ...]:
    """Pipelines that the policy requires for every change of this branch today, whatever paths it touches."""
    found: dict[str, None] = {}
    for bound in select_clauses(policy, EnforcementPoint.MERGE, target):
        monitored = bound.clause.is_monitored(moments.utc_date(now))
        if bound.control is tests_passed.CONTROL and not bound.clause.paths and not monitored:
            found.update(dict.fromkeys(bound.parameters.pipelines))
    return tuple(found)
