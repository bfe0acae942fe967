"""Preview of a push, before it leaves a clone: the server hook's decision, from the facts that are known here."""

from collections.abc import Iterable

from msgspec import structs

from muniment.errors import ConfigurationError, GitError, SignatureError
from muniment.git import branch_documents, received_push
from muniment.git.git_collector import GitCollector
from muniment.git.received_push import PushedRef
from muniment.git.repository import Repository
from muniment.policy.model import EnforcementPoint
from muniment.workflows.approval_commands import find_head_source
from muniment.workflows.change_evaluation import evaluate_change
from muniment.workflows.publish_rules import PEOPLE_UNKNOWN, PublishedRuleSource, read_known_rules
from muniment.workflows.push_evaluator import UpdateResult, build_revision
from muniment.workflows.refusals import Refusals
from muniment.workflows.repository_facts import read_repository_facts
from muniment.workflows.repository_rules import HEADS, RepositoryRules, has_no_own_rules
from muniment.workflows.rule_sources import RuleSource


def preview_updates(
    repository: Repository, remote: str, updates: Iterable[PushedRef], home: RuleSource | None, now: str
) -> tuple[UpdateResult, ...]:
    """Evaluate each update of a protected ref of `remote`; updates of other refs are left out.

    The remote's refs are those that this clone fetched, and its rules those of its main branch here. Raises
    ConfigurationError or GitError if they cannot be read, or are not here.
    """
    wanted = tuple(updates)
    refs = _read_remote_refs(repository, remote, wanted)
    main = _find_main_branch(repository, remote, refs)
    known = read_known_rules(repository) if home is None and _has_no_rules(repository, refs.get(main, "")) else None
    standing = RepositoryRules(repository, home if known is None else PublishedRuleSource(known), refs, main)
    return tuple(
        _preview_update(repository, remote, update, standing, now, "" if known is None else PEOPLE_UNKNOWN)
        for update in wanted
        if standing.is_protected(update.ref)
    )


def _has_no_rules(repository: Repository, tip: str) -> bool:
    return not tip or has_no_own_rules(branch_documents.read_documents(repository, tip))


def _preview_update(
    repository: Repository, remote: str, update: PushedRef, standing: RepositoryRules, now: str, people_unknown: str
) -> UpdateResult:
    try:
        rules = structs.replace(standing.rules_for(update.ref), people_unknown=people_unknown)
        collector = GitCollector(repository, rules.known_people, now)
        revision = build_revision(repository, collector, rules, update, standing)
        where = (repository, update.ref, revision.base, rules.policy)
        evaluation = evaluate_change(
            collector,
            rules,
            revision,
            EnforcementPoint.MERGE,
            now,
            lambda names: read_repository_facts(*where, names, now),
        )
        source = find_head_source(repository, revision.head, standing.is_protected, remote)
        return UpdateResult(update, evaluation, entry=0, source=source, undecided=bool(people_unknown))
    except (ConfigurationError, GitError, SignatureError) as error:
        why = Refusals.UNREADABLE(f"ref:{update.ref}", why=error.message, next=error.remedy)
        return UpdateResult(update, refusal=why, entry=0)


def _read_remote_refs(repository: Repository, remote: str, updates: Iterable[PushedRef]) -> dict[str, str]:
    """Refs of the remote: as it reported them just now for those that are pushed, else as they were fetched last."""
    prefix = f"refs/remotes/{remote}/"
    fetched = {
        ref: value for ref, value in received_push.read_encoded_refs(repository).items() if ref.startswith(prefix)
    }
    refs = {HEADS + ref.removeprefix(prefix): value for ref, value in fetched.items()}
    return refs | {update.ref: update.old for update in updates if update.old}


def _find_main_branch(repository: Repository, remote: str, refs: dict[str, str]) -> str:
    """Main branch of the remote, as `git clone` noted it, or the usual name that is there."""
    head = f"refs/remotes/{remote}/HEAD"
    noted = repository.run_in_place("symbolic-ref", "--quiet", values=(head,), codes=(0, 1)).decode().strip()
    usual = [name for name in (HEADS + "main", HEADS + "master") if name in refs]
    return HEADS + noted.removeprefix(f"refs/remotes/{remote}/") if noted else next(iter(usual), "")
