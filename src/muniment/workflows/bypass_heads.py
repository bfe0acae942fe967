"""Which heads protected refs took past the server hook: their approvals are spent although nobody evaluated them."""

from collections.abc import Iterable, Mapping

from muniment.controls.included_heads import included_heads
from muniment.errors import GitError, MunimentError
from muniment.facts import kinds
from muniment.facts.maybe import Unknown
from muniment.git import receiving
from muniment.git.collect import GitCollector
from muniment.git.pushed import PushReader
from muniment.git.repository import Repository
from muniment.ledger import objects
from muniment.store.index import Index
from muniment.workflows.standing import Standing

_NEEDED = (kinds.REVISION.name, kinds.COMMITS.name, kinds.APPROVED_HEADS.name, kinds.PUSHES.name)
_NOBODY = Unknown("no signature is looked at")
_NO_LIMIT = 1 << 62  # later than every record


def find_bypass_heads(
    repository: Repository,
    index: Index,
    place: str,
    refs: Mapping[str, str],
    updates: Iterable[objects.RefUpdate],
    standing: Standing | MunimentError,
) -> objects.IncludedHeads | None:
    """The heads that the protected refs among `updates` took, as an evaluation would have included them.

    `refs` as they are now. None if that cannot be told: every approval that was recorded before is spent then.
    """
    if isinstance(standing, MunimentError):
        return None
    reader = PushReader(repository, refs, index, place, _NO_LIMIT, standing.protects)
    collector = GitCollector(repository, _NOBODY, "", reader)
    found: set[str] = set()
    for update in updates:
        if update.new and standing.protects(update.ref):
            try:
                heads = _included(repository, collector, update, standing)
            except GitError:
                return None
            if heads is None:
                return None
            found.update(heads)
    return objects.IncludedHeads(tuple(sorted(found)))


def _included(
    repository: Repository, collector: GitCollector, update: objects.RefUpdate, standing: Standing
) -> tuple[str, ...] | None:
    """Raises GitError for an object that is missing."""
    old, new = (receiving.peeled(repository, value) if value else "" for value in (update.old, update.new))
    if not new:
        return None  # no commit: nobody can tell what it holds
    others = [tip for tip in standing.tips() if tip != update.new]
    base = old or receiving.merge_base(repository, new, others)
    revision = collector.revision("", update.ref, base, new)
    return included_heads(collector.collect(revision, _NEEDED, {}))
