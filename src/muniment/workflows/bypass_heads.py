"""Heads that protected refs took without the server hook: their approvals are spent although nobody evaluated them."""

from collections.abc import Iterable, Mapping

from muniment.controls.included_heads import list_included_heads
from muniment.errors import GitError, MunimentError
from muniment.facts import kinds
from muniment.facts.maybe import Unknown
from muniment.git import received_push
from muniment.git.git_collector import GitCollector
from muniment.git.push_facts import PushReader
from muniment.git.repository import Repository
from muniment.ledger import record_objects
from muniment.store.push_index import PushIndex
from muniment.workflows.repository_rules import RepositoryRules

_NEEDED = (kinds.REVISION.name, kinds.COMMITS.name, kinds.APPROVED_HEADS.name, kinds.PUSHES.name)
_NOBODY = Unknown("no signature is looked at")
_NO_LIMIT = 1 << 62  # later than every record


def find_bypass_heads(
    repository: Repository,
    index: PushIndex,
    place: str,
    refs: Mapping[str, str],
    updates: Iterable[record_objects.RefUpdate],
    standing: RepositoryRules | MunimentError,
) -> record_objects.IncludedHeads | None:
    """Find the heads that the protected refs among `updates` took, as an evaluation would have included them.

    `refs` as they are now. None if they are unknown: every approval that was recorded before is spent then.
    """
    if isinstance(standing, MunimentError):
        return None
    reader = PushReader(repository, refs, index, place, _NO_LIMIT, standing.is_protected)
    collector = GitCollector(repository, _NOBODY, "", reader)
    found: set[str] = set()
    for update in updates:
        if update.new and standing.is_protected(update.ref):
            try:
                heads = _find_included_heads(repository, collector, update, standing)
            except GitError:
                return None
            if heads is None:
                return None
            found.update(heads)
    return record_objects.IncludedHeads(tuple(sorted(found)))


def _find_included_heads(
    repository: Repository, collector: GitCollector, update: record_objects.RefUpdate, standing: RepositoryRules
) -> tuple[str, ...] | None:
    """Heads that one update included. Raises GitError for an object that is missing."""
    old, new = (received_push.peel_to_commit(repository, value) if value else "" for value in (update.old, update.new))
    if not new:
        return None  # no commit: nobody can tell what it holds
    others = [tip for tip in standing.protected_tips() if tip != update.new]
    base = old or received_push.find_merge_base(repository, new, others)
    revision = collector.make_revision("", update.ref, base, new)
    return list_included_heads(collector.collect_facts(revision, _NEEDED, {}))
